# Verbs of infra/, a part of the Makefile. checkov has an environment of its own, since it pins a great deal.
INFRA_READY := .venv-infra/.ready

.PHONY: check-infra
check-infra: $(RUN_READY) ## Check infra/: types, schemas, policy, settings, the two trees against each other, checkov
	@$(MAKE) -s $(INFRA_READY) || true
	@$(PYTHON) -m dev.infra_check

.PHONY: smoke
smoke: $(RUN_READY) ## Try a deployment: health, one timed stream, one disconnect, one bad key (URL=https://..., KEY=...)
	@KEY="$(KEY)" $(PYTHON) -m dev.smoke "$(URL)"

$(INFRA_READY): infra/requirements-check.txt
	$(call install,$(@D),a minute or two)
