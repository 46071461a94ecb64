# Everything Market. `make help` lists what can be done here.
SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# $(call debian,PACKAGES,WHAT FOR): install Debian packages, or say which ones are missing.
debian = if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "==> installing $(1): $(2)"; apt-get update -q && apt-get install -qy --no-install-recommends $(1); \
	  else echo "$(2) is missing: apt-get install $(1)" >&2; exit 1; fi

.DEFAULT_GOAL := help
.PHONY: help run setup test test-fast lint chaos sim fuzz bench models clean

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

chaos: $(VENV)/.installed-dev ## kill -9 every process under load, then damage, fill and freeze; account for every order (half an hour)
	$(BIN)/python -m tests.chaos
	$(BIN)/pytest -q tests/chaos --deselect tests/chaos/test_chaos.py

sim: $(VENV)/.installed-dev ## simulate 320 venues under drawn faults, then look for every planted bug
	$(BIN)/python -m tests.sim
	$(BIN)/python -m tests.sim --bugs

fuzz: $(VENV)/.installed-dev ## throw junk at every door for ten minutes
	$(BIN)/python -m tests.fuzz --minutes 10

bench: $(VENV)/.installed-bench ## measure, and write the figures into docs/explanation/performance.md
	$(BIN)/python -m tests.bench

models: $(VENV)/.installed ## install llama.cpp (compiles for minutes) and get the LLM's file; optional
	@command -v c++ >/dev/null || { $(call debian,g++,a C++ compiler (llama.cpp is compiled)); }
	@$(PYTHON) -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' \
	  || { $(call debian,python3-dev,Python.h (llama.cpp is compiled)); }
	@$(PIP) install -c constraints.txt -e '.[llm]' | sed -E '/^(Requirement already|Looking in)/d'
	@$(BIN)/python -P -m deploy.venue.models

clean: ## remove what was installed here (never a venue's data)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; set PYTHON=python3.x" >&2; exit 1; }
	@echo "==> making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  { $(call debian,python3-venv,the venv module of Python); } && $(PYTHON) -m venv $(VENV); }

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "==> installing Everything Market and what it needs"
	@$(PIP) install --progress-bar on -c constraints.txt -e . | sed -E '/^(Requirement already|Looking in)/d'
	@test -x $(BIN)/everything
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "==> installing what the tests need (llama.cpp is compiled: minutes)"
	@command -v c++ >/dev/null || { $(call debian,g++,a C++ compiler (llama.cpp is compiled)); }
	@$(PYTHON) -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' \
	  || { $(call debian,python3-dev,Python.h (llama.cpp is compiled)); }
	@command -v chromium >/dev/null || { $(call debian,chromium,the browser for pages that need a script); }
	@$(PIP) install -c constraints.txt -e '.[dev]' | sed -E '/^(Requirement already|Looking in)/d'
	@test -x $(BIN)/pytest
	@$(BIN)/python -m tests.determinism.others
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	@echo "==> installing the peers that the benchmarks compare with"
	@$(PIP) install -c constraints.txt -e '.[bench]' | sed -E '/^(Requirement already|Looking in)/d'
	@touch $@
