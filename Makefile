# The two commands of the README: `make serve` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help serve doctor test check bench avatar-tools clean

help:
	@echo "make serve         set up and serve the page (ARGS=... for options of \`parley serve\`)"
	@echo "make doctor        set up and look for what can stop a visitor from talking"
	@echo "make avatar-tools  set up what \`parley avatar create\` needs (MediaPipe)"
	@echo "make test          set up and pass the tests"
	@echo "make check         only ruff and mypy"
	@echo "make clean         remove the environment and caches"

serve: $(VENV)/.base
	@$(BIN)/parley serve $(ARGS)

doctor: $(VENV)/.base
	@$(BIN)/parley doctor

test: $(VENV)/.test
	@scripts/browser.sh
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/mypy

avatar-tools: $(VENV)/.mediapipe

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Parley needs Python 3.11 or newer as \`$(PYTHON)\`: sudo apt install python3 python3-venv (or PYTHON=/path/to/python3.12 make serve)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python's venv module is missing: sudo apt install python3-venv"; exit 1; }

$(VENV)/.base: pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) (once; a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/.base $(VENV)/.mediapipe
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

# MediaPipe declares packages that it does not load (jax, and an OpenCV with a window system that overwrites ours).
$(VENV)/.mediapipe: avatar/mediapipe-requirements.txt | $(VENV)/.base
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $< || \
	  echo "note: MediaPipe cannot be installed here; everything but \`parley avatar create\` works"
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache dist
