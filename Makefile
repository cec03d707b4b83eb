# BAT Connect: everything a person or a CI machine runs. `make help` lists it.
# Needs nothing but make and a Python from 3.11 to 3.14; the rest is fetched into .venv, the database included.

VENV ?= .venv
PYTHON ?=
PORT ?= 8000
HOST ?= 127.0.0.1
SOAK ?= 10
# Processes that run tests: one more than two cores, for tests wait for servers, browsers and other processes.
WORKERS ?= 3
PYTEST_ARGS ?=
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py
# Without the system checks: those of the admin read permissions from the very tables that this makes.
MIGRATE := $(MANAGE) migrate --skip-checks --verbosity 0
# With a DATABASE_URL the settings take the machine for production, unless told otherwise.
DEVELOPMENT := DEBUG=1
LOCK := pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header

define heading
	@printf '\n=== %s\n' "$(1)"
endef

.DEFAULT_GOAL := help
.PHONY: help demo test test-pg15 lint migrations format serve bench soak migrate openapi lock stop clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime $(VENV)/.pdf ## build everything, make a fleet, run its week, show what each driver is paid
	@$(MIGRATE)
	@$(MANAGE) demo

test: $(VENV)/.dev $(VENV)/.pdf $(VENV)/.browser $(VENV)/.hledger $(VENV)/.redis ## everything CI runs: lint, types, layers, migrations, deployment check, tests
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint migrations
	$(call heading,tests)
	@$(DEVELOPMENT) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

migrations: $(VENV)/.dev ## migrations run, match the models, and leave a site that may be deployed
	$(call heading,migrations and deployment check)
	@$(DEVELOPMENT) $(BIN)/python -m tests.migrated

lint: $(VENV)/.dev ## style, templates, types, and which module may import which
	$(call heading,ruff: lint)
	@$(BIN)/ruff check .
	$(call heading,ruff: format)
	@$(BIN)/ruff format --check --quiet .
	$(call heading,djlint: templates)
	@$(BIN)/djlint templates --lint --quiet
	@$(BIN)/djlint templates --check --quiet
	$(call heading,mypy: types)
	@$(DEVELOPMENT) DATABASE_URL=postgres:///unused $(BIN)/mypy .
	$(call heading,import-linter: layers)
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## put code and templates into the house style
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	@$(BIN)/djlint templates --reformat --quiet || true

test-pg15: $(VENV)/.dev $(VENV)/.pdf $(VENV)/.browser $(VENV)/.hledger $(VENV)/.redis ## the tests on this machine's own PostgreSQL, 15 or later
	@$(BIN)/python -m scripts.test_on_system_postgres -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

serve: migrate $(VENV)/.pdf ## web on http://127.0.0.1:8000 with worker and beat; PORT=… and HOST=… change that
	@$(BIN)/python -m scripts.serve $(HOST) $(PORT)

bench: $(VENV)/.dev ## every benchmark, one line of JSON each
	@$(BIN)/python -m benchmarks

soak: $(VENV)/.dev $(VENV)/.pdf $(VENV)/.browser $(VENV)/.hledger $(VENV)/.redis ## the slow tests, SOAK=10 times as long, with new random examples
	@$(DEVELOPMENT) SOAK=$(SOAK) $(BIN)/python -m pytest -m "slow or thorough" $(PYTEST_ARGS)

migrate: $(VENV)/.runtime ## bring the database up to date
	@$(MIGRATE)

openapi: $(VENV)/.runtime ## write the API's document, docs/openapi.json, anew
	@$(DEVELOPMENT) $(MANAGE) spectacular --validate --fail-on-warn --format openapi-json --file docs/openapi.json

lock: $(VENV)/.dev ## pin the newest versions that requirements*.in allow
	@command -v uv >/dev/null || $(BIN)/pip install --quiet uv
	@PATH="$(CURDIR)/$(BIN):$$PATH" uv $(LOCK) --upgrade requirements.in -o requirements.txt
	@PATH="$(CURDIR)/$(BIN):$$PATH" uv $(LOCK) --upgrade requirements-dev.in -o requirements-dev.txt

stop: ## stop the embedded database, and that of the tests
	@test ! -x $(BIN)/python || { $(BIN)/python -m tests.server stop; $(BIN)/python -m batconnect.embedded stop; }

clean: ## remove all that was made here: environment, caches, and the development database with its data
	@test ! -f $(VENV)/.runtime || { $(BIN)/python -m tests.server destroy; $(BIN)/python -m batconnect.embedded destroy; }
	@rm -rf $(VENV) .local staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment: made once, and again when the requirements change -----------------------------------------

$(VENV)/.runtime: requirements.txt
	@scripts/setup.sh venv "$(VENV)" "$(PYTHON)"
	@echo "Installing what the application needs into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "Installing the development tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -r requirements.txt -r requirements-dev.txt
	@touch $@

$(VENV)/.pdf: $(VENV)/.runtime
	@scripts/setup.sh pdf "$(VENV)"
	@touch $@

$(VENV)/.browser: $(VENV)/.dev
	@scripts/setup.sh browser "$(VENV)"
	@touch $@

$(VENV)/.hledger: $(VENV)/.runtime
	@scripts/setup.sh hledger
	@touch $@

$(VENV)/.redis: $(VENV)/.runtime
	@scripts/setup.sh redis
	@touch $@
