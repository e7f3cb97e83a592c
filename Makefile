# Development commands; `make help` lists them.
PYTHON ?= python3
PORT ?= 8000
DATA ?= .hub
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev

# With cached bytecode a hub starts in two thirds of the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check clients bench soak golden migration fix lock

help: ## List the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/	/' | sort

$(READY): requirements.lock pyproject.toml hatch_build.py $(wildcard ui/package-lock.json ui/build.mjs ui/src/*/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "The hub needs Python 3.11 or newer. Set PYTHON: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) install.py
	@touch $(READY)

$(DEV_READY): $(READY) requirements-dev.lock
	@$(PYTHON) install.py --dev
	@touch $(DEV_READY)

demo: $(READY) ## Start the hub with the sample data; PORT= and DATA= are optional
	HUB_WEBHOOK_ALLOW="$${HUB_WEBHOOK_ALLOW-127.0.0.1}" $(BIN)/hub demo --port $(PORT) --data $(DATA)

test: $(DEV_READY) ## Run all tests, file by file in JOBS= processes, each with its own Postgres
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: $(DEV_READY) ## Run the linter, the type checker, the architecture tests and the tests of generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/architecture --ignore tests/architecture/test_new_entity.py

CLIENTS_READY := $(addsuffix /.ready,$(addprefix tests/clients/,node_modules environments/gql/.venv environments/codegen/.venv))

clients: $(DEV_READY) $(CLIENTS_READY) ## Install the client libraries of the README and run them against a hub
	$(BIN)/python -m pytest -v tests/clients

tests/clients/node_modules/.ready: tests/clients/package-lock.json
	npm ci --prefix tests/clients
	@touch $@

%/.venv/.ready: %/requirements.lock
	$(PYTHON) -m venv $*/.venv
	$*/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

golden: $(DEV_READY) ## Regenerate the SDL, the generated documents and the golden files
	$(BIN)/hub sdl > schema/schema.graphql
	$(BIN)/hub settings > docs/settings.md
	$(BIN)/hub errors > docs/errors.md
	HUB_GOLDEN=write $(BIN)/python -m pytest tests/queries/test_golden.py

migration: $(DEV_READY) ## Generate the migration for changed tables: NAME="what it does"
	$(BIN)/hub migrate --write "$(NAME)"

bench: $(DEV_READY) ## Compare the hub with PostGraphile, Strawberry and Postgres alone
	$(BIN)/python -m bench

soak: $(DEV_READY) ## Run the long tests: many generated operations, many hostile requests
	$(BIN)/python -m pytest -m soak -o faulthandler_timeout=14400

fix: $(DEV_READY) ## Apply the linter's automatic fixes and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Two sets with the same versions: what the hub needs, and the same with the tools of development.
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header

lock: $(READY) ## Update the locked dependencies in requirements.lock and requirements-dev.lock
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) $(LOCKFLAGS) --extra dev pyproject.toml -o requirements-dev.lock
	$(LOCK) $(LOCKFLAGS) --constraint requirements-dev.lock pyproject.toml -o requirements.lock
	@for folder in tests/clients/environments/gql tests/clients/environments/codegen; do \
		$(LOCK) $(LOCKFLAGS) $$folder/requirements.in -o $$folder/requirements.lock || exit 1; done
