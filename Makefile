# The project's few commands. Each first makes sure that what it needs is there; nothing is done twice.
#
#   make setup   .venv with everything        make demo    see it work, on this machine (SERVE=1: and look)
#   make test    the whole suite              make check   style, types, layers, docs: no tests
#   make bench   measure against others       make docs    write the generated reference pages
#   make lock    pin requirements again       make nightly the long tests, mutants, power cuts
#   make site    the documentation as a site  make dist    wheel, sdist and their digests, reproducible
#   make unit    the unit tests, small set-up make deb     a Debian package of everything
#   make mutants does a test notice every change of the code?

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo pictures test check bench lock upgrade docs format mutants nightly site dist deb unit test-power release-notes clean

BIN := .venv/bin
# Five for two cores, for half of the tests wait for a server or a disk.
JOBS ?= $(shell echo $$(((5 * $$(nproc) + 1) / 2)))

help:
	@sed -n '3,9s/^#  //p' Makefile

setup:
	@scripts/setup.sh
	@$(BIN)/python scripts/viewer.py

demo: setup
	@scripts/system.sh demo
	@$(BIN)/python -m scripts.demo $(if $(SERVE),--serve)

# Bytecode is written whatever the environment says: without it each runner takes 15 s more to read the tests.
test: setup
	@scripts/system.sh test
	@scripts/ckan.sh
	@scripts/clients.sh
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

# What a first change needs: a fifth of the download, no system packages, no services. Takes .venv where it is there.
# The tests of the project itself run its linters and builders, so they are for `make test`.
unit:
	@[ -x $(BIN)/python ] || MINIMAL=1 scripts/setup.sh
	$(if $(wildcard $(BIN)/python),$(BIN),.venv-unit/bin)/python -m pytest -n $(shell nproc) --dist worksteal tests/unit --ignore tests/unit/project $(ARGS)

# The pictures of the documentation, taken of real pages in Chromium. The base is a path that may stand in them.
pictures: setup
	@scripts/system.sh test
	MUNIMENT_PICTURES=docs/pictures $(BIN)/python -m pytest -m nightly --basetemp /tmp/rivermark tests/acceptance/pages/test_pictures.py $(ARGS)

nightly: setup
	@scripts/system.sh test
	@scripts/system.sh nightly
	@scripts/ckan.sh
	@scripts/clients.sh
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m nightly --timeout 3600 --ignore tests/power $(ARGS)
	$(MAKE) mutants ARGS=
	$(MAKE) test-power ARGS=

# Needs root and loop devices; says so where it cannot run. make test-power ARGS="-k 'purge and xfs'"
test-power: setup
	@scripts/system.sh test
	$(BIN)/python -m pytest -m nightly --timeout 3600 -rA --show-capture=no tests/power $(ARGS)

# make mutants ARGS="commit recovery --seed 2 --most 40"
mutants: setup
	$(BIN)/python -m scripts.mutants $(ARGS)

check: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python --level error tests/typing/user_code.py
	$(BIN)/lint-imports --no-logo
	$(BIN)/python scripts/shape.py
	$(BIN)/python scripts/locks.py --check
	$(BIN)/python scripts/reference.py --check
	$(BIN)/python scripts/changelog.py --check

format: setup
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: setup
	@scripts/system.sh bench
	@$(BIN)/python -m compileall -q src bench
	@$(BIN)/python -m bench $(ARGS)

docs: setup
	$(BIN)/python scripts/reference.py

site: setup
	$(BIN)/python scripts/docs_site.py

dist: setup
	$(BIN)/python scripts/dist.py

deb: setup
	$(BIN)/python scripts/debian_package.py

lock:
	@if [ -x $(BIN)/python ]; then $(BIN)/python scripts/locks.py; else scripts/setup.sh && $(BIN)/python scripts/locks.py; fi

upgrade: setup
	$(BIN)/python scripts/locks.py --upgrade

# make release-notes VERSION=0.2.0
release-notes: setup
	$(BIN)/python scripts/changelog.py --release $(VERSION)

clean:
	rm -rf .venv .venv-unit .venv-ckan .venv-clients .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .schemathesis build dist demo
