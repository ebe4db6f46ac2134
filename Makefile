# Every target does its own set-up. Needed: Go (the version in go.mod, or a Go
# that can fetch it) and make; for `make check` also what it says.

GO     ?= go
ARGS   ?=
SEEDS  ?= 1-5000
INPUTS ?= 3000000
LIVES  ?= 100000
COMMIT := $(shell git rev-parse HEAD 2>/dev/null)
TOOL   := $(GO) tool -modfile=.ci/tools/go.mod

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/hdm
	@$(GO) build -ldflags "-X main.commit=$(COMMIT)" -o bin/hdm ./cmd/hdm

.PHONY: run
run: build ## run the conformance suite and print it clause by clause (ARGS="FILE --seed 7": anything else)
	@bin/hdm run $(ARGS)

.PHONY: test
test: ## run every test that is fast
	@$(GO) test -json ./... ./.ci/count | $(GO) run ./.ci/count

.PHONY: check
check: lint race fuzz cache crashes pairs explore ## everything: lint, tests with -race, independent readers and clients, fuzzing, power cuts, a long exploration

.PHONY: lint
lint: ## formatting, vet and golangci-lint
	@test -z "$$(gofmt -l .)" || { echo "gofmt these:"; gofmt -l .; exit 1; }
	@$(GO) vet -tags check ./... ./.ci/count
	@$(TOOL) golangci-lint run ./...

.PHONY: race
race: ## all tests with the race detector, and those with programs of other hands (see CONTRIBUTING.md)
	@$(GO) test -race -tags check -timeout 60m -json ./... ./.ci/count | $(GO) run ./.ci/count

# A new input is kept as it is: to shrink each would take a minute.
FUZZ = $(GO) test -run '^$$' -fuzztime $(INPUTS)x -fuzzminimizetime 1x -timeout 0 -fuzz

.PHONY: fuzz
fuzz: ## any bytes as messages, as frames of gateways, as calls to SQS, as saved inventories (INPUTS=3000000, each)
	@$(FUZZ) '^FuzzArrived$$' ./core/gateway
	@$(FUZZ) '^FuzzDecode$$' ./core/home
	@$(FUZZ) '^FuzzDecodeRequest$$' ./core/protocol
	@$(FUZZ) '^FuzzDecodeResponse$$' ./core/protocol
	@$(FUZZ) '^FuzzJSON$$' ./sim/sqs
	@$(FUZZ) '^FuzzQuery$$' ./sim/sqs
	@$(FUZZ) '^FuzzLoad$$' ./sim/inventory

.PHONY: crashes
crashes: ## cut the power under a database on a migrated VM, 1,000 times, at either site
	@$(GO) test -tags check -run Thousand -count 1 -v ./harness/sqlite

.PHONY: cache
cache: ## lives of a cache, with power cuts between any two operations, against a plain array (LIVES=100000)
	@$(GO) test ./core/cache -v -timeout 0 -run '^TestTheCacheHoldsWhatAPlainArrayHolds$$' -rapid.checks=$(LIVES)

.PHONY: explore
explore: build ## run scenarios that nobody wrote (SEEDS=1-5000)
	@bin/hdm explore --seeds $(SEEDS)

.PHONY: pairs
pairs: ## each fault at each step of each migration, each component and each two of them, each duration (ARGS="-shard 1/4 -done FILE": a part, and what is left)
	@$(GO) test -tags check -run '^TestFamilies$$' -count 1 -timeout 60m -v ./harness/family -args $(ARGS)

.PHONY: outcomes
outcomes: ## print docs/outcomes.md anew from the table of outcomes
	@PRINT_OUTCOMES=1 $(GO) test -run '^TestThePageIsPrintedFromTheTable$$' -count 1 ./harness/outcome

.PHONY: mutants
mutants: ## plant faults in the product, one at a time, and see each noticed (ARGS="-only flush")
	@$(GO) run ./harness/mutants/cmd $(ARGS)

.PHONY: mutants-matrix
mutants-matrix: ## run the whole suite with each of those faults; writes docs/mutants.md (hours, or ARGS=-brief; goes on where it stopped)
	@$(GO) run ./harness/mutants/cmd -matrix -product "commit $(COMMIT)" $(ARGS)

.PHONY: bench
bench: ## speed, as ratios within one run
	@$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./harness/bench

.PHONY: clean
clean: ## remove what the other targets leave
	@rm -rf bin out
