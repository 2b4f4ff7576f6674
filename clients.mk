##@ Clients
CLIENTS := .venv-clients
CLIENT_GROUPS := libraries frameworks aider
# aider pins a numpy that has no wheel for anything newer.
client_python = $(if $(filter aider,$(1)),3.12,3.13)

.PHONY: test-clients
test-clients: $(READY) $(CLIENT_GROUPS:%=$(CLIENTS)/%/.ready) ## Ask the clients and agents that people use everything, and write the table of docs/clients.md (CLIENT=Codex,opencode for some)
	@$(PYTHON) -m tests.matrix $(if $(CLIENT),--only "$(CLIENT)")

# Environments of their own: what the clients pin contradicts each other, and this app.
$(CLIENTS)/%/.ready: tests/matrix/requirements-%.txt $(UPKEEP)/.ready
	@echo "Installing $< into $(@D): about 500 MB" >&2
	@python=$$(for one in python$(call client_python,$*) "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$(call client_python,$*)*/bin/python; do \
	  "$$one" -c '' 2>/dev/null && echo "$$one" && break; done || true); \
	export UV_NO_CONFIG=1; $(UPKEEP)/bin/uv venv -q --clear --python "$${python:-$(call client_python,$*)}" $(@D); \
	$(UPKEEP)/bin/uv pip sync -q --require-hashes --python $(@D)/bin/python $<
	@touch $@

.PHONY: lock-clients
lock: lock-clients
lock-clients: $(UPKEEP)/.ready
	@$(foreach group,$(CLIENT_GROUPS),UV_NO_CONFIG=1 UV_PYTHON=$(UPKEEP)/bin/python $(UPKEEP)/bin/uv pip compile -q $(if $(UPGRADE),--upgrade) \
	  --universal --python-version $(call client_python,$(group)) --generate-hashes \
	  --output-file tests/matrix/requirements-$(group).txt tests/matrix/requirements-$(group).in &&) true
