# make lab: open the notebooks.  make test: run every check.  Both set up .venv/ first, once.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: setup lab test system

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is %s" % sys.version.split()[0])'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing (on Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

lab: setup
	$(BIN)/jupyter lab notebooks/00-start-here.ipynb

system:
ifeq ($(CI),true)
	@command -v tshark chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq tshark chromium; }
endif

test: setup system
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy wsedu
	$(BIN)/pytest -q -m "not slow"
	$(BIN)/pytest -q --nbval --nbval-current-env --nbval-sanitize-with tests/nbval-sanitize.cfg --nbval-cell-timeout=60 notebooks/*.ipynb
