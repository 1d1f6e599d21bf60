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

test: install ## run all tests
	@$(PY) -m pytest

check: install ## formatter, linter, type checker, import contract
	@$(PY) -m ruff format --check . && $(PY) -m ruff check . && $(PY) -m mypy && .venv/bin/lint-imports

.PHONY: help install demo test check
