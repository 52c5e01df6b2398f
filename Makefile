# `make` sets up .venv and lists the verbs; `make book` is all that a reader needs.
PYTHON := .venv/bin/python
STAMP := .venv/lock-$(shell sha256sum requirements.lock 2> /dev/null | cut -c 1-16)
CHAPTER := $(addprefix chapter_fine_tuning/,$(addsuffix .ipynb,index dataset training prediction evidence exercises))
JOBS ?= $(shell nproc)
FORCE_OPTION := $(if $(FORCE),--force)
export PYTHONWARNINGS := ignore:pkg_resources is deprecated

help: $(STAMP)  ## list these verbs (what make does by itself)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

$(STAMP):
	@bash book/setup.sh $@

book: $(STAMP)  ## execute and render the book; PHOTOS=folder takes your own pictures
	@$(PYTHON) -m book.execute $(FORCE_OPTION)
	@$(PYTHON) -m book.render

pdf: $(STAMP)  ## make two PDFs, to which the site then links; needs TeX
	@$(PYTHON) -m book.render_pdf --check
	@$(PYTHON) -m book.execute $(FORCE_OPTION)
	@$(PYTHON) -m book.render_pdf
	@$(PYTHON) -m book.render

notebooks: $(STAMP)  ## execute what changed and update the reference notebooks; FORCE=1 executes all
	@$(PYTHON) -m book.execute --update $(FORCE_OPTION)
	@$(MAKE) --no-print-directory diff

diff: $(STAMP)  ## show what the executed notebooks say otherwise than the committed ones
	@.venv/bin/nbdiff --sources --outputs HEAD $(CHAPTER) || echo 'no comparison: this is not a git checkout'

check-data: $(STAMP)  ## check every picture of PHOTOS=folder, or of the book, and list what is wrong
	@$(PYTHON) -m hotdog.check $(if $(PHOTOS),"$$PHOTOS")

links: $(STAMP)  ## check the book's links to other sites (needs a network)
	@$(PYTHON) -m book.check_links

lab: $(STAMP)  ## open the notebooks in JupyterLab
	@.venv/bin/jupyter lab --config=jupyter_server_config.py

serve: book  ## show the book at http://localhost:8000
	@$(PYTHON) -m http.server --bind localhost --directory _build/html 8000

test: $(STAMP)  ## run the tests and compare the notebooks with their stored outputs
	@$(PYTHON) -m pytest --nbval tests $(CHAPTER)

test-all: test  ## also run the long tests
	@$(PYTHON) -m pytest tests -m long

assignment: $(STAMP)  ## make the exercises' student version, a folder to hand out
	@$(PYTHON) -m assignments.generate

grade: $(STAMP)  ## grade SUBMISSIONS=folder, which has a folder for each student; ISOLATION=none in a container
	@$(PYTHON) -m assignments.grade "$(SUBMISSIONS)" $(if $(ISOLATION),--isolation $(ISOLATION))

solutions: $(STAMP)  ## execute the exercises' solutions with their experiments (an hour and a half), for the teacher
	@$(PYTHON) -m assignments.solutions $(NAMES)

lock: $(STAMP)  ## compile the pins of environment.yml and build.yml into requirements.lock; UPGRADE=1 renews the others
	sed -n 's/^ *- \(.*==[^ ]*\).*/\1/p' environment.yml build.yml | .venv/bin/uv pip compile - -o requirements.lock \
	    --generate-hashes --no-annotate --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	    --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) > /dev/null

evidence: $(STAMP)  ## measure what pretraining buys (about 1.5 hours, goes on where it was stopped); PHOTOS=folder
	@$(PYTHON) -m hotdog.studies $(if $(PHOTOS),--photos "$(PHOTOS)")

demo-data: $(STAMP)  ## render the demo data set anew (hours)
	@test -e renderer/.venv/bin/python || $(PYTHON) -m venv renderer/.venv
	@renderer/.venv/bin/python -m pip install --quiet -r renderer/requirements.txt
	renderer/.venv/bin/python renderer/render.py _build/renders --jobs $(JOBS)
	$(PYTHON) renderer/pack.py _build/renders data

clean:  ## remove what was built, but not .venv
	rm -rf _build data/cache

.PHONY: help book pdf notebooks diff check-data links lab serve test test-all assignment grade solutions evidence lock demo-data clean
