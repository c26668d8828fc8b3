# SPDX-License-Identifier: GPL-2.0-or-later
# make lab: open the notebooks.   make test: run every check.   Both set up .venv/ first, once.
# make bench: measure.            make test-all: what takes longer than a coffee.
# make site: the notebooks as a static site, in site/.   make test-site: build it and check it.
# make shots: a picture of every screenful of every notebook, in screenshots/, light and dark, wide and narrow.

# The first of these that is new enough is taken; PYTHON=... names another.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11

BIN := .venv/bin
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with tests/nbval-sanitize.cfg --nbval-cell-timeout=180
# One file of tests goes to one worker, as Lab and Chromium are started once a file; the longest come first (conftest.py).
TWO := -n 2 --dist loadfile --no-loadscope-reorder

# Jupyter, pip and IPython keep things at home; where nothing can be written there, they do in .venv/.
ifeq ($(shell [ -w "$$HOME" ] && echo yes),)
export HOME := $(CURDIR)/.venv/home
endif

.PHONY: setup lab test test-all test-site site shots bench system
.DELETE_ON_ERROR:

setup: .venv/ready
	@:

lab: setup
	$(BIN)/jupyter lab --ServerApp.root_dir=. $(AS_ROOT) notebooks/00-start-here.ipynb

# In a container one often is root, and Jupyter wants to be told.
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)

# What tests start imports what is in tests/quicker first.
QUICKER := export PYTHONPATH="$(CURDIR)/tests/quicker$${PYTHONPATH:+:$$PYTHONPATH}";

# In the notebooks a socket or a file that a cell leaves open is an error, which nbval sees on stderr. Notebook 10 loads
# a server with as many clients as there may be open files: 2,000 here, which takes half the CPU time of 10,000 (those
# are in test-all, in tests/test_live_notebooks.py). One of the notebooks runs without sockets too (test-all: all that can).
# One shell for all of it, since the CPU time that it tells at the end is that of its own children.
test: .venv/ready-to-test system
	@trap 'echo "CPU time, user and system, of the shell and of all checks:"; times' EXIT; set -ex; $(QUICKER) \
	$(BIN)/ruff check .; \
	$(BIN)/ruff format --check .; \
	$(BIN)/mypy wsedu tools tests; \
	$(BIN)/pytest -q -m "not slow and not site" $(TWO) --durations=10; \
	(ulimit -n 2100 || :; PYTHONWARNINGS=error::ResourceWarning $(BIN)/pytest -q $(NBVAL) $(TWO) notebooks/*.ipynb); \
	WSEDU_NETWORK=memory $(BIN)/pytest -q $(NBVAL) notebooks/03-*.ipynb

# npm fetches axe-core, which looks at every page.
test-all: NPM := needed
test-all: test
	$(QUICKER) WSEDU_SCREENSHOTS=screenshots $(BIN)/pytest -q -m slow $(TWO) --durations=10

shots: .venv/ready-to-test system
	rm -rf screenshots
	WSEDU_SCREENSHOTS=screenshots $(BIN)/pytest -q $(TWO) -k "everyone or reads_and_runs or export_reads" \
	    tests/test_browser*.py tests/test_widgets*.py

# JupyterLite runs all notebooks in the browser; npm has Pyodide, the Python that does it. Chromium takes pictures of the
# pages to read, if it is here.
site: NPM := needed
site: .venv/site/ready system
	.venv/site/bin/python tools/build_site.py site $(ADDRESS)

test-site: .venv/ready-to-test site
	$(BIN)/pytest -q -m site -n 2 tests/test_site.py
	WSEDU_SITE=site $(BIN)/pytest -q -m "not slow" tests/test_widgets.py tests/test_site_progress.py
	WSEDU_SITE=site $(BIN)/pytest -q -k "08 and not light and not dark-1 or html or broken" tests/test_browser.py

bench: setup system
	$(BIN)/python tools/bench.py

# A .venv/ is made again if its Python is gone, is too old or is not the version that PYTHON=... asks for, and if it was
# made in another folder, to which its programs would still lead.
ASKED = $(if $(filter-out file,$(origin PYTHON)),$(PYTHON))
NEW_ENOUGH := -c 'import sys; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 11))'
UNUSABLE := $(shell [ -d .venv ] || exit; \
    has=$$($(BIN)/python $(NEW_ENOUGH) 2>/dev/null) || { echo "its Python is gone or too old"; exit; }; \
    grep -qF "$(CURDIR)/.venv" $(BIN)/activate || { echo "it was made in another folder"; exit; }; \
    for python in $(ASKED); do \
        wanted=$$($$python $(NEW_ENOUGH) 2>/dev/null) || continue; \
        [ "$$wanted" = "$$has" ] || echo "it has Python $$has, $$wanted is asked for"; \
        break; \
    done)
ifneq ($(UNUSABLE),)
.PHONY: $(BIN)/python
endif

$(BIN)/python:
	@tried=; for python in $(PYTHON); do \
	    $$python $(NEW_ENOUGH) >/dev/null 2>&1 && break; \
	    tried="$$tried, $$python is $$($$python -c 'import platform; print(platform.python_version())' \
	        2>/dev/null || echo not here)"; \
	    python=; \
	done; \
	[ -n "$$python" ] || { echo "Python 3.11 or newer is needed$$tried (PYTHON=path names another)" >&2; exit 1; }; \
	$$python -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "The venv module of $$python is missing (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }; \
	echo "Setting up .venv/ with $$python, once: a minute or two$(if $(UNUSABLE), (the old one goes: $(UNUSABLE)))"; \
	$$python -m venv --clear .venv

# What the notebooks need. Nothing is installed again until one of these files changes.
.venv/ready: $(BIN)/python pyproject.toml constraints.txt
	$(call install,'.[lab]')
	@touch $@

# That, and what tests need.
.venv/ready-to-test: $(BIN)/python pyproject.toml constraints.txt
	$(call install,'.[test]')
	@touch .venv/ready $@

define install
@echo "Installing what constraints.txt lists"; $(BIN)/python -m pip install --disable-pip-version-check \
    --constraint constraints.txt --editable $(1) >.venv/pip.log 2>&1 || { \
    grep ERROR .venv/pip.log | head -n 3 >&2; \
    echo "The packages could not be installed: is there a network? .venv/pip.log has all that pip said" >&2; exit 1; }
endef

.venv/site/ready: $(BIN)/python tools/site-build.txt constraints.txt
	$(BIN)/python -m venv --clear .venv/site
	.venv/site/bin/python -m pip install --disable-pip-version-check -q -r tools/site-build.txt
	@touch $@

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
