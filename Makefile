# One entry point to everything a developer does here. `make help` lists it.

PYTHON ?= python3
UV := uv==0.13.9

VENV := .venv
BIN := $(VENV)/bin
GEN := .venv-gen
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet

JAEGER_HOME ?= $(HOME)/.cache/trunkline/jaeger

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile
	@echo 'Variables: ARGS (more arguments for the command), PYTHON (what .venv is made with; python3), AGAINST (a commit, for check).'

.PHONY: serve
serve: $(VENV)/installed ## Run the gateway: REST on port 4000, gRPC on 50051
	@exec $(BIN)/trunkline serve $(ARGS)

.PHONY: test
test: $(VENV)/installed ## Run the tests, such as ARGS="tests/contract -x"
	@exec $(BIN)/pytest $(ARGS)

.PHONY: engine-test
engine-test: $(VENV)/installed ## Try the gateway against a real inference server (the first time downloads 3 GB)
	@exec $(BIN)/pytest -m engine -o faulthandler_timeout=1800 tests/engine $(ARGS)

.PHONY: jaeger-test
jaeger-test: $(VENV)/installed $(JAEGER_HOME)/jaeger ## Look at traces in a real Jaeger (the first time builds it with Go, 5 minutes)
	@JAEGER=$(JAEGER_HOME)/jaeger exec $(BIN)/pytest -m jaeger tests/jaeger $(ARGS)

$(JAEGER_HOME)/jaeger: tests/jaeger/build.sh
	tests/jaeger/build.sh $(JAEGER_HOME)

.PHONY: scorecard
scorecard: $(VENV)/installed ## Play the 16 failure scenarios in real time (2 minutes)
	@PYTHONPATH=tests/support exec $(BIN)/python -m scorecard $(ARGS)

.PHONY: chaos
chaos: $(VENV)/installed ## 200 streams at once through random faults for a minute; ARGS="--seconds 10"
	@PYTHONPATH=tests/support exec $(BIN)/python -m chaos $(ARGS)

.PHONY: sim
sim: $(VENV)/installed ## Simulate a million requests through outages and draw docs/routing-sim.png
	@exec $(BIN)/python -m benchmarks.routing_sim $(ARGS)

.PHONY: bench
bench: $(VENV)/installed ## Measure what a request costs beside a bare proxy; ARGS=--quick for a first look
	@exec $(BIN)/python -m benchmarks $(ARGS)

.PHONY: check check-style check-types check-imports check-protos check-tables check-stubs
check: check-style check-types check-imports check-protos check-tables check-stubs ## Run every check that needs no test

check-style: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

check-types: $(VENV)/installed
	$(BIN)/mypy

check-imports: $(VENV)/installed
	$(BIN)/lint-imports --no-logo

check-protos: $(VENV)/installed
	$(BIN)/buf lint
	$(BIN)/python scripts/check_breaking.py $(AGAINST)

check-tables: $(VENV)/installed
	$(BIN)/python scripts/gen_prices.py --check
	$(BIN)/python scripts/gen_provider_table.py --check
	$(BIN)/python scripts/gen_settings_table.py --check

check-stubs: $(GEN)/installed
	$(GEN)/bin/python scripts/gen_protos.py --check

.PHONY: format
format: $(VENV)/installed ## Sort imports, mend what ruff can mend, and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: gen
gen: $(GEN)/installed ## Regenerate the stubs from protos/
	$(GEN)/bin/python scripts/gen_protos.py

.PHONY: lock
lock: $(GEN)/installed ## Bring requirements.lock up to pyproject.toml; ARGS=--upgrade for newer versions
	$(GEN)/bin/python $(PIP_INSTALL) $(UV)
	$(GEN)/bin/uv pip compile pyproject.toml --output-file requirements.lock --quiet \
		--universal --python-version 3.11 --extra gateway --extra tokenizer --group dev \
		--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS)

.PHONY: clean
clean: ## Remove both environments, caches and built packages
	rm -rf $(VENV) $(GEN) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the lock says. Once it is installed nothing below needs the network.
$(VENV)/locked: requirements.lock
	$(call make_venv,$(VENV))
	$(BIN)/python $(PIP_INSTALL) --require-hashes --requirement requirements.lock
	@touch $@

# The project itself, editable, built by the hatchling of the lock.
$(VENV)/installed: pyproject.toml $(VENV)/locked
	$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --no-index --editable .
	@touch $@

# The stub generator lives apart, because its version is the floor of everyone who imports the stubs.
$(GEN)/installed: scripts/gen_protos.py
	$(call make_venv,$(GEN))
	$(GEN)/bin/python scripts/gen_protos.py --pins | xargs $(GEN)/bin/python $(PIP_INSTALL)
	@touch $@

# Keeps an environment of an older lock, whose packages give way to what is pinned now, but none of another Python.
PYTHON_ID := import sys; print(sys.base_prefix, *sys.version_info[:2])
define make_venv
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Trunkline needs Python 3.11 or newer; $(PYTHON) is %d.%d. Say which to use: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	@test "$$($(1)/bin/python -c '$(PYTHON_ID)' 2>&1)" = "$$($(PYTHON) -c '$(PYTHON_ID)')" || (set -x; $(PYTHON) -m venv --clear $(1))
endef
