# make run    set everything up and serve at http://127.0.0.1:8000 (PORT changes it)
# make test   set everything up and pass all tests
# make check  format, lint, types, imports, tests, and whether anything costs more than it did
# make chaos  break everything at random, some 300 kills, and prove that nothing is lost (half an hour)
# make chaos-table  the same, and write what came of it into docs/reliability.md
# make bench  what a token, a question and a reader cost, beside their limits (an hour; SHORT=1 takes two minutes)
# make bench-page  how smooth a long answer is in a real browser (two minutes; SHORT=1 takes half a minute)
# make screenshots  the README's pictures and the icons of the installed page (half a minute)
# make bench-table  the same, and write the table into docs/performance.md
# make bench-plots  draw how costs grow into docs/plots (ten minutes)
# make proofs hundreds of random histories, a thousand random runs and properties, where CI is content with some
# make attacks  everything that is tried against the server, and who may do what
# make messages  gather what the page says into locale/ for translators, and compile what they wrote (LOCALE=pl begins one)
# make sabotage  spoil a line at a time in a copy of the tree, and see that the tests see it
SHELL := /bin/sh
PORT ?= 8000
PYTHON ?= python3
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
CODE := manage.py chatserver conversations streaming tests

.PHONY: run setup vendor test check lint types page bench bench-page screenshots bench-table bench-plots chaos chaos-table attacks proofs sabotage messages format clean

run: setup
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) collectstatic --noinput --clear --verbosity 0
	@exec $(MANAGE) serve --port $(PORT)

setup: .venv/.complete node_modules/.complete

.venv/.complete: requirements.lock
	@echo "Setting up the Python environment (once) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements.lock
	@touch $@

# The page's libraries, each built into one ES module.
vendor: node_modules/.complete

node_modules/.complete: package.json package-lock.json .venv/.complete $(wildcard conversations/static_src/*.mjs conversations/static_src/vendor/*.js conversations/static_src/classic/*.js)
	@echo "Building the page's libraries (once) …"
	@deploy/npm.sh ci --silent --no-audit --no-fund
	@deploy/npm.sh run --silent build
	@touch $@

test: setup
	@tests/run.sh

check: setup
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target types page lint
	@tests/run.sh
	@$(MAKE) --no-print-directory bench SHORT=1

lint:
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/lint-imports
	@$(MANAGE) makemigrations --check --dry-run --verbosity 0

types:
	@$(BIN)/mypy

page:
	@deploy/npm.sh run --silent check

chaos: setup
	@CHAOS=full $(BIN)/python -m pytest -q tests/chaos tests/process/test_leaks.py tests/process/test_many_readers.py

chaos-table: setup
	@CHAOS=full CHAOS_TABLE=1 $(BIN)/python -m pytest -q tests/chaos/test_campaigns.py

attacks: setup
	@$(BIN)/python -m pytest -q -n 2 tests/attacks tests/permissions tests/laws

bench: setup
	@$(BIN)/python -m tests.bench $(if $(SHORT),--short)

bench-page: setup
	@$(BIN)/python -m tests.bench.browser $(if $(SHORT),--short)

screenshots: setup
	@$(MANAGE) collectstatic --noinput --clear --verbosity 0
	@$(BIN)/python -m tests.pictures

bench-table: setup
	@$(BIN)/python -m tests.bench --write

bench-plots: setup
	@$(BIN)/python -m tests.bench.plots

proofs: setup
	@READER_EXAMPLES=300 AGREEMENT_RUNS=1000 $(BIN)/python -m pytest -q tests/contracts/test_any_reader.py tests/contracts/test_agreement.py
	@PROPERTY_EXAMPLES=1000 $(BIN)/python -m pytest -q tests/streaming/engine tests/streaming/eventlog tests/streaming/protocol tests/streaming/providers

sabotage: setup
	@$(BIN)/python -m tests.sabotage

# From the scripts apart: the page gets those alone. What tests and libraries say is not ours to translate.
GATHER = $(MANAGE) makemessages $(if $(LOCALE),--locale $(LOCALE),--all) --add-location file --no-wrap \
	--ignore tests --ignore deploy --ignore node_modules --ignore vendor --ignore static_src --ignore streaming

messages: setup
	@command -v xgettext >/dev/null && command -v msgfmt >/dev/null || { echo "The gettext tools are needed: apt-get install gettext, or brew install gettext"; exit 1; }
	@test -n "$(LOCALE)" -o -d locale || { echo "There is no language yet; make messages LOCALE=pl begins one"; exit 1; }
	@mkdir -p locale
	@$(GATHER) --domain django --extension html,txt,py
	@$(GATHER) --domain djangojs --extension js
	@$(MANAGE) compilemessages --verbosity 0 --ignore '.venv/*/locale' --ignore 'node_modules/*/locale'

format: setup
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

clean:
	rm -rf .venv node_modules static conversations/static/vendor
