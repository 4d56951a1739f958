# EduPulse: `make demo` sets everything up and runs the whole job; `make test` sets everything up and proves it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
AXE    := $(VENV)/axe/node_modules/axe-core/axe.min.js
export OMP_NUM_THREADS ?= 1
export PYTHONWARNINGS ?= ignore

.PHONY: help demo test lab dashboard soak readme sync lint notebooks clean setup browser

help:  ## what can be made here
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready  ## a virtual environment with everything, pinned

# torch goes first and pinned: asked for by a range it brings gigabytes of CUDA packages.
$(VENV)/.ready: constraints.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11, or say make PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up $(VENV): about two minutes, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $$(grep -E '^torch==' constraints.txt)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup  ## a synthetic district from raw records to an explained caseload
	$(BIN)/edupulse demo --out data/demo

lab: setup  ## JupyterLab on the notebooks
	$(BIN)/jupyter lab nbs/index.ipynb

dashboard: setup  ## the counselor's pages on the demo's district, in a browser
	@test -f data/demo/demo.json || { echo "there is no demo yet: run \`make demo\` first"; exit 1; }
	EDUPULSE_HOME=data/demo $(BIN)/edupulse dashboard

test: setup browser sync lint notebooks  ## everything that must hold, about ten and a half minutes on two cores
	$(BIN)/python -m pytest tests -m "not soak" -n 2 --dist loadfile --no-loadscope-reorder

sync: setup  ## the package is what the notebooks export, and nothing else
	$(BIN)/python tests/check_sync.py

lint: setup  ## one style, no unused names
	$(BIN)/ruff check nbs reports tests sql
	$(BIN)/ruff format --check nbs reports tests sql

notebooks: setup  ## every notebook runs in a kernel of its own, and its assertions hold
	JUPYTER_PATH=$(CURDIR)/tests $(BIN)/python -m pytest --nbval-lax nbs --nbval-kernel-name warm -n 2 --dist loadfile --no-loadscope-reorder -p no:cacheprovider --nbval-kernel-startup-timeout 300

readme: setup  ## README.md from nbs/index.ipynb
	$(BIN)/python tests/check_sync.py --write-readme

soak: setup browser  ## the long sweeps
	$(BIN)/nbdev-test --n_workers 2 --flags 'slow'
	$(BIN)/python -m pytest tests -m soak

# Pages are tested in a real browser. Where it cannot be installed those tests say so and are skipped, or fail with
# EDUPULSE_REQUIRE_BROWSER=1.
browser: $(AXE)
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	    && apt-get install -y -qq chromium fonts-dejavu >/dev/null; then exit 0; fi; \
	  echo "no browser is here and none can be installed by this user; as root: apt-get install chromium"; \
	  [ -z "$$EDUPULSE_REQUIRE_BROWSER" ] || { echo "EDUPULSE_REQUIRE_BROWSER is set, so this is a failure"; exit 1; }; \
	  echo "the page tests will be skipped"

# axe-core judges whether everybody can use a page; without npm that is skipped as loudly as a missing browser.
$(AXE): | setup
	@if command -v npm >/dev/null; then npm install --silent --no-audit --no-fund --prefix $(VENV)/axe axe-core@4.14.1; \
	  else echo "npm is not here: whether everybody can use the pages is not judged"; [ -z "$$EDUPULSE_REQUIRE_BROWSER" ]; fi

clean:  ## remove the environment, the demo's state and everything built
	rm -rf $(VENV) data/demo build dist _proc .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
