# Verbs of infra/, a part of the Makefile. checkov has an environment of its own, since it pins a great deal.
INFRA_VENV := .venv-infra
INFRA_READY := $(INFRA_VENV)/.ready

.PHONY: check-infra
check-infra: $(READY) ## Check infra/: types, schemas, policy, settings, the two trees against each other, checkov
	@$(MAKE) -s $(INFRA_READY) || true
	@$(PYTHON) -m dev.infra_check

.PHONY: smoke
smoke: $(READY) ## Try a deployment: health, one timed stream, one disconnect, one bad key (URL=https://..., KEY=...)
	@KEY="$(KEY)" $(PYTHON) -m dev.smoke "$(URL)"

$(INFRA_READY): infra/requirements-check.txt
	@[ -x $(INFRA_VENV)/bin/python ] || $(PYTHON) -m venv $(INFRA_VENV)
	@$(INFRA_VENV)/bin/python -m pip install -q --disable-pip-version-check -r infra/requirements-check.txt
	@touch $(INFRA_READY)
