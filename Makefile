# The only entry point: every target works alone on a fresh clone, with Python 3.10 or newer and a
# C++20 compiler. The first one that is called makes .venv and fills it; later calls find it there.
#
#   make demo    a small model turns sentences into typed triples
#   make test    every test                      make check   linters, types, import rules
#   make bench   masks, ten minutes              make docs    the documentation, into site/
#   make fmt     formats the sources             make clean   removes what was built (not .venv)
#   make sanitize   the C++ tests under AddressSanitizer, UBSan and ThreadSanitizer
#   make fuzz       looks for inputs that break the core, for FUZZ_SECONDS=60 (needs Clang)
#   make schema-walks   RANDOM_SCHEMAS=10000 of them, judged by jsonschema-rs
#   make lark-walks     LARK_WALKS=1000 texts of each public Lark grammar, judged by Lark
#
# Without a compiler:            SLM_ENGINE=reference make test
# Another interpreter:           make test PYTHON=python3.12
# Extra pip options for torch:   make test TORCH_PIP_FLAGS="--index-url …"   (e.g. its CPU-only builds)

PYTHON ?= python3
VENV ?= .venv
TORCH_PIP_FLAGS ?=
PYTEST_FLAGS ?=
# About ten minutes; xgrammar compiles slowly and gets a part of the cases.
BENCH_FLAGS ?= --cases 1500 --seconds 140 --engines slm,llguidance,xgrammar,xgrammar-warm \
  --share xgrammar=0.1,xgrammar-warm=0.1 --limit-seconds 20
FUZZ_SECONDS ?= 60
LARK_WALKS ?= 1000
RANDOM_SCHEMAS ?= 10000
FUZZ_CLANG ?=
FUZZ_FLAGS ?=
# Tests run in this many processes: the cores this process may use, eight at most.
WORKERS ?= $(shell $(PY) -c 'import os; print(min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))')

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

PY := $(VENV)/bin/python
PIP := $(PY) -m pip install -c constraints.txt
# Says what is fetched and built, and leaves out what is there already.
TERSE := { grep --line-buffered -vE '^ *(Requirement already|Looking in|Using cached|Downloading|Preparing|Obtaining|Stored)' || true; }

define NO_COMPILER
No C++20 compiler was found (c++, g++ and clang++ were tried), and slm's native engine needs one.
  Debian, Ubuntu:  apt install g++
  Fedora:          dnf install gcc-c++
  macOS:           xcode-select --install
  Windows:         Visual Studio Build Tools, workload "Desktop development with C++"
If you have one under another name, say CXX=… . To go without: the engine in Python gives the same
masks, slowly:  SLM_ENGINE=reference make test
endef
export NO_COMPILER

ENGINE := $(if $(filter reference,$(SLM_ENGINE)),reference,native)
BUILT := $(VENV)/.slm-built-$(ENGINE)
NATIVE_SOURCES := $(wildcard CMakeLists.txt tools/characters.py kernels/CMakeLists.txt kernels/*/CMakeLists.txt \
  kernels/*/*.cc kernels/*/*.h kernels/*/*.cu kernels/*/*/*.cc kernels/*/*/*.h kernels/*/*/*.cu)
CPP_FILES := $(wildcard kernels/*/*.cc kernels/*/*.h kernels/*/*.cu kernels/*/*/*.cc kernels/*/*/*.h \
  kernels/*/*/*.cu kernels/*/*/*.cuh kernels/*/*/*/*.cc kernels/*/*/*/*.h)

.PHONY: help demo test check sanitize fuzz schema-walks lark-walks fmt bench docs clean distclean

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

# --- what each target does -------------------------------------------------------------------------

demo: $(VENV)/.slm-demo
	@$(PY) -m slm.cli.main demo

test: $(VENV)/.slm-test
	$(PY) -m pytest -n $(WORKERS) --dist worksteal -q --durations=10 $(PYTEST_FLAGS)

check: $(VENV)/.slm-check
	@failed=; try() { echo "$$*"; "$$@" || failed=yes; }; \
	try $(PY) -m ruff check; \
	try $(PY) -m ruff format --check; \
	try $(PY) -m mypy; \
	try $(VENV)/bin/lint-imports --no-logo --no-cache; \
	try $(VENV)/bin/clang-format --dry-run -Werror $(CPP_FILES); \
	if $(PY) -c 'import slm._native' 2>/dev/null; then try $(PY) -m mypy.stubtest slm._native --allowlist kernels/bind/stubtest.allow; \
	else echo 'stubtest: left out, the native engine is not built here'; fi; \
	test -z "$$failed"

sanitize: $(VENV)/.slm-tools
	@export PATH="$(abspath $(VENV))/bin:$$PATH"; \
	for kinds in address,undefined thread; do \
	  folder=build/sanitize-$${kinds%%,*}; \
	  cmake -S . -B $$folder -G Ninja -DSLM_PYTHON=OFF -DSLM_TESTS=ON -DSLM_SANITIZE=$$kinds > /dev/null; \
	  cmake --build $$folder -- --quiet; \
	  export UBSAN_OPTIONS=halt_on_error=1; \
	  echo "$$kinds:"; \
	  for name in core label word session store cost row schema lower softmax head; do $$folder/$${name}_tests; done; \
	  $$folder/replay_tests kernels/tests/corpus 2> $$folder/replay.log \
	    || { tail -n 100 $$folder/replay.log; exit 1; }; \
	done

fuzz: $(VENV)/.slm-tools
	@$(PY) tools/fuzz.py --seconds $(FUZZ_SECONDS) $(if $(FUZZ_CLANG),--clang $(FUZZ_CLANG)) $(FUZZ_FLAGS)

schema-walks: $(VENV)/.slm-test
	SLM_RANDOM_SCHEMAS=$(RANDOM_SCHEMAS) $(PY) -m pytest -q --timeout=0 tests/properties/test_schema_walks.py tests/properties/test_content_walks.py

lark-walks: $(VENV)/.slm-test
	SLM_LARK_WALKS=$(LARK_WALKS) $(PY) -m pytest -q -s tests/conformance/test_lark_walks.py

fmt: $(VENV)/.slm-check
	$(PY) -m ruff check --fix-only
	$(PY) -m ruff format
	$(if $(CPP_FILES),$(VENV)/bin/clang-format -i $(CPP_FILES))

bench: $(VENV)/.slm-bench
	$(PY) benchmarks/maskbench.py $(BENCH_FLAGS)

docs: $(VENV)/.slm-docs
	$(PY) -m mkdocs build --strict --quiet
	@echo 'documentation: site/index.html'

clean:
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f $(VENV)/.slm-built-native $(VENV)/.slm-built-reference
	find slm tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

# --- the virtual environment, in steps that are done once -------------------------------------------

$(VENV)/.slm-venv:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 10) else f"slm needs Python 3.10 or newer, and $(PYTHON) is {v[0]}.{v[1]}: try make PYTHON=python3.11")'
	@test -x $(PY) || { echo '· a virtual environment in $(VENV)'; $(PYTHON) -m venv $(VENV); }
	@touch $@

# torch has a line of its own, before all that depends on it: what pip picks here stays.
$(VENV)/.slm-torch: constraints.txt | $(VENV)/.slm-venv
	@echo '· torch (large: some minutes the first time)'
	@$(PIP) $(TORCH_PIP_FLAGS) "$$(grep '^torch==' constraints.txt)" | $(TERSE)
	@touch $@

$(VENV)/.slm-tools: constraints.txt | $(VENV)/.slm-venv
	@echo '· build tools'
	@$(PIP) scikit-build-core nanobind cmake ninja | $(TERSE)
	@touch $@

$(VENV)/.slm-built-native: pyproject.toml $(NATIVE_SOURCES) $(VENV)/.slm-tools
	@for c in $(CXX) c++ g++ clang++; do \
	  $$c -std=c++20 -x c++ -fsyntax-only /dev/null 2>/dev/null && exit 0; done; \
	echo "$$NO_COMPILER" >&2; exit 1
	@echo '· slm with its native engine'
	@$(PIP) --no-build-isolation --no-deps -e . | $(TERSE)
	@rm -f $(VENV)/.slm-built-reference; touch $@

$(VENV)/.slm-built-reference: pyproject.toml $(VENV)/.slm-tools
	@echo '· slm with the reference engine only'
	@$(PIP) --no-build-isolation --no-deps -e . | $(TERSE)
	@rm -f $(VENV)/.slm-built-native; touch $@

# The documentation is read from the sources: slm need not be built for it.
$(VENV)/.slm-docs: constraints.txt pyproject.toml | $(VENV)/.slm-venv
	@echo '· packages for the documentation'
	@$(PIP) mkdocs 'mkdocstrings[python]' | $(TERSE)
	@touch $@

# .slm-test stands for `pip install slm[test]`, and so on: slm itself is there, its extras are added.
$(VENV)/.slm-%: constraints.txt $(BUILT) $(VENV)/.slm-torch
	@echo '· packages for slm[$*]'
	@$(PIP) 'slm[$*]' | $(TERSE)
	@touch $@
