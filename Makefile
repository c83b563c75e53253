# Everything a developer runs. `make help` lists it.

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
ACTIONLINT  := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# The demo: make demo CLIENT_ID=… APP_URL=… [GITHUB_URL=…] uses a real App.
HUB        ?= hub6
CLIENT_ID  ?=
APP_URL    ?=
GITHUB_URL ?=
DEMO_FLAGS := -hub $(HUB) \
	$(if $(CLIENT_ID),-client-id '$(CLIENT_ID)') \
	$(if $(APP_URL),-app-url '$(APP_URL)') \
	$(if $(GITHUB_URL),-github-url '$(GITHUB_URL)')

# Packages whose tests start a real JupyterHub, Jupyter Server or Chromium; of
# these, those that take their time are left to test-long.
SLOW   := /(internal/hubtest|test)(/|$$)
CHAOS  := ./test/crash ./test/replicas
DEPLOY := ./test/action ./test/helm ./test/image ./test/images
LONG   := /test/(action|attack|crash|replicas|helm|image|images|bench)$$
# Tests of which -short tries a part of the cases, and where they are, besides those
# of internal/deliver.
SWEEPS := TestClaimEndsWithItsStep|TestClaimsOfAThousandOpenFlowsAreHandedOver|TestStartEachLineOfJupyterHub|TestJupyterServerRunsInTheHomeItIsGiven|TestDeliveryAndRemovalOnEveryServer|TestDeliveryNamesAnErrorAndLeavesNothingBehind|TestDeliverySucceedsAfterAKillAtEachStep|TestDoctorWhereAllIsWell|TestJourneyOnOlderLinesOfJupyterHub|TestDeliveryToNamesOfEveryKind|TestInterruptAtEachPoint|TestScripts|TestDoctorOnEachLineOfJupyterHub|TestBotCommit
SWEPT  := ./internal/flow ./internal/hubtest ./test/bots ./test/deliver ./test/doctor ./test/e2e ./test/ghscoped

.PHONY: help build demo demo-check test lint vuln test-unit test-action test-race test-slow test-long test-sweeps test-attack test-chaos test-deploy fuzz bench mutate man python labextension test-python pages lab-pictures rig clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the programs, into bin/
	@echo "Building the programs; the first time takes a minute or two ..." >&2
	@began=$$(date +%s); CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/... ./demo && \
		echo "  done in $$(($$(date +%s) - began)) s" >&2

demo: build ## a JupyterHub with the service and a simulated GitHub; Ctrl-C ends it
	@demo/install.sh $(HUB) proxy
	@bin/demo $(DEMO_FLAGS)

demo-check: build ## the demo's whole journey, unattended
	@demo/install.sh $(HUB) proxy chromium
	@bin/demo -check -hub $(HUB)

test: rig lint test-unit test-action test-python test-slow ## the tests

lint: ## go vet, staticcheck, gofmt, actionlint, shellcheck
	$(GO) vet ./...
	$(GO) vet -tags man ./cmd/...
	$(GO) run $(STATICCHECK) ./...
	$(GO) run $(ACTIONLINT)
	shellcheck demo/install.sh internal/deliver/helper.sh python/build.sh python/labextension/build.sh release/chart.sh release/notes.sh
	cat $(addprefix internal/deliver/script/,base.sh home.sh gh.sh gitconfig.sh main.sh) | shellcheck -s sh -e SC2154 -
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
		if [ -n "$$unformatted" ]; then echo "run gofmt on: $$unformatted"; exit 1; fi

vuln: ## known vulnerabilities in what the programs call; asks vuln.go.dev, and so is none of the tests
	$(GO) run $(GOVULNCHECK) ./...

test-unit: ## the tests that need nothing but Go, git, git-lfs, busybox and redis-server
	$(GO) test -short -skip '^TestValkey' $$($(GO) list ./... | grep -v -E '$(SLOW)')

test-action: ## the tests of the action for GitHub Actions that need nothing but Node and git
	@node --test action/test/*.test.mjs

test-race: rig ## the same, and those with Valkey, with the race detector
	PATH="$(CURDIR)/.demo/bin:$$PATH" $(GO) test -race -short $$($(GO) list ./... | grep -v -E '$(SLOW)')

test-slow: rig build labextension ## the tests with real JupyterHubs, Jupyter Servers and Chromium
	$(GO) test -short -count=1 -p 2 -timeout 15m $$($(GO) list ./... | grep -E '$(SLOW)' | grep -v -E '$(LONG)')

test-long: fuzz test-race test-sweeps test-attack test-chaos test-deploy ## what CI runs besides: fuzzing, races, sweeps, attacks, kills, replicas, chart, image

test-sweeps: rig build ## all cases of the tests that try some with -short: each shell, each line of JupyterHub, each step, 1,000 users
	$(GO) test -count=1 -timeout 20m ./internal/deliver
	$(GO) test -count=1 -p 2 -timeout 20m -run '^($(SWEEPS))$$' $(SWEPT)

test-attack: rig ## the attacks that once got through, on real JupyterHubs, servers and Chromium
	$(GO) test -v -count=1 -timeout 30m ./test/attack

test-chaos: rig ## the service killed at every point; two replicas on one Redis for two minutes
	$(GO) test -v -count=1 -p 1 -timeout 20m $(CHAOS)

test-deploy: rig ## the action in a workflow, the chart on a real kube-apiserver (built once, 10 minutes), the image, the ways into servers
	@demo/install.sh act helm cluster buildah wheel qemu
	$(GO) test -count=1 -p 1 -timeout 20m $(DEPLOY)

# By number, not by time: where the time ends while an input is tried, Go 1.26
# calls that a failure (golang/go#75804).
fuzz: ## half a million inputs, about a minute of Go's fuzzing, for each file that others write; fewer identity tokens
	$(GO) test -run '^$$' -fuzz '^FuzzPolicy$$' -fuzztime 500000x -fuzzminimizetime 20x ./internal/bot
	$(GO) test -run '^$$' -fuzz '^FuzzRepositoryFile$$' -fuzztime 500000x -fuzzminimizetime 20x ./internal/bot
	$(GO) test -run '^$$' -fuzz '^FuzzVerify$$' -fuzztime 100000x -fuzzminimizetime 20x ./internal/workload

bench: rig build ## the benchmarks, on the real thing
	@demo/install.sh rivals
	$(GO) test -run '^$$' -bench . -benchtime 1x -count=1 -p 1 -timeout 30m $$($(GO) list ./... | grep -E '$(SLOW)')

mutate: ## switches guards off one by one; each has to fail a test, or has its reason in test/mutate/survivors.txt
	nice $(GO) run ./test/mutate $(ONLY)

man: ## the manual pages, into dist/man
	@mkdir -p dist/man
	$(GO) run -tags man ./cmd/ghscoped dist/man
	$(GO) run -tags man ./cmd/ghscoped-service dist/man

python: ## the Python package, one wheel a platform, into dist/
	@python/build.sh

labextension: python/labextension/dist/package.json ## the JupyterLab extension in it, into python/labextension/dist

python/labextension/dist/package.json: $(addprefix python/labextension/,build.sh package-lock.json package.json tsconfig.json) $(wildcard python/labextension/src/* python/labextension/style/*)
	@demo/install.sh labextension
	@python/labextension/build.sh

test-python: rig ## its tests
	@PYTHONPATH=python/src .demo/hub6/bin/python -m unittest discover -s python/tests
	@cd python/labextension && npm run --silent lint && npm test --silent

pages: ## a picture of every state of the page, into docs/pages/
	@demo/install.sh chromium
	$(GO) run ./test/pages

lab-pictures: rig labextension ## a picture of every state in JupyterLab, and the film of the README, into docs/lab/
	$(GO) test -count=1 -timeout 15m -run '^(TestPictures|TestFilm)$$' ./test/lab -pictures

rig: ## what the tests run against, into .demo/
	@demo/install.sh hub6 hub5 hub4 labgit proxy valkey wheel labextension axe system

clean: ## removes what was built and installed here
	rm -rf bin dist .demo
