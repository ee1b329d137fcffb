# `make up` starts the network, `make test` runs the checks and most tests, `make tour` shows the main use case. Needs Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
VAR ?= var
# Many tests spend most of their time waiting for sockets, disks and clocks, so there are more workers than cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 2) + 2)')

# Software that CI must have. If one is missing, the run fails in CI; on other machines its tests are skipped and the final list names it.
CI_REQUIRES := postgresql rabbitmq redis chromium node compiler reference synapse nginx caddy promtool fixtures
export OPENMEET_CI_REQUIRES := $(CI_REQUIRES)

.DEFAULT_GOAL := help
.PHONY: help up demo screenshots cluster test test-all quick tour check messages privacy bench bench-pds soak format clean install install-dev services hooks

help:  ## Show the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/make \1\t\2/' | expand -t 20

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("OpenMeet needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 " ) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

# The pip that comes with Python 3.11 needs more than twice as long. Modules are compiled when they are first imported.
.venv/.installed: requirements/base.txt requirements/brotli.txt requirements/pip.txt pyproject.toml | .venv/bin/python
	@echo "Installing the dependencies of OpenMeet into .venv (once) …"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements/pip.txt
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/base.txt
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements/fast.txt >/dev/null 2>&1 \
	  || echo "cbrrr could not be built (no C compiler?). The pure Python codec is used instead, which is slower and otherwise equivalent."
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/brotli.txt >/dev/null 2>&1 \
	  || echo "There is no brotli package for this platform. Responses are compressed with gzip, which makes them a tenth larger."
	@touch $@

.venv/.installed-dev: requirements/dev.txt .venv/.installed
	@echo "Installing the dependencies of the tests into .venv (once) …"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/dev.txt
	@touch $@

.venv/.installed-services: requirements/services.txt .venv/.installed
	@echo "Installing the clients of RabbitMQ, Redis, S3 and Jetstream into .venv …"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements/services.txt
	@touch $@

install: .venv/.installed
services: .venv/.installed-services  ## Install the clients of RabbitMQ, Redis, S3 buckets and compressed Jetstream streams
install-dev: .venv/.installed-dev hooks

# Without .git (in an archive) there are no hooks; an existing core.hooksPath is not changed.
hooks:
	@[ ! -e .git ] || git config core.hooksPath >/dev/null || git config core.hooksPath checks/hooks

up: install  ## Start the whole network on this machine (ARGS="--web-port 8081" …)
	@$(BIN)/openmeet up --data $(VAR) $(ARGS)

demo: install  ## Start the same with an invented town, without storing anything: for trials and screenshots
	@$(BIN)/openmeet up --ephemeral --demo $(ARGS)

cluster: install-dev  ## Start the distributed set-up on running servers (ARGS="--database postgresql://… --broker amqp://…")
	@$(BIN)/openmeet cluster --data $(VAR)-cluster $(ARGS)

screenshots: install-dev  ## Take the pictures of the README again, of the demo town on a fixed day
	@$(BIN)/python -m tests.browser.pictures

test: install-dev check  ## Run the checks and the tests of all packages, as CI does, in about eight minutes on two cores
	@$(BIN)/python -m checks.prepare
	@$(BIN)/python -m checks.suite --short --workers $(WORKERS)

test-all: install-dev check  ## Run the checks and every test, in about an hour on two cores
	@$(BIN)/python -m checks.prepare
	@$(BIN)/python -m checks.suite --workers $(WORKERS)

quick: install-dev  ## Run the checks and the tests that a change affects, on SQLite, in two minutes
	@$(BIN)/python -m checks.quick

tour: install-dev  ## Show the main use case on a temporary network
	@$(BIN)/python -m tests.system.tour

check: install-dev  ## Run formatter, linter, strict types, import contracts, house rules
	@$(BIN)/python -m checks

messages: install-dev  ## Update the message catalogues from the sources
	@$(BIN)/python -m checks.messages

privacy: install-dev  ## Update docs/privacy.md from the table of all columns
	@$(BIN)/python -m checks.privacy

format: install-dev
	@$(BIN)/ruff format src tests checks
	@$(BIN)/ruff check --fix --quiet src tests checks

bench: install-dev  ## Measure the hot paths
	@$(BIN)/python -m tests.bench $(ARGS)

bench-pds: install-dev  ## Compare the PDS with the reference PDS; writes docs/performance.md
	@$(BIN)/python -m tests.bench.reference $(ARGS)

soak: install-dev  ## Run the long tests at full scale; writes docs/soak.md
	@$(BIN)/python -m checks.prepare
	@$(BIN)/python -m tests.soak $(ARGS)

clean:
	rm -rf .venv .synapse .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build src/*.egg-info
