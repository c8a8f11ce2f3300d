PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 8501

TESTS  := $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: app test test-all coverage lint fast slow clean
app: $(VENV)/app.stamp
	$(BIN)/python -m primeflow_core app --port $(PORT)

# In order: what fails soon is said soon. The linters run beside the fast tests.
test: $(VENV)/dev.stamp chromium
	+$(MAKE) --no-print-directory -j 2 lint fast
	+$(MAKE) --no-print-directory slow

fast: $(VENV)/dev.stamp
	$(TESTS) -m "not slow and not browser and not long"

slow: $(VENV)/dev.stamp chromium
	$(TESTS) -m "(slow or browser) and not long"

# With what repeats, for an hour or so, what `make test` shows once or twice.
test-all: test
	$(TESTS) -m long

# The tests of `make test`, and which lines none of them ran.
coverage: $(VENV)/dev.stamp chromium
	$(TESTS) -m "not long" --cov=primeflow_core --cov=pages --cov=app --cov-report=term-missing:skip-covered

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The browser tests say that they were skipped when there is no Chromium and apt cannot bring one.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	  || echo "No Chromium here and apt cannot bring one: the browser tests will be skipped."

$(VENV)/app.stamp: requirements.txt pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'PRiMeFlow needs Python 3.11 or newer; set PYTHON=...')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/app.stamp requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) artifacts .pytest_cache .mypy_cache .ruff_cache .coverage
