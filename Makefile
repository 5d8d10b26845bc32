# Everything a fresh machine needs is Python 3.11 or newer with pip; `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
UV ?= $(shell command -v uv || echo $(CURDIR)/.uv/bin/uv)
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
export PATH := $(BIN):$(PATH)

.PHONY: help env lock check test bench up preview drift down

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

env: $(VENV)/.ready ## Make the Python environment (.venv), versions as in requirements.lock

$(CURDIR)/.uv/bin/uv:
	@echo "Installing uv into .uv"
	@$(PYTHON) -m venv $(CURDIR)/.uv
	@$(CURDIR)/.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.ready: requirements.lock pyproject.toml | $(UV)
	@echo "Making the Python environment in .venv"
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(UV) lock --quiet
	@touch $@

lock: | $(UV) ## Resolve the versions anew into requirements.lock
	@$(UV) pip compile --quiet pyproject.toml --universal --generate-hashes --all-extras --group dev \
	  --no-emit-index-url --no-header --no-annotate --output-file requirements.lock

check: env ## Lint, format check, types, layer contracts
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports
