##@ Speed
PEERS := .venv-peers
BENCH ?=
SUBJECT ?= relay

.PHONY: bench
bench: $(READY) ## Measure the speed beside what one would pick instead, and renew docs/performance.md (BENCH="--quick", PROFILE=1 SUBJECT=relay)
ifdef PROFILE
	@$(PYTHON) -m bench.profile $(SUBJECT) $(BENCH)
else
	@$(PYTHON) -m bench $(BENCH)
endif

.PHONY: bench-peers
bench-peers: $(READY) $(PEERS)/.ready ## The same, beside LiteLLM's proxy too (installed into a venv of its own)
	@$(PYTHON) -m bench --peers $(BENCH)

$(PEERS)/.ready: bench/requirements-peers.txt
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install -q --disable-pip-version-check -r $<
	@touch $@
