# Every command, in the order a model's life takes. CI runs the same ones.
.DEFAULT_GOAL := help
.PHONY: help serve train notebook docs screenshots image audit ui spark test check lint format typecheck tables bench peers capacity overload soak hostile fuzz locust protos wheel locks clean

VENV := .venv
PYTHON := $(VENV)/bin/python
EKIBEN := $(PYTHON) -m ekiben.commands
PEERS := $(patsubst requirements/peers/%.in,%,$(wildcard requirements/peers/*.in))
export BENTOML_DO_NOT_TRACK := True
export MLFLOW_DISABLE_TELEMETRY := true
export TF_ENABLE_ONEDNN_OPTS := 0

help: ## Print this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

serve: $(VENV)/training ## Train a model if there is none, and serve it
	@$(EKIBEN) train --if-missing
	@exec $(EKIBEN) serve

train: $(VENV)/training ## Train a model; it replaces the champion if it is better
	@$(EKIBEN) train

notebook: $(VENV)/notebook ## Look at the flights: run notebooks/explore.py into notebooks/run/
	@$(PYTHON) -m ekiben.training.exploring notebooks/explore.py notebooks/run

image: $(VENV)/image ## Build the OCI image of the packed model (OPTIONS="--backend podman -t NAME:VERSION")
	@$(EKIBEN) image $(OPTIONS)

audit: $(VENV)/image ## Ask PyPI for known vulnerabilities of what is in the image
	@$(VENV)/bin/pip-audit --disable-pip --require-hashes --strict -r requirements/service.txt

ui: $(VENV)/training ## Show runs and registered models in the browser
	@$(VENV)/bin/mlflow ui

docs: $(VENV)/docs ## Build the documentation as a site: dist/docs/index.html
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet
	@echo "built dist/docs/index.html"

spark: .venv-spark/installed ## Install PySpark beside (1 GB; needs Java 17): the tests then score with it, too
	@java -version >/dev/null 2>&1 || { echo "error: there is no java: apt-get install openjdk-17-jre-headless"; exit 2; }

screenshots: $(VENV)/dev ## Take the pictures of docs/images from the running product (needs Chromium)
	@$(PYTHON) -m ekiben.docs.site.screenshots

# Two processes of tests, each with a model and a service of its own; a file's tests share what they start (groups of
# pytest-xdist 3.8 do nothing under pytest 9.2). What the tests run is measured, servers are not.
test: check ## Run every check and test, and print how much of the code they run
	@$(PYTHON) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=
	@echo "coverage: $$($(PYTHON) -m coverage report --format=total)% of the lines," \
		"without what runs in servers and commands that the tests start ($(PYTHON) -m coverage report)"

check: lint typecheck ## Run the checks alone

lint: $(VENV)/dev ## Check style
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

format: $(VENV)/dev ## Put style right
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

typecheck: $(VENV)/dev ## Check types
	@$(VENV)/bin/mypy

tables: .venv-tables/installed ## Compare the networks with boosted trees on real tables, for hours (OPTIONS="--seeds 1")
	@.venv-tables/bin/python -m tests.tables $(OPTIONS)

bench: $(VENV)/training ## Measure the service beside its baseline and its floor (needs wrk and h2load)
	@$(EKIBEN) bench

peers: $(VENV)/training ## Install other servers (8 GB) and measure them with the same model (needs wrk and h2load)
	-@$(MAKE) --no-print-directory --keep-going $(PEERS:%=.venv-peers/%/installed)
	@$(EKIBEN) peers

capacity: $(VENV)/load ## Find the rate that meets the SLO, and the replicas for a target
	@$(EKIBEN) capacity

overload: $(VENV)/load ## Offer five times the peak, and see what is kept
	@$(EKIBEN) overload

soak: $(VENV)/load ## Every protocol at once for ten minutes, with bad callers among the good
	@$(EKIBEN) soak

hostile: $(VENV)/load ## Attack it in every way that is known, while good callers ask on
	@$(EKIBEN) hostile

fuzz: $(VENV)/dev ## Damage whole connections for an hour, guided by coverage (OPTIONS="--seconds 600")
	@$(PYTHON) -m tests.fuzz.connections --seconds 3600 $(OPTIONS)

locust: $(VENV)/load ## Open a page of users for every protocol, beside `make serve` (OPTIONS="--headless -u 8 -t 10")
	@$(VENV)/bin/locust -f load_tests/locustfile.py --host http://127.0.0.1:8080 $(OPTIONS)

wheel: $(VENV)/dev ## Build the wheel into dist/
	@$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@rm -rf build ekiben.egg-info

protos: $(VENV)/dev ## Compile the gRPC messages
	@cd service/protos && $(abspath $(PYTHON)) -m grpc_tools.protoc -I. --include_imports \
		--descriptor_set_out=descriptors.binpb $$(find . -name '*.proto' | sort | cut -c3-)

# What is tested is `dev`: the other locks take their versions from it.
locks: ## Pin every dependency again, with hashes (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade \
		--group dev -o requirements/dev.txt
	@for lock in "service:--group serving" "service-tensorflow:--group serving --group tensorflow" \
			"training:--group training" "image:--group image" "load:--group load" \
			"pipeline:--group pipeline" "notebook:--group notebook" "docs:--group docs"; do \
		uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
			-c requirements/dev.txt $${lock#*:} -o requirements/$${lock%%:*}.txt || exit 1; done
	@for peer in $(PEERS:%=requirements/peers/%); do \
		uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
			$$peer.in -o $$peer.txt || exit 1; done
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-deps \
		tests/tables/tables.in -o tests/tables/tables.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		-c requirements/dev.txt deploy/compose/mlflow.in -o deploy/compose/mlflow.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		-c requirements/dev.txt deploy/spark/executor.in -o deploy/spark/executor.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		-c deploy/spark/executor.txt deploy/spark/executor.in deploy/spark/spark.in -o deploy/spark/spark.txt

clean: ## Remove the environments and caches; stores and data stay
	rm -rf $(VENV) .venv-peers .venv-tables .venv-spark .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment; the stamp files say which lock it was made from. A lock is complete: nothing else is resolved.
$(VENV)/training $(VENV)/notebook $(VENV)/image $(VENV)/load $(VENV)/docs $(VENV)/dev: $(VENV)/%: requirements/%.txt | $(VENV)/linked
	@echo "installing requirements/$*.txt, hash-checked: a minute or two …"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# The package `ekiben` is this folder: a link says so, and code that changes need not be installed again. The command
# is a script, since pip writes one only for what it installs.
$(VENV)/linked: | $(VENV)/bin/python
	@ln -sfn "$(CURDIR)" "$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ekiben"
	@printf '#!/bin/sh\nexec "$$(dirname "$$0")/python" -P -m ekiben.commands "$$@"\n' >$(VENV)/bin/ekiben
	@chmod +x $(VENV)/bin/ekiben
	@touch $@

.venv-peers/ekiben:
	@mkdir -p $(@D) && ln -sfn "$(CURDIR)" $@

# The other servers' environments, one each: what they need does not go together. The logs say why one is missing.
.venv-peers/%/installed: requirements/peers/%.txt | $(VENV)/bin/python .venv-peers/ekiben
	@echo "installing $<, hash-checked: a minute or two …"
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $< \
		>.venv-peers/$*.log 2>&1 || { grep -m1 ^ERROR .venv-peers/$*.log; exit 1; }
	@touch $@

# Real tables and other makers of trees: an environment of its own, which sees ours.
.venv-tables/installed: tests/tables/tables.txt $(VENV)/dev
	@echo "installing $<, hash-checked: a minute or two …"
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D)
	@$(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		>"$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ours.pth"
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# A driver of Spark and its executors; `ekiben` is this folder there, too.
.venv-spark/installed: deploy/spark/spark.txt
	@echo "installing $<, hash-checked: some minutes …"
	@rm -rf $(@D) && python3 -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@ln -sfn "$(CURDIR)" "$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ekiben"
	@touch $@

$(VENV)/bin/python:
	@python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "error: Python 3.11 to 3.13 is needed, python3 is $$(python3 -V 2>&1)"; exit 2; }
	@python3 -m venv $(VENV) || { echo "error: python3 has no venv module: install python3-venv"; exit 2; }
