PYTHON ?= python3

export HF_HUB_OFFLINE = 1
export TOKENIZERS_PARALLELISM = false

.PHONY: demo test lint

demo: .venv/base.stamp
	.venv/bin/python demo.py --out runs/demo

# Two processes of one thread each: most tests are too small for more.
test: .venv/dev.stamp
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile

lint: .venv/dev.stamp
	.venv/bin/ruff check .

# One pip call resolves torch and torchvision together; installed again only when setup.py changed.
.venv/base.stamp: setup.py | .venv/bin/python
	.venv/bin/python -m pip install -e .
	touch $@

.venv/dev.stamp: setup.py | .venv/bin/python
	.venv/bin/python -m pip install -e ".[dev]"
	touch .venv/base.stamp $@

.venv/bin/python:
	$(PYTHON) -m venv .venv
