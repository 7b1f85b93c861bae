# make run: the whole system on this machine. Needs Python 3.11 or newer, nothing else.
.DEFAULT_GOAL := help
.PHONY: help run test lint bench faults drill clean venv venv-dev FORCE

PY := .venv/bin/python
PYTHON ?=
# a dozen processes import the same packages: let the first one keep what it compiled
unexport PYTHONDONTWRITEBYTECODE

# the virtualenv of another directory or of a removed Python is made anew (venv.sh says so)
ifneq ($(shell test -x $(PY) && cat .venv/.made-in 2>/dev/null),$(CURDIR))
REMAKE := FORCE
endif

# mypy's Django plugin, makemigrations and spectacular load the settings; they connect to nothing
CHECK_ENV := NOTIFIER_SECRET_KEY=only-for-checks NOTIFIER_SANDBOX_SECRET=only-for-checks \
	NOTIFIER_ENCRYPTION_KEYS=k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
	NOTIFIER_HASH_KEYS=h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
	DATABASE_URL=postgresql://nobody@127.0.0.1:9/none REDIS_URL=redis://127.0.0.1:9/0

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: venv ## start everything, send the first notification, keep serving (Ctrl-C stops)
	@$(PY) -m notifier.local up

# three processes, which wait for others a third of their time; a file's tests stay in one. Another number: make test WORKERS=4
WORKERS ?= 3
test: venv-dev ## the whole test suite
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: venv-dev ## style, types, architecture, migrations, API schema
	$(PY) -m ruff check apps notifier tests manage.py
	$(PY) -m ruff format --check apps notifier tests manage.py
	$(CHECK_ENV) $(PY) -m mypy
	.venv/bin/lint-imports
	$(CHECK_ENV) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@mkdir -p build
	$(CHECK_ENV) $(PY) manage.py spectacular --fail-on-warn --validate --file build/openapi.yaml

bench: venv-dev ## measure throughput and latency on this machine
	$(PY) -m tests.bench

faults: venv-dev ## kill, freeze and starve parts of the system; count what was lost or doubled
	$(PY) -m pytest tests/faults -m ""

drill: venv-dev ## play outages of simulated providers and print what held
	@$(PY) -m tests.drill

clean: ## remove everything that make has made, data included
	@if [ -x $(PY) ]; then $(PY) -m notifier.local clean; fi
	rm -rf .venv .local build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: .venv/.installed-requirements.txt
venv-dev: .venv/.installed-requirements-dev.txt

.venv/.installed-requirements.txt: requirements.txt constraints.txt $(REMAKE)
	@PYTHON="$(PYTHON)" sh notifier/local/venv.sh requirements.txt

.venv/.installed-requirements-dev.txt: .venv/.installed-requirements.txt requirements-dev.txt constraints.txt
	@PYTHON="$(PYTHON)" sh notifier/local/venv.sh requirements-dev.txt
