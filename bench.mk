##@ Speed
PEERS := .venv-peers
BENCH ?=
SUBJECT ?= relay

.PHONY: bench
bench: $(RUN_READY) ## Benchmark against the alternatives and update docs/performance.md, then the next two (BENCH="--quick", PROFILE=1 SUBJECT=relay)
ifdef PROFILE
	@$(PYTHON) -m bench.profile $(SUBJECT) $(BENCH)
else
	@$(PYTHON) -m bench $(BENCH)
ifeq ($(BENCH),)
	@$(MAKE) bench-pauses bench-conversations
endif
endif

.PHONY: bench-pauses
bench-pauses: $(RUN_READY) ## How long the worst request bodies hold up another stream, and the memory they take
	@$(PYTHON) -m bench.pauses $(BENCH)

.PHONY: bench-conversations
bench-conversations: $(RUN_READY) ## Conversations over three accounts of which one fails now and then: none may break, the cache must stay warm
	@$(PYTHON) -m bench.conversations $(BENCH)

# It asks with the terminal client's httpx.
.PHONY: bench-retrieval
bench-retrieval: $(RUN_READY) $(CLIENT_READY) ## When the first step of a search shows, and what the app adds to search and model
	@$(PYTHON) -m bench.retrieval $(BENCH)

.PHONY: bench-limits
bench-limits: $(RUN_READY) ## What callers' limits cost an answer and a chunk while a lease is at hand
	@$(PYTHON) -m bench.limits $(BENCH)

.PHONY: bench-exporters
bench-exporters: $(RUN_READY) $(APP_READY) ## Whether answers wait for where their telemetry goes: working, dead, slow, refusing, answering garbage
	@$(PYTHON) -m bench.exporters $(BENCH)

.PHONY: bench-window
bench-window: $(RUN_READY) ## What WRITE_WINDOW_SECONDS saves with many streams, and what it does to the gaps between tokens
	@$(PYTHON) -m bench.window $(BENCH)

.PHONY: bench-peers
bench-peers: $(READY) $(PEERS)/.ready ## The benchmark, including LiteLLM's proxy (installed in a separate venv), then that under make storm-limits
	@$(PYTHON) -m bench --peers $(BENCH)
	@$(PYTHON) -m tests.limits.peer

$(PEERS)/.ready: bench/requirements-peers.txt
	$(call install,$(@D),a minute or two)
