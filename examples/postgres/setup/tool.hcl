# A tool's token: a user of the database, and nothing else.
path "database/creds/mcp-readonly" { capabilities = ["read"] }
