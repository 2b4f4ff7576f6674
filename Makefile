# The verbs of this project; CI calls the same ones. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
PORT ?= 7071
HOST ?= dev
TESTS ?= tests
# Most of a test's time is waiting: more processes than cores.
PROCESSES ?= 3

# A Python 3.13: on the PATH, in pyenv, or through uv.
define find_python
for candidate in python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13*/bin/python python3 python; do \
  if command -v "$$candidate" >/dev/null 2>&1 && "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then \
    echo "$$candidate"; exit 0; fi; done; \
if command -v uv >/dev/null 2>&1; then uv python find 3.13 2>/dev/null || { uv python install -q 3.13 && uv python find 3.13; } && exit 0; fi; \
echo "No Python 3.13 found: not on the PATH, not in pyenv, and there is no uv. Install one, for example: pyenv install 3.13" >&2; exit 1
endef

##@ Everyday
.PHONY: help
help: ## List the verbs
	@awk 'BEGIN {FS = ":.*## "; print "make VERB\n"} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(READY) ## Serve the app on this machine, with a simulated Azure OpenAI unless local.settings.json exists (PORT=7071, HOST=func for Core Tools)
	@exec $(PYTHON) -m dev.run --port $(PORT) --host $(HOST)

.PHONY: venv
venv: $(READY) ## Make .venv, which the other verbs make too, for tools that need it activated

.PHONY: test
test: $(READY) ## Install what the tests need and run them (TESTS=tests/test_sse.py for some)
	@$(PYTHON) -m pytest -n $(PROCESSES) --dist loadfile $(TESTS)

.PHONY: storm
storm: $(READY) ## Thousands of streams, faults and leaving clients at random (SEED=1 replays, STREAMS=5000)
	@$(PYTHON) -m tests.storm --streams $(or $(STREAMS),5000) $(if $(SEED),--seed $(SEED))

.PHONY: check
check: $(READY) ## Format, lint, types, imports
	@$(VENV)/bin/ruff format --check -q .
	@$(VENV)/bin/ruff check -q .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

.PHONY: fix
fix: $(READY) ## Mend what can be mended by itself
	@$(VENV)/bin/ruff check -q --fix .
	@$(VENV)/bin/ruff format -q .

.PHONY: caller-key
caller-key: $(READY) ## Make a key for AUTH_MODE=keys (NAME=who)
	@$(PYTHON) -m dev.caller_key "$(NAME)"

.PHONY: clean
clean: ## Remove what the other verbs made
	@rm -rf $(VENV) .venv-* .mypy_cache .ruff_cache .import_linter_cache .hypothesis artifacts

$(READY): requirements.txt requirements-dev.txt
	@python=$$($(find_python)); \
	if ! { [ -x $(PYTHON) ] && $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))'; }; then \
	  echo "Making $(VENV) with $$python" >&2; rm -rf $(VENV); "$$python" -m venv $(VENV); fi
	@$(PYTHON) -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $(READY)

-include infra.mk bench.mk
