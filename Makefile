# The only entry point: people and CI call these targets and nothing else.
#   make demo   burn down Pangyo on this machine and read what survived
#   make test   every test this machine can run, and the list of what it can't
SHELL      := /bin/bash
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS    := -s -w -X main.version=$(VERSION)
GOLANGCI   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
SUPERAPP   := experiments/datacenter-fire/superapp
FIRE       := experiments/datacenter-fire
NUMBERS    := experiments/stores/numbers
KINDS      := $(filter-out examples fault faulttest internal,$(notdir $(patsubst %/,%,$(wildcard plugins/*/))))
export CGO_ENABLED ?= 0
# One way to compile for all targets: what make build compiled serves tests and
# linters too.
export GOFLAGS ?= -trimpath

.PHONY: help setup build demo stores test test-vm overlap measure race lint bench crash-matrix soak repeat busy-host generate clean
help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

setup: ## install what is missing (says what)
	@.ci/setup

# grpcnotrace: 2 MB less for agent and guardian; nobody looks at gRPC traces.
build: ## bin/injector, bin/hostagent and the lab's servers in bin/lab
	@mkdir -p bin/lab
	@echo "building bin/injector and bin/hostagent ($(VERSION))"
	@go build -trimpath -tags grpcnotrace -ldflags '$(LDFLAGS)' -o bin/ ./injector ./hostagent
	@echo "building the lab's servers: nats-server, etcd, superapp (first time: about 3 minutes)"
	@go -C $(SUPERAPP) build -trimpath -ldflags '-s -w' -o $(CURDIR)/bin/lab/ . github.com/nats-io/nats-server/v2
	@go -C $(SUPERAPP) build -trimpath -ldflags '-s -w' -o $(CURDIR)/bin/lab/etcd go.etcd.io/etcd/server/v3

demo: setup build ## the data-centre fire in every layout (FAST=1: only the one that held)
	@bin/injector run $(FIRE) --lab --as-predicted $(if $(FAST),--layout stretched,)

stores: setup build bin/stores ## what a power cut takes from Redis and PostgreSQL, by how they sync; and a kill
	@bin/injector run experiments/stores --lab --as-predicted --services bin/stores
	@bin/injector run experiments/stores/kill.yaml --lab --as-predicted --services bin/stores

.PHONY: bin/stores
bin/stores:
	@.ci/stores
	@mkdir -p $@ && ln -f bin/lab/superapp $@/ && go -C $(NUMBERS) build -ldflags '-s -w' -o $(CURDIR)/$@/ .

# Most packages wait most of the time, so three run beside each other, the longest
# first, and the labs' own programs beside them; each knows what on the machine is
# its own (internal/digest/digesttest). Those that measure the machine itself
# (rates, shares, latencies, what reached a disk) come after them, one at a time, and
# so does a lab that fills it. All is compiled first, lest that be in the way.
MEASURING := /plugins/(bandwidth|cpu|delay|io|powerloss)$$
FILLING   := ^TestStores$$
TEST      := go test -json -timeout 15m
test: setup build bin/stores ## every test this machine can run
	@.ci/setup --test
	@go list -test -export ./... >/dev/null
	@set -o pipefail; { code=0; \
	{ go -C $(SUPERAPP) test -json -timeout 5m ./... && go -C $(NUMBERS) test -json ./...; } >bin/programs.json & \
	$(TEST) -p 3 -skip '$(FILLING)' ./internal/e2e $$(go list ./... | grep -vE '$(MEASURING)|/internal/e2e$$') || code=1; \
	wait $$! || code=1; cat bin/programs.json; \
	$(TEST) -p 1 $$(go list ./... | grep -E '$(MEASURING)') || code=1; \
	$(TEST) -run '$(FILLING)' ./internal/e2e || code=1; \
	exit $$code; } | go run ./internal/need/notrun

# What is tried on a typical host, booted for it: a stock kernel, cgroup v2
# alone, no KVM; machines without systemd and with it. See docs/vm-tests.md.
in_plugins = $(addprefix ./plugins/,$(1))
VM_ALONE := $(call in_plugins,partition memory delay internal/bpf internal/group) ./internal/cgroup
VM_CPU   := ./plugins/cpu
VM_HOST  := ./internal/lab ./plugins/internal/container
VM_STOPS := ./plugins/service
VM_UNITS := $(call in_plugins,internal/group cpu io kill memory pause pids)
VM_TEST := go test -json -count 1 -timeout 8m -exec $(CURDIR)/bin/vmrun
VM_IN   := bin/vmrun for $(MAKE) --no-print-directory
# Test binaries that the machines have on a disk.
test-vm: export VMRUN_JOB := $(CURDIR)/bin/vm-tests
test-vm: build ## the tests that need a typical host, in a virtual machine
	@.ci/setup --vm && .ci/vm-image
	@go build -o bin/ ./internal/vmtest/vmrun
	@[ -e bin/vm/stamp ] || exit 0; rm -rf $(VMRUN_JOB) && \
	go test -c -ldflags '-s -w' -o $(VMRUN_JOB)/ $(sort $(VM_ALONE) $(VM_CPU) $(VM_HOST) $(VM_STOPS) $(VM_UNITS)) || exit; \
	set -o pipefail; { code=0; \
	$(VM_IN) vm-alone || code=1; \
	VMRUN_SYSTEMD=1 $(VM_IN) vm-systemd || code=1; \
	VMRUN_RESETS=1 nice -n 19 $(VM_TEST) -run '^TestResetLosesTheSame$$' ./plugins/powerloss >bin/reset.json & \
	go test -json -count 1 -timeout 9m -tags vm -run '^TestRealHost$$' ./internal/e2e || code=1; \
	wait $$! || code=1; cat bin/reset.json; \
	exit $$code; } | go run ./internal/need/notrun

# Round after round: packages that wait most of the time beside each other, those that
# measure the machine, use the same units or list the whole host alone. Faults on the
# whole host, containers, and what is refused before the host is asked are not another
# thing without systemd, and a second knob of the same files goes through its effect
# tests but not the suite once more; of delay it is netem that other kernels lack, and
# what it does to a stream make measure shows. What has a slash comes last: go test stops
# at the first pattern of which a name is the beginning.
VM_ROUND := .ci/vm-round
.PHONY: vm-alone vm-systemd
vm-alone: PICK := -test.skip 'OfRefusals|OfCpuset|OfLimit|Systemd|Burn|Fill|Reserve|Pressure|Victim|Container|Latency|Longer|Jitter|Stream|Relay|^TestConformance$$/(a_port|one_peer)|Conformance/hostile'
vm-alone: # in a machine that has been booted
	@code=0; $(VM_ROUND) 3 $(VM_ALONE) -- $(PICK) || code=1; \
	$(VM_ROUND) 1 $(VM_CPU) -- $(PICK) || code=1; exit $$code
vm-systemd:
	@code=0; $(VM_ROUND) 2 $(VM_HOST) -- -test.run '^(TestHostIsItsOwn|TestAgents|TestServices|TestOnAfterLeftovers|TestOwnerGone|TestNamespace|TestDocker)$$' || code=1; \
	$(VM_ROUND) 1 $(VM_STOPS) -- -test.run '^TestConformanceOnSystemd$$' || code=1; \
	$(VM_ROUND) 1 $(VM_STOPS) -- -test.run Systemd -test.skip Conformance & \
	$(VM_ROUND) 1 $(VM_UNITS) -- -test.run Systemd || code=1; wait $$! || code=1; exit $$code

# Tests that measure a dose (faulttest.Measured) have one of these in their name.
DOSES       := Accurate|Hold|CutIsWhole|KillsAllOfAGroup|DownAndBack|AllAreReset|Modes|ShiftsAndPutsBack|CutLosesWhatWasNotSynced
measure: setup build ## the dose of every fault by meters, here and on a typical host; writes docs/results/faults.json and docs/faults.md
	@.ci/setup --vm && .ci/vm-image
	@go build -o bin/ ./internal/resultpage ./internal/vmtest/vmrun
	@set -o pipefail; { code=0; \
	go test -json -count 1 -timeout 15m -p 1 -run '$(DOSES)' $(addprefix ./plugins/,$(KINDS)) || code=1; \
	[ ! -e bin/vm/stamp ] || bin/vmrun for $(VM_TEST) -p 1 -run '$(DOSES)' $(addprefix ./plugins/,$(filter-out powerloss service,$(KINDS))) || code=1; \
	[ ! -e bin/vm/stamp ] || VMRUN_SYSTEMD=1 bin/vmrun for $(VM_TEST) -p 1 -run '^TestStopHoldsOnSystemd$$' ./plugins/service || code=1; \
	exit $$code; } | bin/resultpage -commit $(VERSION) -o docs/results/faults.json faults
	@go test ./docs/example -run TestFaultPages -update

CHECKS ?= 300
overlap: setup build ## CHECKS=n random overlaps of faults on a lab host, each of which must leave it as found
	go test -count 1 -v -timeout 0 -run AnyOverlap ./plugins/internal/overlap -rapid.checks $(CHECKS)

race: setup ## the pure packages under the race detector (needs gcc)
	CGO_ENABLED=1 go test -race ./experiments/... ./internal/inventory/... ./internal/journal/... ./internal/control/... ./injector/internal/... ./plugins/fault/...

lint: ## formatting, vet and build for amd64 and arm64, linters
	@test -z "$$(gofmt -l . | tee -a /dev/stderr)"
	@for module in $(SUPERAPP) $(NUMBERS); do go -C $$module vet ./... || exit 1; done
	@for arch in amd64 arm64; do echo "vetting and building for $$arch" && \
	GOARCH=$$arch go vet ./... && GOARCH=$$arch go build -o /dev/null ./injector && GOARCH=$$arch go build -o /dev/null ./hostagent || exit 1; done
	@go run $(GOLANGCI) run ./...
	@for module in $(SUPERAPP) $(NUMBERS); do (cd $$module && go run $(GOLANGCI) run --config $(CURDIR)/.golangci.yml ./...) || exit 1; done

bench: setup build ## figures beside what one would do by hand; writes docs/results/bench.md
	@.ci/setup --bench
	@go build -o bin/ ./internal/resultpage
	@set -o pipefail; { \
	go test -run '^$$' -bench . -benchtime 300x ./plugins/fault && \
	go test -run '^$$' -bench 'Partition|Packet' -benchtime 10x ./plugins/partition && \
	go test -run '^$$' -bench . -benchtime 20x ./plugins/powerloss && \
	go test -run '^$$' -bench '^BenchmarkFault$$' -benchtime 20x -p 1 ./plugins/... && \
	go test -run '^$$' -bench . -benchtime 30x ./hostagent && \
	go test -run '^$$' -bench . -benchtime 3x ./internal/lab && \
	go test -run '^$$' -bench . -benchtime 1x ./internal/e2e; \
	} | bin/resultpage -commit $(VERSION) -o docs/results/bench.md bench

CRASHES := EachStep|BesideLiveAgent|Killed|Stopped|Interrupt|Deaths
crash-matrix: setup build ## kill everything at every step; writes docs/results/crash-matrix.md
	@go build -o bin/ ./internal/resultpage
	@set -o pipefail; go test -json -count 1 -p 1 -run '$(CRASHES)' ./hostagent ./internal/e2e \
	| bin/resultpage -commit $(VERSION) -o docs/results/crash-matrix.md crash-matrix

ROUNDS ?= 40
soak: setup build ## ROUNDS=n whole runs, each looked over for what it left; writes docs/results/soak.md
	@go build -o bin/ ./internal/resultpage
	@set -o pipefail; go test -json -tags soak -timeout 0 -run '^TestSoak$$' ./internal/e2e -rounds $(ROUNDS) \
	| bin/resultpage -commit $(VERSION) -o docs/results/soak.md soak

RUNS ?= 10
repeat: setup build ## RUNS=n fires in a row, the store's leader in and outside Pangyo in turn; writes docs/results/ten-runs.md
	@go build -o bin/ ./internal/resultpage
	@rm -rf bin/repeat
	@for n in $$(seq $(RUNS)); do \
	  leader=p4; [ $$((n % 2)) = 1 ] || leader=a1; \
	  echo "run $$n of $(RUNS), leader $$leader"; \
	  bin/injector run $(FIRE) --lab --as-predicted --plain --var leader=$$leader --out bin/repeat; \
	  code=$$?; [ $$code -le 1 ] || exit $$code; \
	done
	@bin/resultpage -o docs/results/ten-runs.md repeat bin/repeat

busy-host: setup build ## the fire with a loop on all CPUs in one lab host; writes docs/results/busy-host.md
	@go build -o bin/ ./internal/resultpage
	@rm -rf bin/busy
	@go test -v -count 1 -tags soak -run '^TestFireWithBusyHost$$' ./internal/e2e -keep $(CURDIR)/bin/busy
	@bin/resultpage -o docs/results/busy-host.md busy-host bin/busy

generate: build ## everything that is generated and committed
	@for kind in $(KINDS); do echo "describing $$kind" && bin/hostagent plugin $$kind --describe > bin/describe.json && mv bin/describe.json plugins/$$kind/ || exit 1; done
	@go run ./docs/example/mtu/alone --describe > bin/describe.json && mv bin/describe.json docs/example/mtu/
	go generate ./plugins/... ./experiments/... ./internal/... ./injector/... ./docs/...

clean:
	rm -rf bin
