# Everything a newcomer types. `make` alone shows the list.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# The tests that `make rules` runs, and `make unit` does not.
RULES := tests/unit/domain tests/unit/flows tests/unit/engine $(wildcard tests/unit/test_*.py)
# Many processes import the same modules: where the environment says so, each would compile them all again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run test check unit rules simulate bench lint types contracts policies format lock clean

help: ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1 /' | awk '{n=$$2; $$1=$$2=""; printf "  make %-10s%s\n", n, $$0}'

install: $(VENV)/.installed ## The virtual environment, with everything pinned by hash, and Azurite

$(VENV)/.installed: requirements-dev.txt requirements-worker.txt pyproject.toml package-lock.json
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is missing: install it, or say PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.txt
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# pip would compile one module after the other, and nothing else meanwhile. What cannot be compiled is not imported.
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib cli functions sandbox shared & \
	$(BIN)/python -m sandbox.node && $(BIN)/python -m tests.worker.install && wait
	@touch $@

run: install ## Everything local, a story, and a live picture; ONCE=1 plays the story, checks it and stops
	@$(BIN)/python -m sandbox $(if $(ONCE),story,run)

test: install ## Everything that CI runs
	@$(MAKE) --no-print-directory --jobs=2 lint contracts unit rules types

check: test

unit: install ## The tests, but for those of make rules
	@$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(RULES))

# These two say what they have to say in one piece: the other tests write meanwhile.
rules: install ## The tests of the rules, which need no server; they must take every branch
	@said="$$($(BIN)/pytest $(RULES) --cov --cov-report=term-missing)"; ended=$$?; echo "$$said"; exit $$ended

types: install ## mypy, strict
	@said="$$($(BIN)/mypy)"; ended=$$?; echo "$$said"; exit $$ended

simulate: install ## A long run of the protocol's simulation: 200,000 histories, and a resync of 100,000 contacts
	@$(BIN)/python -m tests.simulation.many 200000
	@RESYNC_ROWS=100000 $(BIN)/pytest -n 0 --timeout 1800 tests/simulation/test_resync.py -k three_times

bench: install ## Ratios against a bare loop that sends the same requests; takes some minutes
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.timeline
	@$(BIN)/python -m bench.optout_file
	@$(BIN)/python -m bench.resync

lint: install ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

contracts: install ## import-linter: who may import whom
	@$(BIN)/lint-imports --no-cache

policies: install ## checkov: its rules over the template for Azure, in an environment of its own
	@$(BIN)/python -m tests.infra.policies

format: install ## Put the code in order
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

lock: ## Pin the dependencies anew (needs uv)
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --python-version 3.11 pyproject.toml -o requirements.txt
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --python-version 3.11 --all-extras -c requirements.txt pyproject.toml -o requirements-dev.txt
	@echo "checkov==3.3.30" | uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --python-version 3.11 - -o requirements-policies.txt
	@echo "airbyte-source-microsoft-dataverse==1.0.2" | uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --python-version 3.11 - -o requirements-bench-airbyte.txt
	@echo "dlt==1.31.0" | uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --python-version 3.11 - -o requirements-bench-dlt.txt

clean: ## Forget what was installed and what the sandbox kept
	@rm -rf $(VENV) node_modules .sandbox .build
