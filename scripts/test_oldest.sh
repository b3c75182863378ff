#!/usr/bin/env bash
# Test with the oldest version of every dependency that pyproject.toml allows, in .venv-oldest.
#
#   scripts/test_oldest.sh [PYTEST ARGUMENTS...]
#
# The versions are the lower bounds of pyproject.toml; their own dependencies come as pip finds them.
# torch alone has the version of constraints.txt: its older builds on PyPI bring CUDA libraries of
# several GB. It runs the tests of what calls these libraries. Once installed, this needs no network.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

tests=(
    tests/econ_agents/algorithm tests/econ_agents/environments tests/econ_agents/equilibrium
    tests/econ_agents/logging tests/econ_agents/networks tests/econ_agents/training
    tests/econ_env/embeddings tests/econ_env/envs tests/econ_env/grading tests/econ_env/llm/bundled
    tests/econ_env/llm/local tests/econ_env/questions tests/econ_env/test_hub.py
    tests/econ_env/test_import.py tests/econ_env/test_registration.py tests/econ_env/test_rewards.py
)

scripts/install.sh # for its Python and its pip

if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    printf 'error: %s\n' ".venv has $(.venv/bin/python --version), but the oldest versions have wheels for" \
        "Python 3.11 only. Make .venv with it: rm -r .venv, then PYTHON=python3.11 $0" >&2
    exit 1
fi

python=.venv-oldest/bin/python
# mpe2 needs a newer pettingzoo than the oldest, so that tests which play it are left out.
oldest=$(.venv/bin/python scripts/oldest_versions.py test wandb | grep -vE '^(torch|mpe2)==')
torch=$(grep '^torch==' constraints.txt)
note=.venv-oldest/.installed-$(printf '%s\n' "$oldest" "$torch" | cksum | cut -d ' ' -f 1)
if [[ ! -e $note ]]; then
    printf 'Installing the oldest versions into .venv-oldest. The first time takes some minutes.\n'
    rm -rf .venv-oldest
    .venv/bin/python -m venv --without-pip .venv-oldest
    # shellcheck disable=SC2086  one word a requirement
    .venv/bin/python -m pip --python "$python" install --quiet --disable-pip-version-check \
        $oldest "$torch" pip # which fetches models
    # The packages ask their own metadata for their version.
    .venv/bin/python -m pip --python "$python" install --quiet --disable-pip-version-check \
        --no-deps --editable .
    touch "$note"
fi

with_mpe2='simple_spread or take_turns_is_refused or of_others_plays or nobody_here_wrote or no_push or papers_criteria'
"$python" -m pytest -k "not ($with_mpe2)" "${tests[@]}" "$@"
