# What a developer does here; `make` alone lists it.

PYTHON ?= python3
RUN := .venv/bin/python
# Passed on to pytest: make test ARGS="tests/core -x"
ARGS ?= -n 2 --maxschedchunk=8
# Production's settings, for checks that read them; nothing is connected to.
PRODUCTION := env -u DEMO DATABASE_URL=postgresql://localhost/none ALLOWED_HOSTS=shop.example \
	EMAIL_URL=smtp+tls://localhost:587 \
	SECRET_KEY="$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	ORDER_NUMBER_KEY="$$($(PYTHON) -c 'import secrets; print(secrets.token_hex(32))')"

.PHONY: help setup demo test test-long check fmt lock bench openapi states fuzz screenshots
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-12s %s\n", $$1, $$2}'

setup: .venv/dev.installed ## the environment alone: .venv with the locked, hash-checked packages

# The demo needs half of the packages, and is what somebody new here waits for.
demo: $(if $(wildcard .venv/dev.installed),setup,.venv/runtime.installed) ## the whole shop on this machine; Ctrl-C stops it (PORT=8000)
	@$(RUN) manage.py up --demo $(if $(PORT),--port $(PORT))

.venv/%.installed: requirements/%.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	test -x $(RUN) || $(PYTHON) -m venv .venv
	$(RUN) -m pip install --disable-pip-version-check -qq --require-hashes -r $<
	@touch $@

test: setup ## the suite, on an embedded PostgreSQL (ARGS="tests/core -x")
	$(RUN) -m pytest $(ARGS)

test-long: setup ## the tests that take longer than ten seconds
	$(RUN) -m pytest -m long $(ARGS)

check: setup ## format, lint, types, floors, templates, migrations, lock files, documents, deployment
	$(RUN) -m ruff format --check
	$(RUN) -m ruff check
	$(RUN) -m mypy .
	.venv/bin/lint-imports
	find templates -name '*.html' -print0 | xargs -0 .venv/bin/djade --check
	$(RUN) manage.py makemigrations --check --dry-run
	$(RUN) requirements/check.py
	$(PRODUCTION) $(RUN) manage.py spectacular --validate --fail-on-warn | diff docs/openapi.yaml - \
		|| { echo "docs/openapi.yaml is not what the code says: make openapi"; exit 1; }
	$(RUN) manage.py states --check
	$(PRODUCTION) $(RUN) manage.py check --deploy --fail-level WARNING

fmt: setup ## format code and templates, and mend what can be mended
	$(RUN) -m ruff check --fix-only
	$(RUN) -m ruff format
	find templates -name '*.html' -print0 | xargs -0 .venv/bin/djade || true

openapi: setup ## docs/openapi.yaml from the code
	$(PRODUCTION) $(RUN) manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

states: setup ## docs/states.md from the code
	$(RUN) manage.py states

screenshots: setup ## the pictures of the README, and every page at 360 and 1280, light and dark, under var/screenshots
	$(RUN) -m tests.browser.screenshots

fuzz: setup ## thousands of made-up requests against a real web process
	$(RUN) -m pytest -m long -rP tests/api/test_fuzz.py

lock: ## pin what requirements/*.in ask for (UPGRADE=--upgrade takes the newest)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(PYTHON) -m venv "$$folder" \
	&& "$$folder/bin/pip" install --disable-pip-version-check --quiet uv \
	&& for name in runtime dev; do "$$folder/bin/uv" pip compile --quiet --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
		--custom-compile-command "make lock" $(UPGRADE) \
		requirements/$$name.in -o requirements/$$name.txt || exit; done

bench: setup ## what placing an order costs, beside two baselines
	$(RUN) manage.py bench
