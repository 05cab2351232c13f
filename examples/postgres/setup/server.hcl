# The server makes tokens for its tools, which have policies that it has itself, and revokes
# leases that no call needs any more.
path "auth/token/create" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
# What a server that was killed has left, the next one revokes.
path "auth/token/revoke-accessor" { capabilities = ["update"] }
