# Thin over `python3 -m resfold_nb`, which does the same without make, on Windows too.
PYTHON ?= python3
PROFILE ?= laptop
ARGS ?=

RESFOLD = $(PYTHON) -m resfold_nb

.PHONY: help setup lab test test-all bench run site bands notebooks clean

help:
	@echo "make lab                  open JupyterLab on the tour (builds .venv first)"
	@echo "make test                 run the tests, every notebook included"
	@echo "make test-all             every notebook and every page in a real browser, too"
	@echo "make run PROFILE=laptop   execute all notebooks: ci, laptop or gpu; results in build/"
	@echo "make bench                measure speed (ARGS=training: one part); about half an hour"
	@echo "make site                 gather the pages of a run under build/site, with an index"
	@echo "make setup                build or update .venv"
	@echo "make notebooks            rebuild notebooks/*.ipynb from notebooks/src"
	@echo "make bands PROFILE=ci     measure the bands of the recorded numbers anew"
	@echo "make clean                remove build/ and .venv"
	@echo "More options go in ARGS, another Python in PYTHON: make run ARGS='--only 06' PYTHON=python3.12"

setup:
	$(RESFOLD) setup $(ARGS)

lab:
	$(RESFOLD) lab $(ARGS)

test:
	$(RESFOLD) test $(ARGS)

test-all:
	$(RESFOLD) test --every tests/browser $(ARGS)

bench:
	$(RESFOLD) bench $(ARGS)

site:
	$(RESFOLD) site --profile $(PROFILE) $(ARGS)

run:
	$(RESFOLD) run --profile $(PROFILE) $(ARGS)

bands:
	$(RESFOLD) bands --profile $(PROFILE) $(ARGS)

notebooks:
	$(RESFOLD) notebooks build

clean:
	rm -rf build .venv .pytest_cache
