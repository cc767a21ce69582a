# `make toy` runs the toy study, `make test` the tests; both first make .venv from the lock, once.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

.PHONY: help toy test docs lock

help:
	@echo "make toy    run the toy study: results/toy/report/index.html"
	@echo "make test   run the tests"
	@echo "make docs   rewrite config/README.md and the pictures in README.md"

toy: $(READY)
	@$(VENV)/bin/snakemake --cores 2
	@echo "The toy study is in results/toy: open results/toy/report/index.html"

test: $(READY)
	$(VENV)/bin/python -m pytest

docs: $(READY)
	$(VENV)/bin/python docs/make.py

$(READY): envs/workstation.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"lexmerge needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}. Try: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@echo "Installing the locked packages into $(VENV), once: about 2.5 GB, some minutes"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r envs/workstation.txt
	@touch $@

# The newest versions that envs/workstation.in admits, tried out in an environment of their own.
lock:
	$(PYTHON) -m venv --clear $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check -r envs/workstation.in
	$(VENV)-lock/bin/python -m pip check
	{ sed -n '/^#/p' envs/workstation.txt; $(VENV)-lock/bin/python -m pip freeze | sed 's/^torch==.*/torch==2.13.0/'; } > envs/workstation.txt.new
	mv envs/workstation.txt.new envs/workstation.txt
	rm -rf $(VENV)-lock
