# Thin names for scripts/check.sh; each target installs what it needs into .venv first.
.DEFAULT_GOAL := help
.PHONY: help install test test-fast test-ci test-oldest test-resolve test-integrations test-third-party replay-gsm8k lint types docs format clean

PYTEST_ARGS ?=
ROWS ?=
THIRD_PARTY ?=

help: ## show these targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

install: ## make .venv and install everything that developing needs
	@scripts/install.sh minilm train test dev

test: ## run the tests (PYTEST_ARGS="-k game -x" are passed on)
	@scripts/check.sh test $(PYTEST_ARGS)

test-fast: ## run the tests that take no seconds, for work in progress
	@scripts/check.sh test-fast $(PYTEST_ARGS)

test-ci: ## run the tests without the longest ones, as .ci/run does
	@scripts/check.sh test-ci $(PYTEST_ARGS)

test-oldest: ## test with the oldest version of every dependency
	@scripts/test_oldest.sh $(PYTEST_ARGS)

test-resolve: ## resolve this beside Hydra, BenchMARL and AgileRL (network)
	@scripts/check.sh resolve

test-integrations: ## run the tests of Inspect, OpenEnv, lm-evaluation-harness and Ray, which it installs
	@scripts/check.sh integrations $(PYTEST_ARGS)

test-third-party: ## train with other libraries, in environments of their own (THIRD_PARTY="--only skrl")
	@scripts/check.sh third-party $(THIRD_PARTY)

replay-gsm8k: ## repeat the tables of GSM8K with public models from recordings (ROWS="--data-path DIR")
	@scripts/install.sh minilm train test
	@for name in gsm8k_1.5b gsm8k_1.5b_casting_vote gsm8k_mixed_casting_vote gsm8k_0.5b gsm8k_0.5b_casting_vote gsm8k_0.5b_trained; do \
		.venv/bin/python -m benchmarks.replay play benchmarks/recordings/$$name.sqlite.xz \
			--config benchmarks/configs/$$name.yaml --expect benchmarks/results/$$name.json $(ROWS) || exit; \
	done

lint: ## check style and formatting
	@scripts/check.sh lint

types: ## check types
	@scripts/check.sh types

docs: ## build the site of docs/ into site/, strictly and offline
	@scripts/check.sh docs

format: ## mend style and formatting
	@scripts/check.sh format

clean: ## remove caches and builds, but not .venv
	@rm -rf build dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -path ./.venv -prune -o -type d -name __pycache__ -exec rm -rf {} +
