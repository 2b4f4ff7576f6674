##@ Speed
PEERS := .venv-peers
BENCH ?=
SUBJECT ?= relay

.PHONY: bench
bench: $(RUN_READY) ## Measure the speed next to the alternatives, and renew docs/performance.md (BENCH="--quick", PROFILE=1 SUBJECT=relay)
ifdef PROFILE
	@$(PYTHON) -m bench.profile $(SUBJECT) $(BENCH)
else
	@$(PYTHON) -m bench $(BENCH)
endif

.PHONY: bench-peers
bench-peers: $(RUN_READY) $(PEERS)/.ready ## The same, with LiteLLM's proxy (installed into a venv of its own)
	@$(PYTHON) -m bench --peers $(BENCH)

$(PEERS)/.ready: bench/requirements-peers.txt
	$(call install,$(@D),a minute or two)
