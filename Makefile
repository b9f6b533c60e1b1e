# Everything that is needed to run, test and check this project. Nothing has to be installed but Python and make.
PYTHON ?= python3
VENV := .venv
# Tools are run as modules: a script's first line would break when the checkout is moved.
RUN := $(VENV)/bin/python
# What is imported is compiled then: to compile all that is installed takes longer than to install it.
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --no-input --no-compile --require-hashes

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench chaos pictures lock clean python dependencies demo-dependencies

help:
	@echo "make demo         everything on this machine: web, worker, beat, Redis and a local Zuora"
	@echo "make demo ONCE=1  the same, once: pushes the demo data, reads it back, compares, ends"
	@echo "make test         all tests, on PostgreSQL and Redis, and the engine's once more on SQLite"
	@echo "make lint         ruff, mypy, import contracts, migrations, deployment check"
	@echo "make bench        benchmarks"
	@echo "make chaos        random usage and faults by seed, and the bill must be right: SEEDS=2000 of them"
	@echo "make pictures     a picture of every page, into tests/browser/pictures/ (needs a Chromium)"
	@echo "make lock         writes the lock files anew from pyproject.toml"
	@echo "make clean        removes the virtual environment, the demo's data and every cache"

demo: demo-dependencies
	@$(RUN) -m stigg_zuora.demo $(if $(filter-out 0 no false,$(ONCE)),--once)

# All of them, then the engine's once more on the database of the embedded set-up. One at a time is handed out: those of
# processes and pages take many times as long as the others, and nobody should wait at the end for who has four of them.
# On two cores three of them are faster than two: tests of processes and pages wait a quarter of their time.
AT_ONCE := -n 3 --maxschedchunk 1
test: dependencies
	$(RUN) -m pytest $(AT_ONCE)
	DATABASE_URL=sqlite:///:memory: $(RUN) -m pytest $(AT_ONCE) -m engine

# Settings without a mistake, of a grown-up deployment: served over TLS, on PostgreSQL, every secret made up.
CHECKED := env DEBUG=false PUBLIC_URL=https://billing.example.com ALLOWED_HOSTS=billing.example.com \
	REDIS_URL=redis://redis.example.com:6379/0 ENCRYPTION_KEYS=bWFkZS11cC1mb3ItbWFrZS1saW50LW5vdC1zZWNyZXQ= \
	SECRET_KEY=made-up-for-make-lint-and-nothing-else-0123456789-abcdefgh
lint: dependencies
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy --num-workers 2 .
	$(RUN) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	$(CHECKED) DATABASE_URL=sqlite://:memory: $(RUN) manage.py makemigrations --check --dry-run
	$(CHECKED) DATABASE_URL=postgres://stigg_zuora@db.example.com/stigg_zuora \
	  $(RUN) manage.py check --deploy --fail-level WARNING

bench: dependencies
	$(RUN) -m tests.bench $(BENCH)

pictures: dependencies
	$(RUN) -m tests.browser $(ONLY)

# Other seeds than those of make test; FROM names the first.
SEEDS ?= 2000
FROM ?= 1000
chaos: dependencies
	$(RUN) -m tests.chaos_usage --seeds $(SEEDS) --from $(FROM)

# Versions stay as they are locked unless UPGRADE=--upgrade is given.
LOCK := $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE) pyproject.toml
lock: dependencies
	$(LOCK) --all-extras --output-file requirements-dev.lock
	$(LOCK) --extra embedded --constraint requirements-dev.lock --output-file requirements-demo.lock
	$(LOCK) --constraint requirements-dev.lock --output-file requirements.lock

clean:
	rm -rf $(VENV) var staticfiles .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed again only when the lock file differs from the one that was installed last.
demo-dependencies: python
	@cmp -s requirements-demo.lock $(VENV)/requirements-demo.lock || { \
	  echo "Installing the demo's dependencies into $(VENV), once ..."; \
	  $(PIP) -r requirements-demo.lock && cp requirements-demo.lock $(VENV)/; }

# The demo's are among them, in the same versions.
dependencies: python
	@cmp -s requirements-dev.lock $(VENV)/requirements-dev.lock || { \
	  echo "Installing all dependencies into $(VENV), once ..."; \
	  $(PIP) -r requirements-dev.lock && cp requirements-dev.lock requirements-demo.lock $(VENV)/; }

# A virtual environment whose interpreter is gone (an upgrade, a moved checkout) is made anew.
python:
	@$(RUN) -c "" 2>/dev/null || { \
	  command -v $(PYTHON) >/dev/null || { \
	    echo "$(PYTHON) was not found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	  $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
	    echo "$(PYTHON) is older than Python 3.11: install a newer one, or name one: make PYTHON=python3.11" >&2; exit 1; }; \
	  $(PYTHON) -c "import ensurepip, venv" 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments: install them first (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }; \
	  rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
