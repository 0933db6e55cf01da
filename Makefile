# make demo: from a fresh clone to generated text.   make test: to green tests.
# Both need Python 3.11 or newer, make, and a network for pip; all else they install in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLAY := corpora/a-bell-for-cold-hythe.txt
DEMO_RUN := $(VENV)/demo

.PHONY: help demo test browser picture torture gpu torch-versions lint format dist clean
help:
	@echo "make demo    train on a play for about a minute, then write in its style"
	@echo "make test    run all tests"
	@echo "make browser run the tests of the pages in Chromium"
	@echo "make picture take the README's picture of a page"
	@echo "make torture hundreds of kills and thousands of hostile files: some minutes"
	@echo "make gpu     tests and a benchmark for a machine with an NVIDIA GPU"
	@echo "make torch-versions  the tests of training with the lowest and the newest torch"
	@echo "make lint    ruff and mypy"
	@echo "make format  put the code into its usual form"
	@echo "make dist    build the wheel and the source archive, and try the wheel"
	@echo "make clean   remove what the others made"

demo: $(VENV)/program
	rm -rf $(DEMO_RUN)
	$(BIN)/charlstm train $(PLAY) --time 1m --output $(DEMO_RUN)
	@echo
	$(BIN)/charlstm generate --model $(DEMO_RUN) --length 600 "Because a mould must breathe."

test: $(VENV)/development
	$(BIN)/python -m pytest -n auto --dist worksteal

browser: $(VENV)/browser
	$(BIN)/python -m pytest -m browser

picture: $(VENV)/browser
	$(BIN)/python -m tests.picture docs/page.png

torture: $(VENV)/development
	$(BIN)/python -m pytest -m torture -s

gpu: $(VENV)/development
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python benchmarks/throughput.py $(PLAY) --device cuda --batch 64

torch-versions: $(VENV)/program
	$(BIN)/python -m tests.torch_versions

lint: $(VENV)/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dist: $(VENV)/development
	$(BIN)/python -m tests.distribution

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say that the program, or what its tests and those of the pages need too, is installed.
$(VENV)/program: pyproject.toml constraints.txt
	$(BIN)/python -c "import pip, sys; assert sys.version_info >= (3, 11)" 2>/dev/null || \
		$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/development: $(VENV)/program
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/browser: $(VENV)/development
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[browser]'
	touch $@
