# The environment lives in a cache outside the clone, keyed by what it is made of, and .venv links to it:
# a second clone on the same machine reuses it.
PYTHON ?= python3
CACHE  ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dgn
KEY    := $(shell $(PYTHON) -c "import hashlib, sys, tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
  made_of = repr((p['dependencies'], p['optional-dependencies'], sys.version)); \
  print(hashlib.sha256(made_of.encode()).hexdigest()[:16])")
ENV    := $(CACHE)/env-$(KEY)
PY     := .venv/bin/python

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

# Dependencies go to the shared environment, the package itself does not: it is imported from the clone.
install: $(ENV)/complete ## set up the environment (.venv), if it is missing
	@ln -sfn $(ENV) .venv

$(ENV)/complete:
	@echo "setting up $(ENV): about 100 packages, a few minutes the first time"
	@rm -rf $(ENV) && $(PYTHON) -m venv $(ENV)
	@$(ENV)/bin/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
	  o = p['optional-dependencies']; \
	  print(*p['dependencies'], *(r for e in o.values() for r in e if not r.startswith('dgn[')), sep='\n')" > $(ENV)/requirements.txt
	@$(ENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $(ENV)/requirements.txt
	@touch $@

demo: install ## synthesize with the defaults and say where the page is
	@$(PY) synthesize.py

test: install browser ## run all tests
	@$(PY) -m pytest

# The tests of the pages want a Chromium; where none can be had without a question they are skipped, and say so.
browser:
	@for name in chromium chromium-browser google-chrome chrome; do command -v $$name >/dev/null && exit; done; \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0; \
	  echo "installing chromium for the tests of the pages"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  { apt-get update && apt-get install -y --no-install-recommends chromium; } >/dev/null 2>&1 || true

check: install ## formatter, linter, type checker, import contract
	@$(PY) -m ruff format --check . && $(PY) -m ruff check . && $(PY) -m mypy && .venv/bin/lint-imports

.PHONY: help install demo test browser check
