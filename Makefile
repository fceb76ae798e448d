# Everything that these do is in tools/; each script says what it takes.

.DEFAULT_GOAL := help
.PHONY: help demo test lint unit mutants browser integration molecule faults fuzz bench matrix \
	sandbox-up sandbox-down docs build install-local

help: ## say this
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

demo: ## fill a back end of a real Manila on this machine, and evacuate it
	@tools/demo

test: ## all of the next six, with the times they took; of mutants only those on changed lines
	@tools/test

lint: ## style, types, documentation, packaging: `tools/lint CHECK …` for some
	@tools/lint

unit: ## the unit tests: `tools/unit -k NAME` for some
	@tools/unit

mutants: ## which small changes of the program no unit test notices: `tools/mutants states` for some
	@tools/mutants

browser: ## the report, in a headless Chromium
	@tools/browser

integration: ## the installed collection against two sandboxes: `tools/integration -k NAME` for some
	@tools/integration

molecule: ## the roles' scenarios
	@tools/molecule

faults: ## all faults on the sandbox, the results into docs/faults.md: `tools/faults -k NAME` for some
	@tools/faults

fuzz: ## 100,000 histories of the runner on a Manila that misbehaves: `tools/fuzz 200` for a million
	@tools/fuzz

matrix: ## each supported ansible-core and Python: `tools/matrix 3.13/2.21` for one
	@tools/matrix

bench: ## the benchmarks, their figures into docs/benchmarks.md
	@tools/bench

sandbox-up: ## bring up the sandbox, a real Manila on loopback
	@tests/sandbox/sandbox up

sandbox-down: ## take it down
	@tests/sandbox/sandbox down

docs: ## the documentation site, into build/site
	@tools/docs

build: ## the collection's tarball, into build/
	@tools/build

install-local: ## install that tarball into a directory of the cache, and print its path
	@tools/install
