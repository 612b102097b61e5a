# The two commands that a newcomer needs are `make demo` and `make test`. On a machine with CPython >= 3.11 and cargo
# they create .venv, install what is missing, build the extension and run. `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
OUT ?= demo-output
ARGS ?=
BENCH ?= special
LONG_POINTS ?= 1000000
LONG_PROBLEMS ?= 10000
LONG_FITS ?= 30000

# The first interpreter that is new enough and can make a virtual environment; `make PYTHON=/path/to/python` overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
CARGO := $(shell command -v cargo 2>/dev/null || { test -x "$$HOME/.cargo/bin/cargo" && echo "$$HOME/.cargo/bin/cargo"; })

BIN := $(abspath $(VENV))/bin
PY := $(BIN)/python
# One Python for every cargo call, or each of them would compile pyo3 again.
export PYO3_PYTHON := $(PY)
export VIRTUAL_ENV := $(abspath $(VENV))
export PATH := $(BIN):$(PATH):$(HOME)/.cargo/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MPLBACKEND := Agg

RUST := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
BUILT := $(VENV)/.stamp-build
DEPS = $(VENV)/.stamp-$(1)

.PHONY: help develop demo test test-rust lint lint-rust lint-python format types docs long bench tables golden wheel clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(BUILT) $(call DEPS,demo) ## run every family on real data; pictures land in demo-output/
	"$(PY)" -m solvent.demo --out "$(OUT)" $(ARGS)

test: $(BUILT) $(call DEPS,test) ## run the test suite; ARGS='-k bessel' goes to pytest
	"$(PY)" -m pytest $(ARGS)

develop: $(BUILT) $(call DEPS,test) $(call DEPS,lint) $(call DEPS,docs) ## .venv with everything that a developer needs

# In release: the kernels take minutes to compile, and the build of the extension has most of it already.
test-rust: | $(VENV)/.stamp-venv ## run the tests of the Rust crates
	"$(CARGO)" test --release --workspace --locked $(ARGS)

lint: lint-rust lint-python ## formats and lints; changes nothing

lint-rust: | $(VENV)/.stamp-venv
	"$(CARGO)" fmt --all --check
	"$(CARGO)" clippy --workspace --all-targets --locked -- -D warnings

lint-python: $(call DEPS,lint)
	"$(PY)" -m ruff check .
	"$(PY)" -m ruff format --check .

format: $(call DEPS,lint) ## put Rust and Python into the house format
	"$(CARGO)" fmt --all
	"$(PY)" -m ruff check --fix --quiet . || true
	"$(PY)" -m ruff format .

types: $(BUILT) $(call DEPS,lint) $(call DEPS,test) ## mypy over the package; stubs against the built extension
	"$(PY)" -m mypy
	"$(PY)" -m mypy.stubtest solvent._core --mypy-config-file pyproject.toml

docs: $(BUILT) $(call DEPS,docs) ## build docs/_build/html; a warning is an error
	"$(PY)" -m sphinx -W --keep-going -j auto -b html docs docs/_build/html $(ARGS)

long: $(BUILT) $(call DEPS,test) ## what CI cannot afford (hours); logs land in docs/evidence/
	@mkdir -p docs/evidence
	"$(PY)" tools/attack_certificates.py --points $(LONG_POINTS) --out docs/evidence/special-certificates.jsonl
	"$(PY)" tools/attack_ot.py --problems $(LONG_PROBLEMS) --out docs/evidence/ot-certificates.jsonl
	"$(PY)" tools/attack_completion.py --problems $(LONG_PROBLEMS) --out docs/evidence/completion-certificates.jsonl
	"$(PY)" tools/completion_coverage.py --out docs/evidence/completion-coverage.txt
	"$(PY)" tools/completion_phase.py --out docs/evidence/completion-phase.md
	"$(PY)" tools/attack_monotone.py --problems $(LONG_PROBLEMS) --out docs/evidence/monotone-certificates.jsonl
	"$(PY)" tools/attack_quantile.py $(LONG_PROBLEMS) 2>&1 | tee docs/evidence/quantile-certificates.txt
	"$(PY)" tools/attack_lp.py $(LONG_PROBLEMS) 2>&1 | tee docs/evidence/lp-certificates.txt
	"$(PY)" tools/large_points.py --out docs/evidence/ot-points.json
	"$(PY)" tools/attack_regression.py --problems $(LONG_FITS) --out docs/evidence/regression-certificates.jsonl
	"$(PY)" -m benches.out_of_core --gigabytes 4 2>&1 | tee docs/evidence/regression-out-of-core.txt
	"$(PY)" tools/large_ratings.py --out docs/evidence/completion-ratings.json
	"$(CARGO)" test --release --workspace --locked -- --ignored --nocapture 2>&1 | tee docs/evidence/rust-exhaustive.log

bench: $(BUILT) $(call DEPS,test) $(call DEPS,bench) ## side by side with the named peers; BENCH=special ARGS=--quick
	"$(PY)" -m benches.peers $(BENCH) $(ARGS)

tables: $(call DEPS,test) ## regenerate the constants of the kernels
	"$(PY)" tools/gen_simd_tables.py $(ARGS)
	"$(PY)" tools/gen_special_tables.py $(ARGS)

golden: $(call DEPS,test) ## regenerate the golden tables with their own scripts (long)
	for script in tests/golden/*/make_*.py; do echo "$$script"; "$(PY)" "$$script"; done

wheel: $(VENV)/.stamp-venv ## build the wheel into dist/
	"$(PY)" -m maturin build --release --locked --interpreter "$(PY)" --out dist

clean: ## remove everything that a build made
	rm -rf "$(VENV)" target dist demo-output docs/_build docs/gallery docs/api/generated docs/sg_execution_times.rst \
		.pytest_cache .hypothesis .mypy_cache .ruff_cache .asv
	rm -f python/solvent/_core*.so python/solvent/_core*.pyd
	find python tests benches docs tools -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the targets stand on -----------------------------------------------------------------------------------

$(VENV)/.stamp-venv: tools/requirements.py
	@test -n "$(PYTHON)" || { echo "solvent needs CPython 3.11 or newer with its venv module (Debian, Ubuntu: apt install python3-venv), and found none; name one with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -n "$(CARGO)" || { echo "solvent needs cargo 1.89 or newer, and found none; install Rust from https://rustup.rs" >&2; exit 1; }
	test -x "$(PY)" || "$(PYTHON)" -m venv "$(VENV)"
	"$(PY)" tools/requirements.py --build | xargs -d '\n' "$(PY)" -m pip install --quiet
	@touch $@

# An extra of pyproject.toml, without building the package itself.
$(VENV)/.stamp-demo $(VENV)/.stamp-test $(VENV)/.stamp-lint $(VENV)/.stamp-docs $(VENV)/.stamp-bench: \
		$(VENV)/.stamp-%: pyproject.toml tools/requirements.py | $(VENV)/.stamp-venv
	"$(PY)" tools/requirements.py $* | xargs -d '\n' "$(PY)" -m pip install --quiet
	@touch $@

$(BUILT): $(RUST) pyproject.toml | $(VENV)/.stamp-venv
	"$(PY)" -m maturin develop --release --locked
	@touch $@
