# Every target works in a fresh clone: the first one that is used builds the environment.
# Requires make, and Python 3.11 or newer with its venv module.

VENV := .venv
BIN := $(VENV)/bin
# Depends on the content of pyproject.toml, not on its time stamp.
STAMP := $(VENV)/.installed-$(shell cksum < pyproject.toml | cut -d ' ' -f 1)

.ONESHELL:
SHELL := /bin/sh
.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
.PHONY: help demo test check smoke exploits faults bench reports format clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile

demo: $(STAMP) ## run three small submissions, rank them and render the site
	@$(BIN)/joulemark demo

test: $(STAMP) ## run the tests on two processes
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-header -r sfE -m "not smoke"

check: $(STAMP) ## lint, format, import floors, types, house rules
	@failed=
	gate() { name=$$1; shift; echo "== $$name"; "$$@" || failed="$$failed, $$name"; }
	gate "ruff check" $(BIN)/ruff check
	gate "ruff format" $(BIN)/ruff format --check
	gate "import floors" $(BIN)/lint-imports --no-logo
	gate "types" $(BIN)/mypy
	for entry in workloads/submissions/*/; do
	  [ -d "$$entry" ] || continue
	  gate "types of $$entry" $(BIN)/mypy --no-error-summary "$$entry"*.py
	done
	gate "house rules" $(BIN)/python -m pytest -q tests/house
	test -z "$$failed" || { echo "gates failed: $${failed#, }" >&2; exit 1; }

smoke: $(STAMP) ## train every smoke workload end to end
	@$(BIN)/python -m pytest --no-header -q -m smoke tests/smoke

exploits: $(STAMP) ## run every known cheat under every launcher, as root and as a user
	@$(BIN)/python -m tests.exploits.arena
	if [ "$$(id -u)" = 0 ]; then $(BIN)/python -m tests.exploits.arena --without-rights; fi

faults: $(STAMP) ## inject faults by 10,000 seeded schedules, and kill real runs
	@JOULEMARK_SCHEDULES=$${JOULEMARK_SCHEDULES:-10000} \
	  $(BIN)/python -m pytest -n 2 --no-header -r sfE --timeout 1800 tests/faults tests/run/test_faults.py

bench: $(STAMP) ## benchmark the harness itself
	@$(BIN)/python -m pytest tests --benchmark-only --no-header

reports: $(STAMP) ## render the committed site from the committed results
	@$(BIN)/joulemark report --results results/reference --out reports/reference

format: $(STAMP) ## format the source and apply safe fixes
	@$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean: ## remove caches and build products; keeps .venv and results
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks
	find harness workloads tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(STAMP): pyproject.toml
	@python=
	for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
	    python=$$candidate
	    break
	  fi
	done
	if [ -z "$$python" ]; then
	  echo "no Python 3.11 or newer found; install one (sudo apt-get install python3 python3-venv)" >&2
	  echo "or set it: make PYTHON=/path/to/python3.11" >&2
	  exit 1
	fi
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then
	  package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
	  echo "$$python has no ensurepip; install it: sudo apt-get install $$package" >&2
	  exit 1
	fi
	# An environment without a working interpreter is created again.
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
	  echo "creating $(VENV) with $$("$$python" --version)"
	  "$$python" -m venv --clear $(VENV)
	fi
	log=$(VENV)/install.log
	: > "$$log"
	# pip repeats a failed connection; the further rounds are for an index that is down.
	install() {
	  echo "installing $$1"
	  shift
	  for pause_s in 5 30 0; do
	    if $(BIN)/python -m pip install --no-input --disable-pip-version-check --retries 8 "$$@" \
	      >> "$$log" 2>&1; then return 0; fi
	    sleep "$$pause_s"
	  done
	  tail -n 20 "$$log" >&2
	  echo "pip failed; its output is in $$log" >&2
	  exit 1
	}
	install "pip" --upgrade pip
	# torch first and separately: it is by far the largest package. pip's configuration decides
	# whether it is a CPU or a GPU build.
	torch=$$($(BIN)/python -c 'import tomllib
	parts = tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]
	print(next(part for part in parts if part.startswith("torch")))')
	install "$$torch (the largest package)" "$$torch"
	install "joulemark with its development and signing extras" -e ".[dev,sign]"
	rm -f $(VENV)/.installed-*
	touch $@
