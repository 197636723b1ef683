# The two commands of the README: `make serve` and `make test`. Everything is set up in .venv; nothing needs root.
PYTHON ?= $(or $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(call new_enough,$(name)))),python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
ARGS ?=
# Extras whose tests shall run too: make test EXTRAS=gpu,train. Without torch they are skipped, and say so.
EXTRAS ?=

comma := ,

# The name, if that Python can run Parley.
new_enough = $(shell $(1) -c 'import sys; sys.version_info >= (3, 11) and print("$(1)")' 2>/dev/null)

.PHONY: help serve doctor test check avatar-tools environment test-environment clean

help:
	@echo "make serve         set up and serve the page (ARGS=... for options of \`parley serve\`)"
	@echo "make doctor        set up and look for what can stop a visitor from talking"
	@echo "make avatar-tools  set up what \`parley avatar create\` needs (MediaPipe)"
	@echo "make test          set up and pass the tests (ARGS=... for options of pytest)"
	@echo "make check         only ruff and mypy"
	@echo "make clean         remove the environment and caches"

serve: environment
	@$(BIN)/parley serve $(ARGS)

doctor: environment
	@$(BIN)/parley doctor

test: test-environment
	@scripts/browser.sh
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest $(ARGS)

check: test-environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

avatar-tools: $(VENV)/.mediapipe
environment: $(VENV)/.base
test-environment: $(VENV)/.test$(EXTRAS)

# An environment whose Python is gone (the system's was upgraded) is made anew; what it held is then installed again,
# because pyvenv.cfg is newer than the stamps.
ifeq ($(shell [ ! -e $(VENV) ] || $(BIN)/python -c '' 2>/dev/null || echo broken),broken)
.PHONY: $(VENV)/pyvenv.cfg
endif

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Parley needs Python 3.11 or newer, and \`$(PYTHON)\` is not that. On Debian 12, Ubuntu 24.04 and later:"; \
	  echo "  sudo apt install python3 python3-venv"; \
	  echo "Elsewhere install one and name it: make serve PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python lacks its venv module: sudo apt install python3-venv"; exit 1; }
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml $(VENV)/pyvenv.cfg
	@echo "Setting up $(VENV): about 250 MB are fetched, once. This takes a minute or two ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null  # `uv venv` leaves pip out
	@$(PIP) install --editable . || { \
	  echo "The installation failed: the lines above say why. Once that is mended, the same command goes on."; exit 1; }
	@touch $@

$(VENV)/.test$(EXTRAS): pyproject.toml $(VENV)/pyvenv.cfg | $(VENV)/.base $(VENV)/.mediapipe
	@echo "Setting up the tools of the tests ..."
	@$(PIP) install --editable '.[test$(if $(EXTRAS),$(comma)$(EXTRAS))]'
	@touch '$@'

# MediaPipe declares packages that it does not load (jax, and an OpenCV with a window system that overwrites ours).
$(VENV)/.mediapipe: avatar/mediapipe-requirements.txt $(VENV)/pyvenv.cfg | $(VENV)/.base
	@echo "Setting up MediaPipe, which finds the face for \`parley avatar create\` ..."
	@$(PIP) install --no-deps --requirement $< >$(VENV)/mediapipe.log 2>&1; \
	  $(BIN)/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("mediapipe") is None)' || \
	  echo "note: there is no MediaPipe for this Python or machine ($(VENV)/mediapipe.log), so \`parley avatar create\` cannot find faces; all else works, and personas made elsewhere can be copied here"
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache dist
