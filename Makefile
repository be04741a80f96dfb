# make repro: everything, from nothing to the results table.  make test: lint and all tests.  Both make .venv first.

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: repro test lint

repro: .venv/installed
	dvc repro
	kelly results --readme README.md

test: lint
	pytest

lint: .venv/installed
	ruff check .
	ruff format --check .
	mypy

.venv/installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]' -c requirements.lock
	touch $@
