# `make` sets up .venv and lists the verbs; `make book` is all that a reader needs.
PYTHON := .venv/bin/python
STAMP := .venv/lock-$(shell sha256sum requirements.lock 2> /dev/null | cut -c 1-16)
PYTORCH := .venv-pytorch/lock-$(shell sha256sum requirements_pytorch.lock 2> /dev/null | cut -c 1-16)
CHAPTER := $(addprefix chapter_fine_tuning/,$(addsuffix .ipynb,index dataset training prediction evidence variants larger pytorch \
    your_photographs exercises mistakes))
JOBS ?= $(shell nproc)
# d2lbook reads config.ini and writes into _build; another edition or folder is a matter of book/edition.py
OUTPUT := $(if $(PHOTOS)$(DEMO)$(SOURCE_MODEL),_build/photos)
BUILD := $(or $(OUTPUT),_build)
ZH := $(if $(OUTPUT),$(PYTHON) -m book.edition config.ini,.venv/bin/d2lbook build)
define HTML
rm -rf $(BUILD)/html
$(ZH) html $(OUTPUT)
$(PYTHON) -m book.edition config_en.ini html $(OUTPUT)
$(PYTHON) -m assignments.generate --site $(BUILD)/html
@echo 'The book is $(BUILD)/html/index.html'
endef
TEX_PACKAGES := texlive-xetex texlive-latex-extra texlive-fonts-recommended texlive-lang-chinese latexmk \
    librsvg2-bin fontconfig fonts-noto-cjk fonts-texgyre fonts-texgyre-math
# what no log may hold; a line that is too long by less than 3 pt is not seen
TEX_FAULTS := Missing character|(Citation|[Rr]eference).*undefined|multiply.defined|Overfull .hbox .([3-9]|[0-9]{2,})\.
PINS := sed -n 's/^ *- \(.*==[^ ]*\).*/\1/p'
COMPILE := .venv/bin/uv pip compile - --generate-hashes --no-annotate --quiet --python-version 3.11 \
    --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) --output-file
# keep the memory of a batch for the next, in large pages: a fifth faster in PyTorch on a CPU, with the same values
MALLOC := glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=100000000000:glibc.malloc.hugetlb=1
FORCE_OPTION := $(if $(FORCE),--force)
export PYTHONWARNINGS := ignore:pkg_resources is deprecated
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export max_print_line := 10000

help: $(STAMP)  ## list these verbs (what make does by itself)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

$(STAMP):
	@bash book/setup.sh $@

book: $(STAMP)  ## execute what changed and render the book; PHOTOS=folder takes your own pictures
	$(PYTHON) -m book.execute $(FORCE_OPTION)
	$(HTML)

html: $(STAMP)  ## render the committed notebooks, if they are current; executes nothing
	$(PYTHON) -m book.execute --stored
	$(HTML)

pdf: $(STAMP)  ## make two PDFs, to which the site then links; needs TeX
	@which xelatex latexmk rsvg-convert fc-list > /dev/null || { echo 'the PDFs need TeX and fonts, please type (Debian or Ubuntu): \
	    sudo apt-get install --no-install-recommends $(TEX_PACKAGES)'; exit 1; }
	$(PYTHON) -m book.execute $(FORCE_OPTION)
	rm -rf $(BUILD)/pdf $(BUILD)/en/pdf
	$(ZH) pdf $(OUTPUT)
	$(PYTHON) -m book.edition config_en.ini pdf $(OUTPUT)
	! grep -E '$(TEX_FAULTS)' $(BUILD)/pdf/*.log $(BUILD)/en/pdf/*.log
	$(HTML)

notebooks: $(STAMP)  ## execute what changed and renew the committed notebooks; FORCE=1 executes all
	$(PYTHON) -m book.execute --update $(FORCE_OPTION)
	cp data/cache/fine_tuned-squeezenet1_1-demo.params data/fine_tuned.params

mine: $(STAMP)  ## train a classifier on PHOTOS=folder, CLASS/*: a report, and a folder to take away
	$(PYTHON) -m book.mine "$$PHOTOS"

predict: $(STAMP)  ## classify PICTURES="file folder ..."; MODEL=folder that make mine wrote; OUT=file.csv
	$(PYTHON) -m hotdog.predict $(PICTURES) $(if $(MODEL),--model "$$MODEL") $(if $(OUT),--out "$$OUT")

pytorch: $(STAMP) $(PYTORCH)  ## set up .venv-pytorch, in which the page pytorch runs (5.7 GB)

$(PYTORCH): | $(STAMP)
	.venv/bin/uv venv --quiet --clear --python $(PYTHON) .venv-pytorch
	.venv/bin/uv pip sync --quiet --python .venv-pytorch --require-hashes requirements_pytorch.lock
	.venv-pytorch/bin/python -m ipykernel install --sys-prefix --name pytorch --display-name PyTorch
	touch $@

lab: $(STAMP)  ## open the notebooks in JupyterLab
	.venv/bin/jupyter lab --config=jupyter_server_config.py

test: $(STAMP)  ## run the tests and compare the notebooks with their stored outputs
	$(PYTHON) -m pytest -n 2 --dist loadfile --durations 25 --nbval tests $(CHAPTER)

test-all: test  ## also run the long tests
	$(PYTHON) -m pytest tests -m long

assignment: $(STAMP)  ## make the exercises' student version, a folder to hand out; CLASS=name makes a class's own
	$(PYTHON) -m assignments.generate

grade: $(STAMP)  ## grade SUBMISSIONS=folder, which has a folder for each student; ISOLATION=none in a container
	$(PYTHON) -m assignments.grade "$(SUBMISSIONS)" $(if $(ISOLATION),--isolation $(ISOLATION))

solutions: $(STAMP)  ## execute the exercises' solutions with their experiments, three seeds (two hours), for the teacher
	$(PYTHON) -m assignments.solutions $(NAMES)

slides: $(STAMP)  ## make a lecture of the pages, an HTML file a language, with notes; PDFs too where there is Chromium
	$(PYTHON) -m book.slides

lock: $(STAMP)  ## compile the pins of environment*.yml and build.yml into the locks; UPGRADE=1 renews the others
	$(PINS) environment.yml build.yml | $(COMPILE) requirements.lock --python-platform x86_64-manylinux_2_28 > /dev/null
	$(PINS) environment_pytorch.yml | $(COMPILE) requirements_pytorch.lock --universal > /dev/null

evidence: $(PYTORCH)  ## measure what pretraining buys (hours, or minutes on a GPU; goes on where it was stopped); PHOTOS=clone
	GLIBC_TUNABLES=$(MALLOC) .venv-pytorch/bin/python -m hotdog.studies $(if $(PHOTOS),--photos "$(PHOTOS)")

demo-data: $(STAMP)  ## render the demo data set anew (hours)
	test -e renderer/.venv/bin/python || $(PYTHON) -m venv renderer/.venv
	renderer/.venv/bin/python -m pip install --quiet -r renderer/requirements.txt
	renderer/.venv/bin/python renderer/render.py _build/renders --jobs $(JOBS)
	$(PYTHON) renderer/pack.py _build/renders data

clean:  ## remove what was built, but not .venv
	rm -rf _build data/cache

.PHONY: help book html pdf notebooks mine predict pytorch lab test test-all assignment grade solutions slides evidence lock \
    demo-data clean
