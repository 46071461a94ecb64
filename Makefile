# Everything Market. `make help` lists what can be done here.
SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run setup test test-fast lint chaos bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## install what is needed and start the whole system
	@$(BIN)/everything up

setup: $(VENV)/.installed-dev ## install what developing and testing need

test: $(VENV)/.installed-dev ## check style and types, then run every test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q -m "not slow"
	$(BIN)/pytest -q -m slow

test-fast: $(VENV)/.installed-dev ## run the tests that take seconds
	$(BIN)/pytest -q -m "not slow"

lint: $(VENV)/.installed-dev ## format the code and check style and types
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy

chaos: $(VENV)/.installed-dev ## kill -9 every process under load (engine, server, projector 20 times each), account for every order
	$(BIN)/python -m tests.chaos

bench: $(VENV)/.installed-bench ## measure, and write the figures into docs/performance.md
	$(BIN)/python -m tests.bench

clean: ## remove what was installed here (never a venue's data)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; set PYTHON=python3.x" >&2; exit 1; }
	@echo "==> making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "==> installing python3-venv"; apt-get update -q && apt-get install -qy python3-venv && $(PYTHON) -m venv $(VENV); \
	  else echo "Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; fi; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "==> installing Everything Market and what it needs"
	@$(PIP) install --progress-bar on -c constraints.txt -e . | sed -E '/^(Requirement already|Looking in)/d'
	@test -x $(BIN)/everything
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "==> installing what the tests need"
	@$(PIP) install -c constraints.txt -e '.[dev]' | sed -E '/^(Requirement already|Looking in)/d'
	@test -x $(BIN)/pytest
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	@echo "==> installing the peers that the benchmarks compare with"
	@$(PIP) install -c constraints.txt -e '.[bench]' | sed -E '/^(Requirement already|Looking in)/d'
	@touch $@
