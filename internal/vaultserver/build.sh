#!/usr/bin/env bash
# Builds the Vault program that go.mod pins into .cache/vault, unless it is there, and prints its path. The first time
# it takes minutes. Vault is under the Business Source License: it is used for testing alone and never shipped.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="$(cd "$here/../.." && pwd)/.cache/vault"

command -v go >/dev/null || { echo "vaultserver: Go is needed and was not found. See https://go.dev/dl/." >&2; exit 1; }
mkdir -p "$cache"
if ! cmp -s "$here/go.sum" "$cache/built.sum"; then
	echo "vaultserver: building Vault, which takes some minutes the first time" >&2
	(cd "$here" && CGO_ENABLED=0 GOWORK=off go build -trimpath -ldflags='-s -w' -o "$cache/vault.new" github.com/hashicorp/vault) >&2
	mv "$cache/vault.new" "$cache/vault"
	cp "$here/go.sum" "$cache/built.sum"
fi
echo "$cache/vault"
