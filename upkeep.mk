##@ Upkeep
# In the order in which one constrains the next. Dependabot reads the command's options from a lock's first lines.
LOCKS := requirements.txt client/requirements.txt $(patsubst %,dev/requirements-%.txt,run collector test check)
UPKEEP := .venv-upkeep
NEWEST := .venv-newest
NEWEST_PACKAGES := azure-functions-runtime azurefunctions-extensions-http-fastapi uvicorn starlette fastapi aiohttp openai
NEWEST_TESTS ?= tests/hosting

.PHONY: lock
lock: $(UPKEEP)/.ready ## Resolve the requirement files (*.in) into their locks, with hashes (UPGRADE=1: to the newest that the pins allow)
	@for lock in $(LOCKS); do \
	  UV_NO_CONFIG=1 UV_PYTHON=$(UPKEEP)/bin/python $(UPKEEP)/bin/uv pip compile -q $(if $(UPGRADE),--upgrade) \
	    --universal --python-version 3.13 --generate-hashes --output-file $$lock $${lock%.txt}.in || exit 1; done

.PHONY: vendor
vendor: ## Fetch the page's libraries from npm, with checksums and licences (UPGRADE=1: the newest; needs npm on the PATH)
	@python=$$($(find_python)) && "$$python" -m dev.vendor $(if $(UPGRADE),--upgrade)

.PHONY: package
package: ## Build the deployment package, with all packages and bytecode, into artifacts/ (FOLDER=artifacts/app: as files; SOURCE=1: for a remote build)
	@python=$$($(find_python)) && "$$python" -m dev.package $(if $(SOURCE),--source) $(if $(FOLDER),--folder $(FOLDER))

.PHONY: sbom
sbom: $(UPKEEP)/.ready ## List the packages of a deployment, with versions and hashes, as CycloneDX, in artifacts/
	@mkdir -p artifacts
	@PYTHONWARNINGS=ignore $(UPKEEP)/bin/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml \
	  --output-reproducible --output-file artifacts/streaming-endpoint.cdx.json

.PHONY: newest
newest: $(NEWEST)/.ready ## Run the tests of the worker patches on the newest packages, in a venv of its own
	@$(NEWEST)/bin/python -m pip install -q --disable-pip-version-check --upgrade $(NEWEST_PACKAGES)
	@$(NEWEST)/bin/python -m pip list --format freeze | grep -E "^($$(echo $(NEWEST_PACKAGES) | tr ' ' '|'))=="
	@$(NEWEST)/bin/python -m pytest $(NEWEST_TESTS)

.PHONY: audit
audit: $(UPKEEP)/.ready ## Look for known vulnerabilities in the locks (needs npm on the PATH)
	@$(UPKEEP)/bin/pip-audit --require-hashes --disable-pip -r requirements.txt
	@cd tests/node && npm audit --package-lock-only

$(UPKEEP)/.ready: dev/requirements-upkeep.txt
	$(call install,$(@D),half a minute)

$(NEWEST)/.ready: dev/requirements-test.txt
	$(call install,$(@D),a minute or two)
