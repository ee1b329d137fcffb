# `make up` starts the network, `make test` runs everything, `make tour` shows the main job. Needs Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
VAR ?= var
# Many tests wait for sockets, disks and clocks more than they compute: more workers than cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 2) + 2)')

# What CI must have: a missing one fails the run there; elsewhere it is skipped and named in the closing list.
CI_REQUIRES := postgresql rabbitmq redis chromium node compiler reference synapse nginx caddy promtool fixtures
export OPENMEET_CI_REQUIRES := $(CI_REQUIRES)

.DEFAULT_GOAL := help
.PHONY: help up demo screenshots cluster test quick tour check messages privacy bench bench-pds soak format clean install install-dev hooks

help:  ## Show the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/make \1\t\2/' | expand -t 20

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("OpenMeet needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 " ) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

.venv/.installed: requirements/base.txt requirements/brotli.txt pyproject.toml | .venv/bin/python
	@echo "Installing what OpenMeet needs into .venv (once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fast.txt >/dev/null 2>&1 \
	  || echo "cbrrr could not be built (no C compiler?): the pure Python codec is used, which is slower and otherwise the same."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/brotli.txt >/dev/null 2>&1 \
	  || echo "There is no brotli for this platform: responses are compressed with gzip, which is a tenth larger."
	@touch $@

.venv/.installed-dev: requirements/dev.txt .venv/.installed
	@echo "Installing what the tests need into .venv (once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

install: .venv/.installed
install-dev: .venv/.installed-dev hooks

# An archive without .git has nothing to hook into; a folder of one's own stays.
hooks:
	@[ ! -e .git ] || git config core.hooksPath >/dev/null || git config core.hooksPath checks/hooks

up: install  ## Start the whole network on this machine (ARGS="--web-port 8081" …)
	@$(BIN)/openmeet up --data $(VAR) $(ARGS)

demo: install  ## The same with an invented town in it, kept nowhere: to look around, and for screenshots
	@$(BIN)/openmeet up --ephemeral --demo $(ARGS)

cluster: install-dev  ## Start the distributed form on running servers (ARGS="--database postgresql://… --broker amqp://…")
	@$(BIN)/openmeet cluster --data $(VAR)-cluster $(ARGS)

screenshots: install-dev  ## Take the pictures of the README anew, of the demo town on a fixed day
	@$(BIN)/python -m tests.browser.pictures

test: install-dev check  ## Run the whole test suite, set-up included
	@$(BIN)/python -m checks.prepare
	@$(BIN)/python -m checks.suite --workers $(WORKERS)

quick: install-dev  ## In two minutes: check, and the tests that a change reaches, on SQLite
	@$(BIN)/python -m checks.quick

tour: install-dev  ## Walk the product's main job on a throw-away network
	@$(BIN)/python -m tests.system.tour

check: install-dev  ## Formatter, linter, strict types, import contracts, house rules
	@$(BIN)/python -m checks

messages: install-dev  ## Bring the catalogues of messages up to date with the sources
	@$(BIN)/python -m checks.messages

privacy: install-dev  ## Bring docs/privacy.md up to date with the table of all columns
	@$(BIN)/python -m checks.privacy

format: install-dev
	@$(BIN)/ruff format src tests checks
	@$(BIN)/ruff check --fix --quiet src tests checks

bench: install-dev  ## Measure the hot paths
	@$(BIN)/python -m tests.bench

bench-pds: install-dev  ## Measure the PDS beside the reference PDS; writes docs/performance.md
	@$(BIN)/python -m tests.bench.reference $(ARGS)

soak: install-dev  ## The long scale of the long tests; writes docs/soak.md
	@$(BIN)/python -m checks.prepare
	@$(BIN)/python -m tests.soak $(ARGS)

clean:
	rm -rf .venv .synapse .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build src/*.egg-info
