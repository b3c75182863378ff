#!/usr/bin/env bash
# The checks of this repository, one a name. Installs what the check needs, when it is missing.
#
#   scripts/check.sh test [PYTEST ARGUMENTS...]
#   scripts/check.sh resolve | lint | types | format
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

run() { .venv/bin/python -m "$@"; }

check=${1:-}
shift || true
case $check in
    test)
        scripts/install.sh minilm train test
        # A worker per core of a small machine: half of the tests wait for models or processes.
        run pytest -n 2 --dist loadfile --durations=10 "$@"
        ;;
    resolve)
        scripts/install.sh
        .venv/bin/python scripts/resolve_neighbours.py
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
        printf 'usage: scripts/check.sh test|resolve|lint|types|format (not %q)\n' "$check" >&2
        exit 2
        ;;
esac
