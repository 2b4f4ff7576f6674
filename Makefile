# The verbs of this project; CI calls the same ones. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

ifeq ($(OS),Windows_NT)
$(error This project needs Linux, macOS or WSL 2. In PowerShell: wsl --install, then clone and make run there; or open the dev container)
endif

VENV := .venv
PYTHON := $(VENV)/bin/python
# Each verb installs what it needs itself: to serve the app, with all its features too, to see its telemetry, to chat, to check it,
# to test it.
RUN_READY := $(VENV)/.ready-run
APP_READY := $(VENV)/.ready-app
COLLECTOR_READY := $(VENV)/.ready-collector
CLIENT_READY := $(VENV)/.ready-client
CHECK_READY := $(VENV)/.ready-check
READY := $(VENV)/.ready
# Of the command line alone: some shells export a HOST of their own.
PORT = 7071
HOST = dev
TESTS ?= tests
# Most of a test's time is waiting: more processes than cores.
PROCESSES ?= 8
PYTEST = $(PYTHON) -m pytest -n $(PROCESSES) --dist loadscope --no-loadscope-reorder --rerun-show-tracebacks --durations=10

# A Python 3.13: on the PATH, in pyenv, or through uv.
define find_python
for candidate in python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13*/bin/python python3 python; do \
  if command -v "$$candidate" >/dev/null 2>&1 && "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then \
    echo "$$candidate"; exit 0; fi; done; \
for uv in uv "$$HOME/.local/bin/uv"; do if command -v "$$uv" >/dev/null 2>&1; then \
  "$$uv" python find 3.13 2>/dev/null && exit 0; \
  if said=$$("$$uv" python install -q 3.13 2>&1); then "$$uv" python find 3.13 && exit 0; fi; \
  echo "No Python 3.13 found on the PATH or in pyenv, and uv could not install it: $$said" >&2; exit 1; fi; done; \
echo "No Python 3.13 found: not on the PATH, not in pyenv, and there is no uv, which would fetch it. To install uv: curl -LsSf https://astral.sh/uv/install.sh | sh; then repeat this command." >&2; exit 1
endef

# $(call install,ENVIRONMENT,DURATION): makes the environment or repairs it, and installs the requirements that the rule names.
define install
@python=$$($(find_python)) && "$$python" dev/environment.py $(1) $< "$(2)"
@touch $@
endef

##@ Everyday
.PHONY: help
help: ## List the verbs
	@awk 'BEGIN {FS = ":.*## "; print "make VERB\n"} /^[a-z-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(RUN_READY) $(if $(TELEMETRY),$(COLLECTOR_READY)) ## Serve the app on this machine, with a simulated model or your own (MODEL_URL=http://localhost:11434/v1 MODEL=llama3.2, AZD=1; PORT=7071, KEYS=1, HOST=func, TELEMETRY=1)
	@for group in $$($(PYTHON) -m dev.features); do $(MAKE) $(VENV)/.ready-$$group; done
	@exec $(PYTHON) -m dev.run --port $(PORT) --host $(HOST) $(if $(AZD),--azd) $(if $(KEYS),--keys) $(if $(TELEMETRY),--telemetry)

.PHONY: simulator
simulator: $(RUN_READY) ## Serve the simulated Azure OpenAI alone, where local.settings.json.example names it: for `func start`
	@exec $(PYTHON) -m dev.simulator --human --open

.PHONY: client
client: $(CLIENT_READY) ## Chat in this terminal (ASK="one question" instead; the service in STREAM_URL, its key in STREAM_KEY)
	@exec $(PYTHON) -m client $(if $(ASK),"$$ASK")

.PHONY: venv
venv: $(RUN_READY) $(APP_READY) ## Make .venv with all that the app has in Azure, for tools that need it activated

# Every process of a test would compile all that it imports, were this set.
test test-page test-slow: export PYTHONDONTWRITEBYTECODE :=

# Measuring coverage takes longer, so CI asks for it.
.PHONY: test
test: $(READY) $(CHECK_READY) ## Install what the tests need and run all but the slow ones and those in a browser (TESTS=tests/test_sse.py for some, COVERAGE=1)
	@$(PYTEST) $(if $(filter tests,$(TESTS)),-m "not slow and not browser" $(if $(COVERAGE),--cov --cov-report=term)) $(TESTS)

# Each process starts a browser.
test-page: PROCESSES := 3
.PHONY: test-page
test-page: $(READY) ## Run the page's tests in Chromium
	@$(PYTEST) -m "browser and not slow" tests/page

.PHONY: test-slow
test-slow: $(READY) ## Run the slow tests: memory, benchmarks, storms, a worker's third death
	@$(PYTEST) -m "slow" tests

.PHONY: storm
storm: $(RUN_READY) $(COLLECTOR_READY) ## Thousands of streams, faults and leaving clients at random (SEED=1 replays, STREAMS=5000, WORDS=100 for longer ones; TELEMETRY=1, RESUME=1: cut ones go on)
	@$(PYTHON) -m $(if $(RESUME),tests.resume_storm --streams $(or $(STREAMS),10000),tests.storm --streams $(or $(STREAMS),5000) $(if $(WORDS),--words $(WORDS)) $(if $(TELEMETRY),--telemetry)) $(if $(SEED),--seed $(SEED))

.PHONY: storm-limits
storm-limits: $(READY) ## Callers who all ask at once, of four processes over one table: nobody may pass its limit (RUNS=10)
	@$(PYTHON) -m tests.limits.storm --runs $(or $(RUNS),10)

.PHONY: soak
soak: $(RUN_READY) $(COLLECTOR_READY) ## The same for MINUTES=15, with memory, sockets and tasks printed as it goes on
	@$(PYTHON) -m tests.storm --minutes $(or $(MINUTES),15) $(if $(SEED),--seed $(SEED))

.PHONY: fuzz
fuzz: $(RUN_READY) $(APP_READY) ## Hostile requests, upstreams, identity replies and settings (CASES=20000, SEED=1, MINUTES=60; REPLAY=file for what was found)
	@$(PYTHON) -m tests.fuzz --cases $(or $(CASES),20000) --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED)) $(if $(REPLAY),--replay $(REPLAY))

.PHONY: check
check: $(CHECK_READY) ## Format, lint, spelling, types, imports
	@$(MAKE) -j 3 lint types imports

# The parts of `check`, side by side: each uses one core.
.PHONY: lint types imports
lint:
	@$(VENV)/bin/ruff format --check -q .
	@$(VENV)/bin/ruff check -q .
	@git ls-files -z | xargs -0 $(VENV)/bin/codespell
types:
	@$(VENV)/bin/mypy
imports:
	@$(VENV)/bin/lint-imports --no-logo

.PHONY: fix
fix: $(CHECK_READY) ## Format, and fix what the linter can fix
	@$(VENV)/bin/ruff check -q --fix .
	@$(VENV)/bin/ruff format -q .

.PHONY: caller-key
caller-key: $(RUN_READY) ## Make a key for AUTH_MODE=keys (NAME=who)
	@$(PYTHON) -m dev.caller_key "$(NAME)"

.PHONY: index
index: $(READY) ## Fill a search index from a folder of Markdown and PDF files (DOCS=~/handbook, SEARCH_ENDPOINT=https://..., SEARCH_INDEX=docs, BASE_URL=..., EMBEDDING=...)
	@SEARCH_ENDPOINT="$(SEARCH_ENDPOINT)" SEARCH_INDEX="$(SEARCH_INDEX)" BASE_URL="$(BASE_URL)" EMBEDDING="$(EMBEDDING)" $(PYTHON) -m dev.index "$(DOCS)"

.PHONY: reference
reference: $(READY) ## Write docs/reference.md from the settings and error codes in the code
	@$(PYTHON) -m dev.reference

.PHONY: clean
clean: ## Remove what the other verbs made
	@rm -rf $(VENV) .venv-* .mypy_cache .ruff_cache .import_linter_cache .hypothesis artifacts

$(RUN_READY) $(CHECK_READY): $(VENV)/.ready-%: dev/requirements-%.txt
	$(call install,$(VENV),half a minute)

$(APP_READY): requirements.txt
	$(call install,$(VENV),some seconds)

$(CLIENT_READY): client/requirements.txt
	$(call install,$(VENV),some seconds)

$(COLLECTOR_READY): dev/requirements-collector.txt
	$(call install,$(VENV),some seconds)

$(READY): dev/requirements-test.txt
	$(call install,$(VENV),a minute or two)

-include infra.mk bench.mk upkeep.mk clients.mk
