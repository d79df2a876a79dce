# Everything that needs doing, from a fresh clone with Python 3.11 or later and make.
#
#   make demo                          the example plugin at work, in a minute
#   make unit                          the tests that need no servers, in a minute
#   make test                          all tests, on every database that answers
#   make test LOWEST=1 VENV=.venv-lowest
#   make test PYTHON=python3.13 DJANGO='Django~=6.1.0' RQ='rq~=3.0.0' VENV=.venv-new

PYTHON ?= python3
VENV ?= .venv
DJANGO ?=
RQ ?=
LOWEST ?=
PORT ?= 8000
JOBS ?= 10000
FAULTS ?= 200
SEED ?= 1
SECONDS ?= $(if $(filter soak,$(MAKECMDGOALS)),28800,3600)
CASES ?=
CSV ?= soak.csv
WORKERS ?= 6
BENCH ?=

comma := ,
BIN = $(VENV)/bin
# The task queues that ours is compared with, in an environment of their own.
PEERS = .venv-peers
# Installed anew when what is to be installed changes.
STAMP = $(VENV)/.installed

.PHONY: help demo serve unit test django-tests lint audit docs messages pictures dist format chaos faults simulate soak bench bench-peers
.PHONY: bench-scale clean

help:
	@echo 'make demo    run the example plugin: jobs on demand, periodic, scheduled, failing; needs no servers'
	@echo 'make serve   the same, kept running, with its web pages on port $(PORT)'
	@echo 'make unit    run the tests that start no processes; needs no servers'
	@echo 'make test    run all tests; PostgreSQL, MariaDB and Redis are used if they answer'
	@echo 'make django-tests  the tests that Django has for its tasks, against ours; pip downloads them'
	@echo 'make lint    check style, types, security and migrations'
	@echo 'make audit   look for known vulnerabilities of the installed packages (asks a service)'
	@echo 'make docs    build the documentation in docs/_build'
	@echo 'make messages  collect the texts to be translated, and compile the translations; needs gettext'
	@echo 'make pictures  take the pictures of the admin in docs/pictures anew; needs Chromium'
	@echo 'make dist    build what is uploaded, in dist, and check it'
	@echo 'make chaos   kill everything, many times, and count (JOBS, FAULTS, SEED, WORKERS)'
	@echo 'make faults  kill, stop, fill and lock servers of its own, one fault at a time, and count (CASES)'
	@echo 'make soak    50 jobs a second for eight hours, and what the processes hold meanwhile (SECONDS, CSV)'
	@echo 'make simulate  tell random stories to the lifecycle code for an hour (SECONDS); TEST_DATABASE_URL names the database'
	@echo 'make bench   measure ourselves next to RQ and the database; needs PostgreSQL and Redis (BENCH=--quick)'
	@echo 'make bench-scale  an empty table of jobs against one of a million, and every plan (PostgreSQL, Redis)'
	@echo 'make bench-peers  other task queues for Django beside ours, and how cost grows (PostgreSQL, Redis)'
	@echo 'make clean   remove what these made'

demo: $(STAMP)
	@$(BIN)/python -u -m project.demo

serve: $(STAMP)
	@$(BIN)/python -u -m project.demo --serve --port $(PORT)

# On SQLite, with a Valkey that pytest starts, whatever else is there.
unit: $(STAMP)
	@env -u TEST_DATABASE_URL -u TEST_REDIS_URL $(BIN)/python -m pytest -q -m unit -n 3 --dist worksteal

test: $(STAMP)
	@$(BIN)/python -m tests

# Apart from test: it downloads the source of Django.
django-tests: $(STAMP)
	@env -u TEST_DATABASE_URL -u TEST_REDIS_URL $(BIN)/python -m tests.upstream

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --strict --follow-imports silent example_plugin tests/typing
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive netbox_jobs
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m django makemigrations --check --dry-run --settings tests.settings

# Apart from lint: it asks a service for the known vulnerabilities of what is installed, which may not be reached.
audit: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.8'
	$(BIN)/pip-audit --local --skip-editable

docs: $(STAMP)
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --jobs auto docs docs/_build
	@echo 'Open docs/_build/index.html'

# Then translate what the last line counts as untranslated or fuzzy, and run it once more.
messages: $(STAMP)
	cd netbox_jobs && ../$(BIN)/python -m django makemessages --all --no-location --no-obsolete --extension html,py
	cd netbox_jobs && for file in locale/*/LC_MESSAGES/django.po; do \
	  msgfmt --check-format --statistics -o $${file%po}mo $$file || exit 1; done

pictures: $(STAMP)
	@env -u TEST_DATABASE_URL -u TEST_REDIS_URL PICTURES=$(CURDIR)/docs/pictures $(BIN)/python -m pytest -q tests/admin/test_pictures.py

dist: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: $(STAMP)
	@$(BIN)/python -m tests.chaos --jobs $(JOBS) --faults $(FAULTS) --seed $(SEED) --workers $(WORKERS)

faults: $(STAMP)
	@$(BIN)/python -m tests.faults $(CASES)

soak: $(STAMP)
	@$(BIN)/python -m tests.soak --seconds $(SECONDS) --csv $(CSV)

simulate: $(STAMP)
	@$(BIN)/python -m tests.model
	@$(BIN)/python -m tests.simulation --seconds $(SECONDS)

bench-scale: $(STAMP)
	@$(BIN)/python -m bench.scale $(BENCH)

bench-peers: $(PEERS)/.installed
	@$(PEERS)/bin/python -m bench.peers $(BENCH)
	@$(PEERS)/bin/python -m bench.growth

# One that cannot be installed is left out, and its row says so.
$(PEERS)/.installed: pyproject.toml bench/peers/requirements.txt
	@echo 'Installing into $(PEERS) (once)...'
	@$(PYTHON) -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[postgres]'
	@while read -r package; do \
	  $(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check "$$package" || true; \
	done < bench/peers/requirements.txt
	@touch $@

bench: $(STAMP)
	@$(BIN)/python -m bench $(BENCH)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed; '$(PYTHON)' is not. Name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "'$(PYTHON)' lacks the venv module; on Debian and Ubuntu, install python3-venv."; exit 1; }
	@echo 'Installing into $(VENV) (once)...'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m tests.lowest >$(VENV)/lowest.txt
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check $(if $(LOWEST),-c $(VENV)/lowest.txt) \
	  -e '.[test,lint$(if $(LOWEST),,$(comma)docs)]' $(if $(DJANGO),'$(DJANGO)') $(if $(RQ),'$(RQ)')
	@touch $(STAMP)

clean:
	rm -rf $(VENV) $(PEERS) db.sqlite3* .pytest_cache .mypy_cache .ruff_cache build dist docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
