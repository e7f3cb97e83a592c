# One word for each thing that is done here; `make help` lists them.
PYTHON ?= python3
PORT ?= 8000
DATA ?= .hub
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# A hub starts in two thirds of the time when Python may keep what it has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check bench soak golden migration fix lock

help: ## What there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/	/' | sort

$(READY): requirements.lock pyproject.toml hatch_build.py $(wildcard ui/package-lock.json ui/build.mjs ui/src/*/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "The hub needs Python 3.11 or newer; name one: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(READY)

demo: $(READY) ## Start the hub with the sample data: PORT= and DATA= choose where
	$(BIN)/hub demo --port $(PORT) --data $(DATA)

test: $(READY) ## Run all tests, file by file in JOBS= processes, each with a Postgres of its own
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: $(READY) ## Lint, types, shape, printed files, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/architecture/test_rules.py tests/architecture/test_generated_files.py

golden: $(READY) ## Print the SDL, the pages made from code and the golden files anew
	$(BIN)/hub sdl > schema/schema.graphql
	$(BIN)/hub settings > docs/settings.md
	$(BIN)/hub errors > docs/errors.md
	HUB_GOLDEN=write $(BIN)/python -m pytest tests/queries/test_golden.py

migration: $(READY) ## Print the migration that the tables ask for: NAME="what it does"
	$(BIN)/hub migrate --write "$(NAME)"

bench: $(READY) ## Measure the hub beside PostGraphile, Strawberry and Postgres alone
	$(BIN)/python -m bench

soak: $(READY) ## The long runs: many generated operations, many hostile requests
	$(BIN)/python -m pytest -m soak -o faulthandler_timeout=14400

fix: $(READY) ## Let the linter mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Resolve the dependencies anew into requirements.lock
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--extra dev pyproject.toml -o requirements.lock
