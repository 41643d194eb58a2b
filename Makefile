# Everything runs in .venv, which is made from requirements.lock when it is first needed and kept as long as
# the lock and pyproject.toml stay as they are.

# Which Python makes .venv: 3.11 or newer. Where none is named, the first that is found.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11 python
# One page, by a part of its path, for `make doctest`.
PAGE ?=
# A long experiment and its processes, for `make study`.
NAME ?= images
WORKERS ?= 1

# One thread for the linear algebra: the bits of a sum depend on their number.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
# Compiled bytecode is kept, whatever the surroundings say: a build without changes takes a third of the time.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
SPHINX := $(BIN)/sphinx-build -n -j auto -c .
# Marks of a finished set-up, named by what was installed. Each holds the folder that the scripts point to.
READY := .venv/ready-$(shell { echo "$(CURDIR)"; cat requirements.lock pyproject.toml; } | cksum | tr ' ' -)
ORACLE := .venv/oracle-$(shell cat requirements-oracle.lock | cksum | tr ' ' -)
VERSION = $(shell awk -F '"' '/^version = / {print $$2; exit}' pyproject.toml)

.NOTPARALLEL:
.PHONY: help html test doctest study live check lint types oracle browser axe formats lighthouse benchmark linkcheck tags lock \
	clean again

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

html: $(READY) ## build the site: runs every page whose code changed, checks every equation
	$(SPHINX) -W -d build/doctrees docs build/html
	@echo "Look at build/html/index.html"

test: $(READY) ## run all tests but the comparison with JAX
	$(BIN)/pytest -n auto --ignore=tests/oracle

doctest: $(READY) ## run the examples of the pages; PAGE=residual for one
	$(BIN)/pytest tests/docs/test_pages.py $(if $(PAGE),-k "$(PAGE)")

study: $(READY) ## run a long experiment at full size; NAME=images, WORKERS=2
	$(BIN)/python -m resgrad.lab.study $(NAME) --workers $(WORKERS) --output docs/evidence/studies/$(NAME).json

live: $(READY) ## build again and reload the browser on every save
	$(BIN)/sphinx-autobuild -n -j auto -c . -d build/doctrees --watch src --watch conf.py --re-ignore __pycache__ docs build/html

check: lint types test html browser oracle ## what CI runs on the locked versions

lint: $(READY) ## look for slips and check the layout of the code
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(READY) ## check the types
	$(BIN)/mypy

oracle: $(ORACLE) ## compare every rule with JAX (installs it)
	RESGRAD_REQUIRE_ORACLE=1 $(BIN)/pytest tests/oracle tests/test_benchmarks.py

browser: html ## drive the site in Chromium, Firefox and WebKit, with axe
	sh tests/browser/run.sh

formats: html ## the whole site as PDF and EPUB: build/formats
	$(SPHINX) -W -b epub -d build/doctrees docs build/epub
	$(SPHINX) -W -b singlehtml -d build/doctrees docs build/single
	@mkdir -p build/formats && cp build/epub/*.epub build/formats/residual-gradients.epub
	sh tests/browser/run.sh pdf.mjs ../../build/single/index.html ../../build/formats/residual-gradients.pdf
	RESGRAD_REQUIRE_FORMATS=1 $(BIN)/pytest -q tests/formats

axe: html ## look at every page with axe, light and dark, on a desk and a phone: some minutes
	RESGRAD_AXE=all sh tests/browser/run.sh axe.test.mjs

lighthouse: html ## measure every page with Lighthouse, three times: an hour
	sh tests/browser/run.sh lighthouse.mjs

benchmark: $(ORACLE) ## time it beside JAX, the bare matrix products and, where it is installed, PyTorch
	$(BIN)/python tests/benchmarks/run.py

linkcheck: $(READY) ## follow every link to another site
	$(SPHINX) -b linkcheck -d build/linkcheck-doctrees docs build/linkcheck

tags: $(READY) ## give each new equation and figure its permanent tag
	$(BIN)/python docs/_extensions/tags.py $(VERSION)

lock: $(READY) ## lock the dependencies again after an edit of pyproject.toml
	$(COMPILE) --extra lab --group dev --output-file requirements.lock
	$(COMPILE) --group oracle --constraint requirements.lock --output-file requirements-oracle.lock

clean: ## remove all that was built (.venv stays)
	rm -rf build .hypothesis .mypy_cache .pytest_cache .ruff_cache

# Names, versions and hashes for every system, no address: the lock says what, the machine says from where.
COMPILE := $(BIN)/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check

# A .venv without a mark was interrupted, one with another folder's was moved: both are made anew.
$(READY): $(if $(wildcard $(BIN)/python),,again)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 && grep -qsxF "$(CURDIR)" .venv/ready-* || { $(FIND_PYTHON); \
		echo "Making .venv with $$($$python --version)"; $$python -m venv --clear .venv; }
	@rm -f .venv/ready-* .venv/oracle-*
	$(INSTALL) --require-hashes --requirement requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c "import matplotlib.font_manager"
	@echo "$(CURDIR)" > $@

$(ORACLE): $(READY)
	$(INSTALL) --require-hashes --requirement requirements-oracle.lock
	@touch $@

define FIND_PYTHON
python=; for name in $(PYTHON); do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python=$$name && break; done; \
[ -n "$$python" ] || { echo "This needs Python 3.11 or newer, and none of these is: $(PYTHON)." >&2; exit 1; }; \
"$$python" -c 'import ensurepip, venv' 2>/dev/null || { echo "$$python lacks venv or ensurepip: install it \
(on Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
endef
