#!/usr/bin/env bash
# `make locks`: resolves what pyproject.toml asks for, and writes each lock with the hashes of every
# file that the index has of a version. A lock is whole in itself and agrees with those before it.
# Versions stay as they are, unless arguments for pip-compile say otherwise, such as --upgrade.
set -euo pipefail
cd "$(dirname "$0")/.."

options=("$@")
before=run
lock() { # NAME, then what pip-compile is to add to it
  echo "==> requirements/$1.lock"
  # the lock before it has most of the hashes, for which every file would be downloaded else
  [ -e "requirements/$1.lock" ] || cp "requirements/$before.lock" "requirements/$1.lock"
  before=$1
  # torch has a file of its own: requirements/torch.txt. pip comes with the environment.
  # Naming them takes setuptools, which builds the editable install, off the list of those left out.
  CUSTOM_COMPILE_COMMAND="make locks" "${BIN:-.venv/bin}/pip-compile" --quiet \
    --generate-hashes --strip-extras --annotation-style line \
    --unsafe-package torch --unsafe-package pip \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
    --output-file "requirements/$1.lock" "${@:2}" "${options[@]}" pyproject.toml
}

[ -e requirements/run.lock ] || touch requirements/run.lock
lock run --build-deps-for editable
lock news --extra news --constraint requirements/run.lock --constraint requirements/torch.txt
lock dev --extra news --extra dev --constraint requirements/news.lock --constraint requirements/torch.txt
lock peers --extra news --extra dev --extra peers --constraint requirements/dev.lock \
  --constraint requirements/torch.txt
lock llm --extra llm --constraint requirements/dev.lock
