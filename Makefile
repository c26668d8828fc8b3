# SPDX-License-Identifier: GPL-2.0-or-later
# make lab: open the notebooks.   make test: run every check.   Both set up .venv/ first, once.
# make bench: measure.            make test-all: what takes longer than a coffee.

# The first of these that is new enough is taken; PYTHON=... names another.
PYTHON ?= python3 python3.13 python3.12 python3.11

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with tests/nbval-sanitize.cfg --nbval-cell-timeout=60

.PHONY: setup lab test test-all bench system
.DELETE_ON_ERROR:

setup: .venv/ready
	@:

lab: setup
	$(BIN)/jupyter lab --ServerApp.root_dir=. $(AS_ROOT) notebooks/00-start-here.ipynb

# In a container one often is root, and Jupyter wants to be told.
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)

test: .venv/ready-to-test system
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy wsedu tools tests
	$(BIN)/pytest -q -m "not slow" -n 2 --dist loadfile --durations=10
	$(BIN)/pytest -q $(NBVAL) notebooks/*.ipynb

# npm fetches axe-core, which looks at every page.
test-all: NPM := needed
test-all: test
	$(BIN)/pytest -q -m slow --durations=10

bench: setup system
	$(BIN)/python tools/bench.py

$(BIN)/python:
	@tried=; for python in $(PYTHON); do \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	    tried="$$tried, $$python is $$($$python -c 'import platform; print(platform.python_version())' \
	        2>/dev/null || echo not here)"; \
	    python=; \
	done; \
	[ -n "$$python" ] || { echo "Python 3.11 or newer is needed$$tried (PYTHON=path names another)" >&2; exit 1; }; \
	$$python -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "The venv module of $$python is missing (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }; \
	echo "Setting up .venv/ with $$python, once: a minute or two"; \
	$$python -m venv --clear .venv

# What the notebooks need. Nothing is installed again until one of these files changes.
.venv/ready: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

# That, and what tests need.
.venv/ready-to-test: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[test]'
	@touch .venv/ready $@

# The programs that tests ask, only where CI=true: nobody's own machine is changed. Any of the browsers will do.
system:
ifeq ($(CI),true)
	@have() { command -v $$1 >/dev/null; }; missing=; \
	have tshark || missing=tshark; \
	have chromium || have chromium-browser || have google-chrome || missing="$$missing chromium"; \
	[ -z "$(NPM)" ] || have npm || missing="$$missing npm"; \
	[ -z "$$missing" ] || { ($(APT) update || $(APT) update || $(APT) update) && $(APT) install -y $$missing; }
endif

APT = $(if $(filter-out 0,$(shell id -u)),sudo) env DEBIAN_FRONTEND=noninteractive apt-get -qq
