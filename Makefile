# make demo: set up, run the main job on real data, write demo/report.html
# make test: set up and run the tests        make lint: ruff, mypy, import contracts
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# what benchmarks and reference tests are held against; not dependencies, so they stay out of .venv
PEERS := .peers
export CONSILIENCE_PEERS ?= $(CURDIR)/$(PEERS)

.PHONY: setup demo test lint doctest bench peers conformance clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c "import sys; sys.exit(sys.version_info < (3, 11))" || (echo "Python 3.11 or newer is needed; set PYTHON=..." && exit 1)
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt "torch"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[torch,report,zarr,nwb]" \
		pytest pytest-xdist hypothesis array-api-strict ruff mypy import-linter types-PyYAML
	@touch $(STAMP)

demo: setup
	@$(BIN)/consilience demo --output demo

test: setup
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup
	@$(MAKE) --no-print-directory doctest

doctest: setup
	@$(BIN)/python -m pytest -q --doctest-modules src/consilience

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# make peers: other packages for the reference tests; make conformance: our answers beside theirs
peers: $(PEERS)/.installed

$(PEERS)/.installed: $(STAMP) peers.txt
	@echo "installing peers into $(PEERS) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --no-deps --target $(PEERS) -r peers.txt
	@touch $@

conformance: setup peers
	@$(BIN)/python -m benchmarks.conformance

bench: setup peers
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(PEERS) build dist demo/results demo/report.html
