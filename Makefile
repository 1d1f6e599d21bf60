# The environment is the clone's own, .venv, with the package installed into it as it stands here (editable): `dgn` in
# .venv/bin works from any folder. pip's own cache is shared by all clones.
PYTHON ?= python3
PY     := .venv/bin/python
JOBS   ?= 2# test processes, of one thread each
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest --numprocesses=$(JOBS) --dist=worksteal

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: .venv/installed ## set up the environment (.venv), if it is missing

.venv/installed: pyproject.toml
	@echo "setting up .venv: about 100 packages, a few minutes the first time"
	@if [ -L .venv ]; then rm .venv; fi
	@[ -x $(PY) ] || $(PYTHON) -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
	@echo "installed into .venv. Next: source .venv/bin/activate, then make demo or dgn --help"

demo: install ## synthesize with the defaults and say where the page is
	@$(PY) synthesize.py

test: check browser ## formatter, linter, types, imports; then all tests but those marked parity
	@$(PYTEST)

test-all: check browser ## the same with every test: whole training iterations of five more layers, some minutes
	@$(PYTEST) -m "parity or not parity"

# The tests of the pages need a Chromium; where none can be installed without a question they are skipped, and say so.
browser:
	@for name in chromium chromium-browser google-chrome chrome; do command -v $$name >/dev/null && exit; done; \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || \
	    { echo "no browser here: the tests of the pages are skipped"; exit 0; }; \
	  echo "no browser here: apt-get installs chromium on this machine, for the tests of the pages"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  { apt-get update && apt-get install -y --no-install-recommends chromium; } >/dev/null 2>&1 || \
	    echo "chromium could not be installed: the tests of the pages are skipped"

check: install ## formatter, linter, type checker, import contract
	@$(PY) -m ruff format --check . && $(PY) -m ruff check . && $(PY) -m mypy && .venv/bin/lint-imports

# IMAGES=DIR PLACES=DIR JUDGE=FILE: paths that the steps ask for; ONLY=NAME: one claim
paper: install ## settle the paper's claims: train, make and measure what is missing, then write docs/paper.md
	@$(PY) -m dgn paper $(ONLY) $(if $(IMAGES),'images=$(IMAGES)') $(if $(PLACES),'places=$(PLACES)') \
	  $(if $(JUDGE),'judge_weights=$(JUDGE)')

docs: install ## the API reference from the docstrings, build/docs/index.html; a warning is an error
	@$(PY) docs/reference.py build/docs

.PHONY: help install demo test test-all browser check paper docs
