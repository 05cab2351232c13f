# The commands of this repository. "make help" lists them.
# Needs Go and, for the race detector, a C compiler; everything else is built from pinned sources.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Flags added to go test, for example TESTFLAGS=-v or TESTFLAGS='-run Secret'.
TESTFLAGS ?=
# How long each fuzz target runs.
FUZZTIME ?= 30s

# Flags of make faults, for example FAULTFLAGS='-runs 3 -run null'.
FAULTFLAGS ?=

# The data that nobody on this project wrote, for tests to read. Tests that want it say so when it is missing.
ifdef SAFEMCP_CORPORA
export SAFEMCP_CORPORA
endif

# The root module and every nested one that holds code; tools/ and internal/vaultserver/ hold versions only.
MODULES := . $(patsubst ./%/go.mod,%,$(shell find . -mindepth 2 -name go.mod -not -path './tools/*' -not -path './internal/vaultserver/*' -not -path '*/testdata/*' -not -path '*/.*' | sort))
TOOL := go tool -modfile=$(CURDIR)/tools/go.mod

.PHONY: help
help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS=$$'\t' read -r name what; do printf 'make %-11s %s\n' "$$name" "$$what"; done

.PHONY: vault
vault: ## build the Vault that the tests run, which takes some minutes the first time
	@./internal/vaultserver/build.sh >/dev/null

.PHONY: test
test: vault ## vet, then every test of every module, with the race detector
	@for m in $(MODULES); do ( cd $$m; go vet ./...; go test -race -timeout 30m $(TESTFLAGS) ./... ); done
	@go test -timeout 30m $(TESTFLAGS) -run '^TestAgreement' ./validate # millions of documents, which one goroutine each judges

.PHONY: lint
lint: lint-code lint-systems lint-vulnerabilities ## vet, linters, compiling for Linux, macOS and Windows, known vulnerabilities

.PHONY: lint-code
lint-code:
	@for m in $(MODULES); do ( cd $$m; go vet ./...; $(TOOL) golangci-lint run --config $(CURDIR)/.golangci.yml ./... ); done

# Vet type-checks the tests too, which build leaves out.
.PHONY: lint-systems
lint-systems:
	@for m in $(MODULES); do for system in linux darwin windows; do ( cd $$m; export GOOS=$$system CGO_ENABLED=0; \
		echo "compiling $$m for $$system"; go build -o /dev/null ./...; go vet ./... ); done; done

# A vulnerability that is found fails (govulncheck's exit code 3), and so does any other fault of the tool; a
# database that cannot be reached is said in one line.
.PHONY: lint-vulnerabilities
lint-vulnerabilities:
	@for m in $(MODULES); do ( cd $$m; rc=0; out=$$($(TOOL) govulncheck ./... 2>&1) || rc=$$?; \
		if [ $$rc -eq 0 ]; then echo "govulncheck: no known vulnerabilities are reachable from $$m"; \
		elif [ $$rc -ne 3 ] && grep -qE 'fetching vulnerabilities|vulnerability database' <<<"$$out"; then \
			echo "govulncheck: its database cannot be reached from here, so $$m was not checked for known vulnerabilities"; \
		else echo "$$out"; exit $$rc; fi ); done

.PHONY: conformance
conformance: ## the official conformance suite and real clients; needs npm
	@./internal/conformance/run.sh

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (30s) each
	@{ grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . || true; } | sed -E 's#/[^/]*:func # #' | sort -u | \
	while read -r dir target; do echo "$$target in $$dir"; ( cd $$dir; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x . </dev/null ); done

.PHONY: faults
faults: ## plant each known fault in a copy of the tree, and time the fuzz target that finds it
	@go run ./internal/faults $(FAULTFLAGS)

.PHONY: bench
bench: ## measure this library beside the SDK on its own
	@cd bench && go run .

.PHONY: tour
tour: ## watch a real client call a guarded server
	@go run ./examples/tour
