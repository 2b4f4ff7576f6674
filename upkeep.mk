##@ Upkeep
# In the order in which one constrains the next. Dependabot reads the command's options from a lock's first lines.
LOCKS := requirements.txt dev/requirements-run.txt dev/requirements-test.txt dev/requirements-check.txt
UPKEEP := .venv-upkeep

.PHONY: lock
lock: $(UPKEEP)/.ready ## Resolve the requirement files (*.in) into their locks, with hashes (UPGRADE=1: to the newest that the pins allow)
	@for lock in $(LOCKS); do \
	  UV_NO_CONFIG=1 UV_PYTHON=$(UPKEEP)/bin/python $(UPKEEP)/bin/uv pip compile -q $(if $(UPGRADE),--upgrade) \
	    --universal --python-version 3.13 --generate-hashes --output-file $$lock $${lock%.txt}.in; done

.PHONY: package
package: ## Build the deployment package into artifacts/ (PACKAGES=1: with what requirements.txt lists, for Linux on x86-64)
	@python=$$($(find_python)) && "$$python" -m dev.package $(if $(PACKAGES),--packages)

$(UPKEEP)/.ready: dev/requirements-upkeep.txt
	$(call install,$(@D),half a minute)
