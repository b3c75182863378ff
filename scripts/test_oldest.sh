#!/usr/bin/env bash
# Test with the oldest pettingzoo and gymnasium that pyproject.toml allows, in .venv-oldest.
#
#   scripts/test_oldest.sh [PYTEST ARGUMENTS...]
#
# It runs the tests of all modules that touch the two libraries: the environments, their views, and
# the contract with third-party code. They play simulated models, so .venv-oldest needs no torch,
# which is most of an installation and does not depend on these two. All other packages have the
# versions of constraints.txt. Once installed, this needs no network.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

oldest=(gymnasium==1.0.0 pettingzoo==1.24.3)
packages=(
    huggingface-hub jinja2 latex2sympy2-extended 'math-verify[antlr4_13_2]' numpy pyarrow pyyaml
    requests tqdm tyro hypothesis packaging pytest pytest-timeout pytest-xdist
)
tests=(
    tests/econ_env/envs tests/econ_env/test_import.py tests/econ_env/test_registration.py
)

scripts/install.sh minilm train test # for its Python and its pip

python=.venv-oldest/bin/python
note=.venv-oldest/.installed-$(cat scripts/test_oldest.sh constraints.txt | cksum | cut -d ' ' -f 1)
if [[ ! -e $note ]]; then
    printf 'Installing %s into .venv-oldest.\n' "${oldest[*]}"
    rm -rf .venv-oldest
    .venv/bin/python -m venv --without-pip .venv-oldest
    constraints=$(mktemp)
    trap 'rm -f -- "$constraints"' EXIT
    grep -vE '^(gymnasium|pettingzoo)==' constraints.txt >"$constraints"
    .venv/bin/python -m pip --python "$python" install --quiet --disable-pip-version-check \
        --constraint "$constraints" "${oldest[@]}" "${packages[@]}"
    touch "$note"
fi

# In these files, only the bundled models of Arithmetic-v0 need torch.
registration=tests/econ_env/test_registration.py
"$python" -m pytest "${tests[@]}" \
    --deselect "$registration::test_gymnasium_checks_every_id[Arithmetic]" \
    --deselect "$registration::test_every_id_makes_a_vector_environment[Arithmetic]" "$@"
