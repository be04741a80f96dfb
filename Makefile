# make repro: everything, from nothing to the results table.  make test: lint and all tests.  make bench: measurements.
# All make .venv first.

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: repro test lint bench lock

repro: .venv/installed
	kelly check
	kelly repro
	kelly results --readme README.md

test: lint
	pytest -n logical --dist loadfile --no-loadscope-reorder    # a file stays on one core; the long ones are not last

lint: .venv/installed
	ruff check .
	ruff format --check .
	mypy

# MIDI=folder measures the reading of its files as well.
bench: .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[bench]' -c requirements.lock
	python -m benchmarks $(if $(MIDI),--midi '$(MIDI)')

# The lock holds names and versions only; the build of torch (CPU, CUDA) is left to the machine, and so is its version to
# whoever edits the lock: another one trains other bytes. Made on Linux: the fuzzer exists there only.
lock:
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
		"$$(grep ^torch== requirements.lock)" -e '.[test,fuzz,bench]'
	.venv/bin/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//' > requirements.lock
	touch .venv/installed

.venv/installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]' -c requirements.lock
	touch $@
