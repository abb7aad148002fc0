# make lab       set up what is missing (scripts/setup), then open JupyterLab on notebooks/ (ARGS="--port=9000": its options)
# make setup     only that
# make test      Go tests                        make figures         every figure of the paper -> results/figures
# make notebooks run all of them; outputs must be the committed ones   make notebooks-save  write their outputs back
# make explorer  the page with the theory in it -> site/explorer (a browser opens its index.html, no server is needed)
# make site      that, all figures, tables, claims, errata, notebooks and packages -> site      make site-test  a sample of it, opened in a browser
# make lint      golangci-lint, deadcode, files   make bench           what the README's Performance section says
# make scripts-test, make browser-test           tests of the lab itself
# make browser-test-all  every notebook in a browser; half an hour, nightly in CI
# make fuzz      every fuzz target for 3 s (ARGS=60: seconds)
# make chaos     kill, damage and starve training and kernels (ARGS=20: tries of each); 10 minutes, not in CI
# make cluster-test  trainings and kernels on a real Slurm (slurm-wlm and munge, as root); minutes, not in CI
# make image     the lab as a container image, built and tried (docker, podman or buildah); minutes, not in CI
# make mutants   change the source line by line and see that the tests fail; minutes, not in CI
# make clean     remove what the above made outside Go's caches
SHELL := /bin/sh
export GOMLX_NO_AUTO_INSTALL = 1
export PJRT_PLUGIN_LIBRARY_PATH ?= $(CURDIR)/.lab/pjrt
PYTHON = .lab/venv/bin/python
NOTEBOOKS = $(wildcard notebooks/*.ipynb)

.PHONY: lab setup test scripts-test fuzz chaos cluster-test image mutants browser-test browser-test-all explorer site site-test figures notebooks notebooks-save bench lint clean

lab:
	@scripts/lab $(ARGS)

setup:
	@scripts/setup

test: setup
	@scripts/gotest.py ./...

scripts-test: setup
	@$(PYTHON) scripts/unit.py

fuzz: setup
	@scripts/fuzz.py $(ARGS)

chaos: setup
	@scripts/chaos.py $(ARGS)

cluster-test:
	@scripts/cluster.py $(ARGS)
	@cd tools/kubernetes && go test ./...

image:
	@scripts/image $(ARGS)

mutants: setup
	@scripts/mutants.py $(ARGS)

browser-test: setup
	@$(PYTHON) scripts/browser.py
	@$(PYTHON) scripts/explorer_browser.py

browser-test-all: setup
	@$(PYTHON) scripts/browser.py --all

site: setup
	@scripts/site

site-test: setup
	@scripts/site --sample
	@$(PYTHON) scripts/site_browser.py .lab/site-sample

explorer: setup
	@$(PYTHON) scripts/explorer.py

figures: setup
	go run ./cmd/unhinged figures --out results/figures

notebooks: setup
	@$(PYTHON) scripts/nbcheck.py --fresh $(NOTEBOOKS)

notebooks-save: setup
	@$(PYTHON) scripts/nbcheck.py --save $(NOTEBOOKS)

bench: setup
	go test -run '^$$' -bench . -benchmem ./...

lint: setup
	@scripts/lint

clean:
	rm -rf .lab site jupyter/labextensions/unhinged-assets notebooks/.ipynb_checkpoints scripts/__pycache__
