# make repro: the whole pipeline, from nothing to the results.   make test: all checks and tests, as CI runs them.
# make check: style, types and the quick tests.                  make bench: measurements.
# All make .venv first. For maintainers: make results writes the results table of the last run into README.md.

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
PYTEST := pytest -n logical --dist loadfile --no-loadscope-reorder  # a file stays on one core; long files do not come last

.PHONY: repro test check lint all-tests quick-tests results bench lock

repro: .venv/installed
	kelly check
	kelly repro
	kelly results

# Style and types take one core: the tests begin on the other.
check: .venv/installed
	$(MAKE) --no-print-directory -j2 lint quick-tests

test: .venv/installed
	$(MAKE) --no-print-directory -j2 lint all-tests

quick-tests: .venv/installed
	$(PYTEST) -m "not pipeline and not slow"

all-tests: .venv/installed
	$(PYTEST)

lint: .venv/installed
	ruff check .
	ruff format --check .
	mypy

results: .venv/installed
	kelly results --readme README.md

# MIDI=folder measures the reading of its files as well.
bench: .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[bench]' -c requirements.lock
	python -m benchmarks $(if $(MIDI),--midi '$(MIDI)')

# The lock holds names and versions only; the build of torch (CPU, CUDA) is left to the machine, and its version to
# whoever edits the lock: another version trains other bytes. Made on Linux: the fuzzer exists there only.
# No hashes: with them in a constraints file pip refuses the editable install of this project ("there is no single file
# to hash", pip 23.2), and those of torch differ by build and platform.
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
