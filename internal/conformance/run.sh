#!/usr/bin/env bash
# Runs the official conformance suite against one process of ./everything, for both of its requirement sets, and real
# clients against the quickstart. What it needs of npm it installs into .cache/conformance; it leaves nothing running.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
cache="$root/.cache/conformance"

node="$("$here/install.sh")"
mkdir -p "$cache/clients"
cp "$here"/clients/*.mjs "$cache/clients/"

work="$(mktemp -d)"
pids=()
finish() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
	rm -rf "$work"
}
trap finish EXIT

(cd "$root" && go build -o "$work/everything" ./internal/conformance/everything && go build -o "$work/quickstart" ./examples/quickstart && go build -o "$work/safetool" ./cmd/safetool)

# listening NAME COMMAND... starts a server and puts its URL into $url.
listening() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 &
	pids+=($!)
	for _ in $(seq 100); do
		url="$(grep -om1 'http://[0-9.:]*/mcp' "$work/$name.log" || true)"
		[ -n "$url" ] && return
		sleep 0.1
	done
	cat "$work/$name.log" >&2
	return 1
}

failed=0
report() { printf '%-44s %s\n' "$1" "$2"; }

listening everything "$work/everything" -http 127.0.0.1:0
for set in 2025-11-25 2026-07-28; do
	log="$work/suite-$set.log"
	if (cd "$work" && "$node" "$cache/node_modules/@modelcontextprotocol/conformance/dist/index.js" server --url "$url" --requirements "$set") >"$log" 2>&1; then
		report "suite $set" "every required scenario passes ($(grep -m1 '^Total' "$log" | sed 's/Total: //'))"
	else
		report "suite $set" "FAILED"
		grep '✗' "$log" || tail -20 "$log"
		failed=1
	fi
done

# client SCRIPT WHAT OPTIONS
client() {
	if "$node" "$cache/clients/$1.mjs" "$3" >"$work/client.log" 2>&1; then
		report "$1 over $2" "passes"
	else
		report "$1 over $2" "FAILED"
		cat "$work/client.log"
		failed=1
	fi
}
for each in client2 sdk1 inspector; do
	client "$each" stdio "{\"command\":\"$work/quickstart\",\"args\":[\"-home\",\"$work/home-$each\"]}"
done
listening quickstart "$work/quickstart" -home "$work/home" -http 127.0.0.1:0
for each in client2 sdk1 inspector; do
	client "$each" "HTTP, anonymous" "{\"url\":\"$url\"}"
done
token="$("$work/safetool" keys create --file "$work/keys.json" --name tester 2>/dev/null)"
listening keyed "$work/quickstart" -home "$work/home-keyed" -http 127.0.0.1:0 -keys "$work/keys.json"
for each in client2 sdk1 inspector; do
	client "$each" "HTTP, with a key and without" "{\"url\":\"$url\",\"token\":\"$token\"}"
done
exit "$failed"
