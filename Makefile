# Everything runs in .venv, which the first target makes; versions are those of constraints.txt.
PYTHON ?= python3
BIN = .venv/bin
WORKERS ?= 2

.PHONY: bench demo test test-slow coverage lint format docs constraints clean

demo: .venv/demo
	$(BIN)/python run.py --config configs/wsidnet_demo.py --workdir runs/demo

test: .venv/dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

test-slow: .venv/dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m slow

# The quick tests, and the share of jaxsent's lines that they run.
coverage: .venv/dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --cov --cov-report=
	$(BIN)/coverage report

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# .venv/EXTRA is a stamp: jaxsent is installed with that extra.
.venv/%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@

# TORCH_PYTHON: a Python with torch, to compare with; the extra "bench" brings one into .venv.
bench: .venv/demo
	$(BIN)/python benchmarks/bench.py --json build/bench.json --page docs/benchmarks.md \
	    $(if $(TORCH_PYTHON),--torch-python $(TORCH_PYTHON))

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Today's newest versions of everything, for a commit that raises them.
constraints:
	rm -rf .venv/fresh && $(PYTHON) -m venv .venv/fresh
	.venv/fresh/bin/python -m pip install --quiet -e '.[dev]'
	.venv/fresh/bin/python -m pip freeze --exclude-editable > constraints.txt
	rm -rf .venv/fresh

clean:
	rm -rf .venv runs
