#!/usr/bin/env bash
# From a fresh clone to executors that solve word problems: install into .venv, then play.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: ./run_econ.sh [--help] [--install-only] [-- PLAY OPTIONS]

Makes .venv (first time only), installs ECON with the versions of constraints.txt, and lets a team
of the three bundled language models play unseen word problems. Needs no key, no GPU and, once
installed, no network.

  --install-only   install and stop
  --help           show this and stop
  -- OPTIONS       pass OPTIONS to `econ-env play`, for example:
                     ./run_econ.sh -- --questions 5 --bne-rounds 3 --actions random
                   `./run_econ.sh -- --help` lists them

environment:
  PYTHON           the Python (3.10 or newer) that makes .venv; python3 where unset
  PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
                   the small CPU build of torch instead of the CUDA build that PyPI gives Linux
TEXT
}

# Ctrl-C while installing: the next call goes on from there.
trap 'printf "\nInterrupted.\n" >&2; exit 130' INT

install_only=false
while (($# > 0)); do
    case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --install-only) install_only=true ;;
        --)
            shift
            break
            ;;
        *)
            # Without what follows "=": it may be a key.
            printf 'error: unknown option %q. Options of the game stand after "--".\n\n' \
                "${1%%=*}" >&2
            usage >&2
            exit 2
            ;;
    esac
    shift
done

here=$(dirname -- "${BASH_SOURCE[0]}")
"$here/scripts/install.sh"
if $install_only; then
    exit 0
fi

trap - INT
# Files that the options name belong to the caller's folder, therefore no cd.
exec "$here/.venv/bin/econ-env" play "$@"
