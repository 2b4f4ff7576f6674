# Targets of infra/, included by the Makefile. checkov has a separate environment, because it pins many packages.
INFRA_READY := .venv-infra/.ready

.PHONY: check-infra
check-infra: $(RUN_READY) ## Check infra/: compiler, what it evaluates to, policy, settings, parity of the two trees, checkov (STORE=1: store what it evaluates to)
	@$(MAKE) -s $(INFRA_READY) || true
	@$(PYTHON) -m dev.infra_check $(if $(STORE),--store)

.PHONY: cost
cost: $(RUN_READY) ## What a day's answers cost and how many instances they take (COST="--answers 200000 --output-tokens 400 --concurrency 100", --help)
	@$(PYTHON) -m dev.cost $(COST)

.PHONY: smoke
smoke: $(RUN_READY) ## Test a deployment: health, patches, one timed stream, one disconnect, one invalid key (URL=https://..., KEY=...)
	@KEY="$(KEY)" $(PYTHON) -m dev.smoke "$(URL)"

$(INFRA_READY): infra/requirements-check.txt
	$(call install,$(@D),a minute or two)
