# Everything Market. `make help` lists what can be done here.
SHELL       := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
NEWS   ?= on
VENV   := .venv
PEERS  := .venv-peers
BIN    := $(VENV)/bin
PYTEST := $(BIN)/pytest -q -n 2
# Of llama.cpp only the library is used: its tools, server and eyes take most of the compiling.
LLAMA  := -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
          -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_CURL=OFF

# $(call pip,ARGUMENTS): install into $(VENV), saying only what changes
pip = $(BIN)/python -m pip --disable-pip-version-check install $(1) | sed -uE '/^(Requirement already|Looking in)/d'
# $(call locked,FILE): install the versions and files that a lock names, and nothing else
locked = $(call pip,--require-hashes --no-deps -r $(1))
# $(call debian,PACKAGES,WHAT FOR): install Debian packages, or say which ones are missing
debian = if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "==> installing $(1): $(2)"; apt-get update -q && apt-get install -qy --no-install-recommends $(1); \
	  else echo "$(2) is missing: apt-get install $(1)" >&2; exit 1; fi
# $(call compiler,WHAT FOR): have a C++ compiler and Python.h
define compiler
	@command -v c++ >/dev/null || { $(call debian,g++,a C++ compiler ($(1) is compiled)); }
	@$(PYTHON) -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' \
	  || { $(call debian,python3-dev,Python.h ($(1) is compiled)); }
endef

.DEFAULT_GOAL := help
.PHONY: help run news setup setup-peers test test-fast test-long coverage lint chaos siege sim fuzz bench models locks release clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## install what trading needs, start the whole system, install news beside it (not with NEWS=off)
ifeq ($(NEWS),off)
	@EVERYTHING_INGEST=off $(BIN)/everything up
else
	@test ! -e $(VENV)/.installed-news || $(MAKE) -s news
	@EVERYTHING_NEWS_INSTALL='$(MAKE) -s -C "$(CURDIR)" news' $(BIN)/everything up
endif

news: $(VENV)/.installed-news ## install what fetching, measuring and asking need; a venue that runs takes it up

setup: $(VENV)/.installed-dev ## install what developing and testing need

setup-peers: $(PEERS)/.installed ## make an environment of its own with what the benchmarks compare with

test: $(VENV)/.installed-dev ## check style and types, then run every test but the long ones
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) -m "not slow and not long"
	$(PYTEST) -m "slow and not long"

test-fast: $(VENV)/.installed-dev ## run the tests that take seconds
	$(PYTEST) -m "not slow and not long"

test-long: $(VENV)/.installed-llama ## run the long tests: the real LLM library, a short chaos and siege, damaged stores, many seeds
	$(PYTEST) -m long

coverage: $(VENV)/.installed-dev ## print which lines of the pure rooms their tests reach
	$(PYTEST) -m "not slow and not long" tests/schemas tests/engines \
	  --cov=schemas --cov=engines --cov-report=term:skip-covered --durations=0 --durations-min=60

lint: $(VENV)/.installed-dev ## format the code and check style and types
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy

chaos: $(VENV)/.installed-llama ## kill -9 every process under load, then damage, fill and freeze; account for every order (half an hour)
	$(BIN)/python -m tests.chaos
	$(BIN)/pytest -q tests/chaos --deselect tests/chaos/test_chaos.py

siege: $(VENV)/.installed-dev ## have strangers try everything at once for an hour, beside honest traders (an hour and a half)
	$(BIN)/python -m tests.siege

sim: $(VENV)/.installed-dev ## simulate 320 venues under drawn faults, then look for every planted bug
	$(BIN)/python -m tests.sim
	$(BIN)/python -m tests.sim --bugs

fuzz: $(VENV)/.installed-dev ## throw junk at every door for ten minutes
	$(BIN)/python -m tests.fuzz --minutes 10

bench: $(PEERS)/.installed ## measure, and write the figures into docs/explanation/performance.md
	$(PEERS)/bin/python -m tests.bench

models: $(VENV)/.installed-news ## install llama.cpp (compiles for minutes) and get the LLM's file; optional
	$(call compiler,llama.cpp)
	@CMAKE_ARGS="$(LLAMA)" $(call locked,requirements/llm.lock)
	@$(BIN)/python -P -m deploy.venue.models

locks: $(VENV)/.installed-dev ## write requirements/*.lock from pyproject.toml; OPTIONS=--upgrade takes new versions
	@BIN=$(BIN) requirements/lock.sh $(OPTIONS)

release: ## check that this commit can be released, build the wheel, and tag it
	@.ci/release

clean: ## remove what was installed here (never a venue's data)
	rm -rf $(VENV) $(PEERS) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python $(PEERS)/bin/python: %/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; set PYTHON=python3.x" >&2; exit 1; }
	@echo "==> making a virtual environment in $*"
	@$(PYTHON) -m venv $* || { rm -rf $*; \
	  { $(call debian,python3-venv,the venv module of Python); } && $(PYTHON) -m venv $*; }

$(VENV)/.installed: pyproject.toml requirements/run.lock | $(VENV)/bin/python
	@echo "==> installing Everything Market and what trading needs"
	@$(call locked,requirements/run.lock)
	@$(call pip,--no-deps --no-build-isolation -e .)
	@test -x $(BIN)/everything
	@touch $@

# hnswlib comes last, since it has to be compiled: without it all else works.
$(VENV)/.installed-news: requirements/news.lock requirements/torch.txt $(VENV)/.installed
	@echo "==> installing what news needs: PyTorch and a model, some hundred MB"
	@awk '/^[a-z]/ {keep = !/^hnswlib==/} keep' requirements/news.lock > $(VENV)/news-wheels.lock
	@$(call locked,$(VENV)/news-wheels.lock)
	@$(call pip,-r requirements/torch.txt)
	@touch $@
	@$(call locked,requirements/news.lock) \
	  || echo "hnswlib could not be compiled (it needs g++ and python3-dev): search by meaning goes without its index"

$(VENV)/.installed-dev: requirements/dev.lock requirements/torch.txt $(VENV)/.installed
	@echo "==> installing what the tests need (hnswlib is compiled: a minute)"
	$(call compiler,hnswlib)
	@command -v chromium >/dev/null || { $(call debian,chromium,the browser for pages that need a script); }
	@$(call locked,requirements/dev.lock)
	@$(call pip,-r requirements/torch.txt)
	@test -x $(BIN)/pytest
	@$(BIN)/python -m tests.determinism.others
	@touch $@ $(VENV)/.installed-news

$(VENV)/.installed-llama: requirements/llm.lock $(VENV)/.installed-dev
	@echo "==> installing llama.cpp (it is compiled: minutes)"
	@CMAKE_ARGS="$(LLAMA)" $(call locked,requirements/llm.lock)
	@touch $@

$(PEERS)/.installed: pyproject.toml requirements/peers.lock requirements/torch.txt | $(PEERS)/bin/python
	@$(MAKE) -s VENV=$(PEERS) $(PEERS)/.peers
	@touch $@

$(VENV)/.peers: | $(VENV)/bin/python
	@echo "==> installing the peers that the benchmarks compare with, in $(VENV)"
	$(call compiler,hnswlib)
	@$(call locked,requirements/peers.lock)
	@$(call pip,-r requirements/torch.txt)
	@$(call pip,--no-deps --no-build-isolation -e .)
