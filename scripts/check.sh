#!/usr/bin/env bash
# Run one of this repository's checks by name. What the check needs is installed if missing.
#
#   scripts/check.sh test | test-fast | test-ci [PYTEST ARGUMENTS...]
#   scripts/check.sh integrations [PYTEST ARGUMENTS...]
#   scripts/check.sh third-party [ARGUMENTS OF third_party.py...]
#   scripts/check.sh resolve | lint | types | docs | format
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

run() { .venv/bin/python -m "$@"; }

tests() { # on a worker per core of a small machine: half of the tests wait for models or processes
    scripts/install.sh minilm train test
    run pytest -n 2 --dist loadfile --durations=10 "$@"
}

check=${1:-}
shift || true
case $check in
    test) tests "$@" ;;
    test-fast) tests -m 'not slow and not exhaustive' "$@" ;;
    test-ci) tests -m 'not exhaustive' "$@" ;;
    docs)
        scripts/install.sh minilm train test dev
        NO_MKDOCS_2_WARNING=1 run mkdocs build --strict # the variable: no advertisement
        ;;
    resolve)
        scripts/install.sh minilm train test dev
        .venv/bin/python scripts/resolve_neighbours.py
        ;;
    integrations) # the extras that the other tests do without, each skipped by name there
        scripts/install.sh minilm train test inspect openenv lm-eval ray
        run pytest -n 2 --dist loadfile tests/econ_env/integrations tests/econ_agents/rollouts \
            tests/test_docs.py "$@"
        ;;
    third-party)
        scripts/install.sh trainers
        run scripts.third_party "$@"
        ;;
    lint)
        scripts/install.sh minilm train test dev
        run ruff check .
        run ruff format --check .
        .venv/bin/lint-imports
        ;;
    types)
        scripts/install.sh minilm train test dev
        run mypy
        ;;
    format)
        scripts/install.sh minilm train test dev
        run ruff check --fix .
        run ruff format .
        ;;
    *)
        printf 'usage: scripts/check.sh test|test-fast|test-ci|integrations|resolve|third-party|lint|types|docs|format (not %q)\n' "$check" >&2
        exit 2
        ;;
esac
