# Everything a fresh machine needs is Python 3.11 or newer with pip; `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
UV ?= $(shell command -v uv || echo $(CURDIR)/.uv/bin/uv)
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
export PATH := $(BIN):$(PATH)
# Where a company's own certificates are needed, the system has them.
export UV_SYSTEM_CERTS ?= true

# Tests start thousands of interpreters; without bytecode each would compile the project again.
export PYTHONDONTWRITEBYTECODE :=

# A file that a failed command began is not taken for a made one.
.DELETE_ON_ERROR:
.PHONY: help env lock generated cluster stack up preview drift down check test-unit test test-versions picture faults bench

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-13s %s\n", $$1, $$2}'

env: $(VENV)/.ready ## Make the Python environment (.venv), versions as in requirements.lock

$(CURDIR)/.uv/bin/uv:
	@echo "Installing uv into .uv"
	@$(PYTHON) -m venv $(CURDIR)/.uv
	@$(CURDIR)/.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.ready: requirements.lock pyproject.toml | $(UV)
	@echo "Making the Python environment in .venv"
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(UV) lock --quiet
	@touch $@

lock: | $(UV) ## Resolve the versions again into requirements.lock
	@$(UV) pip compile --quiet pyproject.toml --universal --generate-hashes --all-extras --group dev \
	  --no-emit-index-url --no-header --no-annotate --output-file requirements.lock

generated: env ## Write what is made from the model: typed arguments, the plugin's schema, reference pages
	@python tools/build_args.py
	@python tools/build_plugin_schema.py
	@python docs/build_reference.py
	@python docs/build_targets.py

STACK ?= dev
# Moves the whole example: the cluster's port, nine above it that of the gateway, and what the jobs
# write, so that two examples on one machine share nothing.
PORT ?= 8081
GATEWAY_PORT := $(shell expr $(PORT) + 9)
export FLINK_JOBS_FILES := /tmp/flink-jobs$(if $(filter-out 8081,$(PORT)),-$(PORT))
# What runs the jobs: dynamic or plugin. The other one takes over what the one has run.
PROVIDER ?= dynamic
export FLINK_JOBS_PROVIDER := $(PROVIDER)
# Where the stack's program finds the two, and `flink-jobs jobs` the cluster.
export FLINK_JOBS_URL := http://127.0.0.1:$(PORT)
export FLINK_JOBS_GATEWAY_URL := http://127.0.0.1:$(GATEWAY_PORT)
export PULUMI_BACKEND_URL ?= file://$(CURDIR)/.pulumi-state
# The passphrase of the example stack, which holds no secret. Yours belongs into your environment.
export PULUMI_CONFIG_PASSPHRASE ?= local-development
export PULUMI_SKIP_UPDATE_CHECK ?= true

# Of stacks/gateway.yaml, with those ports; its relative paths hold there, too. The jars that were
# put to the place without a port can still be started from there.
GATEWAY := .gateway/gateway-$(PORT).yaml
GATEWAY_TOKEN := .gateway/token
# Read when a command runs: `make up` makes it on its way.
export FLINK_JOBS_GATEWAY_TOKEN = $(shell cat $(GATEWAY_TOKEN) 2>/dev/null)

$(GATEWAY): stacks/gateway.yaml Makefile
	@umask 077; mkdir -p $(@D); \
	  sed -e 's/127.0.0.1:8081/127.0.0.1:$(PORT)/' -e 's/port: 8090/port: $(GATEWAY_PORT)/' \
	  $(if $(filter-out 8081,$(PORT)),-e '/^ *file:.*\/tmp\/flink-jobs\//{p;s#/tmp/flink-jobs/#$(FLINK_JOBS_FILES)/#g;}') \
	  $< >$@

$(GATEWAY_TOKEN): | env $(GATEWAY)
	@umask 077; mkdir -p $(@D); flink-jobs gateway token create stacks --role operate \
	  --cluster '*' --config $(GATEWAY) >$@
	@echo "That token is kept in $@"

cluster: env $(GATEWAY) $(GATEWAY_TOKEN)
	@flink-jobs local up --port $(PORT) --gateway $(GATEWAY) || { echo >&2 \
	  "If another program has port $(PORT) or $(GATEWAY_PORT): PORT=8181 moves cluster, gateway and stack (make up PORT=8181)."; \
	  exit 1; }

stack: env
	@mkdir -p $(patsubst file://%,%,$(PULUMI_BACKEND_URL))
	@flink-jobs stack ls 2>/dev/null | grep -qw '$(STACK)' || flink-jobs stack init $(STACK)

up: cluster stack ## Start Flink and a gateway, deploy the example stack, show what runs
	@flink-jobs up --stack $(STACK) --refresh --yes
	@flink-jobs jobs list
	@echo "Portal: http://127.0.0.1:$(GATEWAY_PORT)/portal/ (sign in with the token in $(GATEWAY_TOKEN))"
	@echo "Sign in once, on this machine, within 5 minutes:"
	@flink-jobs gateway sign-in-link --config $(GATEWAY)

preview: cluster stack ## Show what `make up` would change, and why
	@flink-jobs preview --stack $(STACK) --refresh

drift: env ## Compare program and cluster; fails when they differ
	@flink-jobs preview --stack $(STACK) --refresh --expect-no-changes

down: env ## Delete the jobs, and stop Flink; savepoints are kept
	@flink-jobs destroy --stack $(STACK) --yes
	@flink-jobs local down

check: env ## Lint, format, types, layer contracts
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports --no-cache

# What is decided, asked and answered; of it, a few cases start a process.
UNIT := tests/unit tests/contract tests/end_to_end/bad_input/test_properties.py
QUIET := --quiet --no-header
# They write thousands of small files: into memory where 4 GiB of it are free, else to the disk.
FREE = $(shell df --output=avail /dev/shm 2>/dev/null | tail -1)
IN_MEMORY = $(shell [ 0$(FREE) -gt 4194304 ] && echo env PYTEST_DEBUG_TEMPROOT=/dev/shm)

test-unit: env ## The tests in memory: no process, no network, four minutes
	@$(IN_MEMORY) pytest $(QUIET) --numprocesses 4 --dist load -m "not process" $(UNIT)

# The parts of `make test` one after the other: those in memory are not to compete with clusters,
# which would make seconds of microseconds. One that fails does not keep the others from ending.
test: env ## `make check`, the tests in memory, and a choice of those on real Flink clusters
	@$(MAKE) --no-print-directory --keep-going --jobs 1 check units clusters

.PHONY: units clusters
units: env
	@$(IN_MEMORY) pytest $(QUIET) --numprocesses 4 --dist load $(UNIT)

# Of some tests one case, by the seed that is printed, unless all are asked for: they take an hour.
CHOICE = $(if $(filter 1,$(FLINK_JOBS_ALL_TARGETS)),,--choice 0.4)
# With `+` what it prints is seen at once; so it is for this line to do nothing for `make -n`.
DRY = $(if $(findstring n,$(firstword -$(MAKEFLAGS))),echo )
clusters: env
	+@$(DRY)pytest --numprocesses 6 --dist loadgroup $(CHOICE) \
	  tests/integration tests/end_to_end tests/faults tests/browser \
	  --ignore tests/end_to_end/bad_input/test_properties.py

VERSIONS ?= 1.17.2 1.18.1 1.19.3 1.20.5 2.0.2 2.1.3 2.2.1 2.3.0

test-versions: env ## What is shown on a real Flink, on each version from 1.17 to 2.3 (about an hour)
	@for version in $(VERSIONS); do echo "Flink $$version"; \
	  FLINK_JOBS_TEST_FLINK=$$version pytest -q --numprocesses 2 --dist loadfile \
	    tests/end_to_end/flink tests/integration/examples/test_counting_job.py \
	    tests/integration/examples/test_failing_jobs.py \
	    -k 'not hdinsight and not dli' || exit 1; \
	done

picture: env ## Take the picture of the portal in the README again, from the example jobs
	@python -m tools.portal_picture docs/portal-jobs.png

faults: env ## Strike each request of each action by each kind of fault; writes docs/faults.md
	@python -m tests.faults.matrix $(FAULTS)

bench: env ## Measure, as ratios in one run; writes docs/benchmarks.md
	@python -m tests.bench
