# make run        install into .venv and run the main job
# make test       install into .venv and run the tests
# make test-cluster   sweeps in other processes, and on a SLURM of this machine where there is one
# make lint       check style and types
# make validate   the long statistical checks: theory against simulation, calibration and power
# make bench      the benchmarks
# make docs       the documentation as a site in build/site, its notebooks executed
# make clean      remove .venv and everything built

PYTHON ?= python3
BIN := .venv/bin
SOURCES := pyproject.toml setup.py constraints.txt

.PHONY: run test test-cluster lint validate bench docs clean
.DELETE_ON_ERROR:

run: .venv/.installed
	$(BIN)/simdiff run experiment=gaussian_learning_curve

# One thread of linear algebra for each of the two test processes: more would wait for each other. Most of the
# time goes into compiling small programs once: a low level of optimisation takes a third off it, and the older
# way to write loops a quarter of the rest. Level 0 would change the last bit of some random draws from program
# to program.
QUICK_COMPILATION := --xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false \
    --xla_cpu_parallel_codegen_split_count=1

test: .venv/.installed-dev
	OPENBLAS_NUM_THREADS=1 XLA_FLAGS="$(XLA_FLAGS) $(QUICK_COMPILATION)" \
	    $(BIN)/python -m pytest -n 2 --dist loadfile

test-cluster: .venv/.installed-cluster
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m "slurm or not slurm" -rs tests/cli/cluster

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

validate: .venv/.installed-dev
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m heavy
	for table in validation_table manifold_table manifold_twin floor_table flow_table descent_table \
	    sample_complexity wishart_table sampling_table linear_table calibration calibration_corrections \
	    variance_checks variance_factors lazy_networks fuzz; do \
	  $(BIN)/python benchmarks/$$table.py || exit 1; done

docs: .venv/.installed-docs
	EXECUTE_NOTEBOOKS=true $(BIN)/python -m mkdocs build --strict

bench: .venv/.installed-bench
	$(BIN)/python benchmarks/run_all.py

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: $(SOURCES) | .venv/bin/pip
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/.installed-dev: $(SOURCES) | .venv/bin/pip
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch .venv/.installed $@

.venv/.installed-cluster: .venv/.installed-dev
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[dev,cluster]"
	touch $@

.venv/.installed-docs: .venv/.installed-dev
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[dev,docs]"
	touch $@

# PyTorch is what gradient training is compared with.
.venv/.installed-bench: .venv/.installed-dev
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[dev,bench]"
	touch $@

# Some systems ship a venv module that cannot bring pip along: then the pip at hand installs one.
.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "simdiff needs Python 3.11 or newer; '$(PYTHON)' is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo not found). Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv || { $(PYTHON) -m venv --clear --without-pip .venv && \
	  $(PYTHON) -m pip --python .venv/bin/python install pip; }
