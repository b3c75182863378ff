#!/usr/bin/env bash
# From a fresh clone to a team that has learned: install into .venv, train, test.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: ./run_econ.sh [--config NAME] [--agents N] [--experiment-name NAME] [--api-key KEY]
                     [--install-only] [--help] [-- OPTIONS]

Makes .venv (first time only), installs ECON with the versions of constraints.txt, trains a team
and tests it on questions that it has not seen. Without options that is the preset quickstart: the
three bundled language models on word problems, without a key, a GPU or, once installed, a network.

  --config NAME    a preset (quickstart, simulated, large, p0, math, svamp, mpe_spread) or a YAML
                   file; quickstart where left out
  --agents N       number of executors, instead of what the configuration says
  --experiment-name NAME
                   name of the run, whose folder is runs/NAME; left out: that of the configuration
  --api-key KEY    key of Together, for configurations that ask its models. Others on this machine
                   can read a command line: better export TOGETHER_API_KEY, or --api-key -, which
                   reads the key from standard input
  --install-only   install and stop
  --help           show this and stop
  -- OPTIONS       pass OPTIONS to `econ-agents train`, for example:
                     ./run_econ.sh --experiment-name short -- --train.episodes 200 --seed 1
                   `./run_econ.sh -- --help` lists them

Called again, it goes on with a run that was interrupted, with the settings it began with, and
tests one that was only trained. Where both is done it begins anew, in runs/NAME-2, runs/NAME-3, …

environment:
  TOGETHER_API_KEY key of Together
  PYTHON           the Python (3.11 or newer) that makes .venv; python3 where unset
  PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
                   the small CPU build of torch instead of the CUDA build that PyPI gives Linux
TEXT
}

mistake() { # MESSAGE: never with a value in it, which may be a key
    printf 'run_econ.sh: %s ./run_econ.sh --help lists the options.\n' "$1" >&2
    exit 2
}

interrupted() {
    printf '\nInterrupted. The same command goes on from there.\n' >&2
    exit 130
}
trap interrupted INT

step() { # run a command, and end with its exit code unless that is 0
    local code=0
    "$@" || code=$?
    if ((code == 130)); then
        interrupted
    elif ((code != 0)); then
        exit "$code"
    fi
}

read_key() { # from standard input, not shown on a terminal
    local key=''
    if [[ -t 0 ]]; then
        printf 'key: ' >&2
    fi
    IFS= read -rs key || true # a last line without an end is one, too
    printf '%s' "$key"
}

install_only=false
config=quickstart
name=''
api_key=''
flags=()
while (($# > 0)); do
    option=${1%%=*}
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
        --config=* | --agents=* | --experiment-name=* | --api-key=*) value=${1#*=} ;;
        --config | --agents | --experiment-name | --api-key)
            if (($# == 1)) || [[ $2 == --* ]]; then
                mistake "$option needs a value."
            fi
            value=$2
            shift
            ;;
        -*) mistake "unknown option $(printf '%q' "$option"). Those of training stand after \"--\"." ;;
        *) mistake 'there is an argument that belongs to no option.' ;;
    esac
    case $option in
        --config)
            [[ -n $value ]] || mistake '--config needs a name.'
            config=$value
            ;;
        --agents)
            [[ $value =~ ^[1-9][0-9]{0,3}$ ]] || mistake '--agents needs a whole number, at least 1.'
            flags+=(--n_agents "$value")
            ;;
        --experiment-name)
            [[ $value =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] ||
                mistake '--experiment-name needs a name of letters, digits, ".", "_" and "-".'
            name=$value
            ;;
        --api-key)
            if [[ $value == - ]]; then
                value=$(read_key)
            elif [[ -n $value ]]; then
                printf '%s\n' 'hint: others on this machine can read a command line, and the shell' \
                    '      remembers it. Better: export TOGETHER_API_KEY, or --api-key -' >&2
            fi
            [[ -n $value ]] || mistake '--api-key needs a key, and got an empty one.'
            api_key=$value
            ;;
    esac
    shift
done
for option in "$@"; do
    case ${option%%=*} in
        --config | --experiment[-_]name | --log[-_]dir | --logging.log[-_]dir | --logging.model[-_]dir)
            mistake "${option%%=*} stands before \"--\" or not at all: it decides on the folder."
            ;;
    esac
done

here=$(dirname -- "${BASH_SOURCE[0]}")
step "$here/scripts/install.sh" train
if $install_only; then
    exit 0
fi
# Only now: what installs needs no key.
if [[ -n $api_key ]]; then
    export TOGETHER_API_KEY=$api_key
fi

# Files that the options name belong to the caller's folder, as does runs/: therefore no cd.
agents=$here/.venv/bin/econ-agents
for option in "$@"; do
    if [[ $option == -h || $option == --help ]]; then
        exec "$agents" train --config "$config" --help
    fi
done

if [[ -z $name ]]; then
    name=$(basename -- "$config" .yaml)
fi
run=runs/$name
number=1
while [[ -e $run/test_report.json ]]; do
    number=$((number + 1))
    run=runs/$name-$number
done

if [[ -e $run/checkpoints/final ]]; then
    printf '%s is trained already: this tests it.\n' "$run"
elif [[ -e $run/config.yaml ]]; then
    printf '%s was begun before: going on with the settings of %s.\n' "$run" "$run/config.yaml"
    step "$agents" resume --log_dir "$run"
else
    printf 'Training in %s.\n' "$run"
    step "$agents" train --config "$config" --experiment_name "$name" --log_dir "$run" \
        ${flags[@]+"${flags[@]}"} "$@"
fi
printf '\nTesting.\n'
step "$agents" test --model_dir "$run" --log_dir "$run"
step "$agents" report "$run"

played=false # false where no language models were asked
for file in "$run"/llm_traces_test_*; do
    if [[ -e $file ]]; then
        played=true
    fi
done
run=$(printf '%q' "$run")
bin=$(printf '%q' "$here/.venv/bin")
compare=$(printf '%q' "$here/benchmarks/compare.py")
cat <<TEXT

In $run:
  report.html               what was played, what was learned and whether it is worth it: open it
                            in a browser
  checkpoints/final         the trained team
  test_report.json          the test, with intervals
TEXT
if $played; then
    cat <<TEXT
  llm_traces_test_bne_*     what the models were asked and said in the test
TEXT
fi
cat <<TEXT
  metrics.jsonl, .csv       everything that was measured in training; plots/ shows it
  config.yaml               every setting

Next:
TEXT
if $played; then
    cat <<TEXT
  Is it worth its tokens? The same 100 questions for the team and for a vote that costs as much and chooses
  its temperature on training questions: about nine times the tokens of 100 questions of the test (minutes
  with the bundled models; with --dry-run it says requests, tokens and price, and sends nothing):
    $bin/python $compare --methods econ self_consistency --budget-match econ --tune train --model-dir $run
  How far is it from equilibrium? 20 questions, up to 3,000 games of three executors (about 8 minutes
  with the bundled models; it begins by saying how long):
    $bin/econ-agents nash --model-dir $run
  Every game of the test, to search and to filter, in $run/games.html:
    $bin/econ-env view $run
TEXT
fi
cat <<TEXT
  What the checkpoint holds, and the curves in a browser:
    $bin/econ-agents inspect --model-dir $run
    $bin/tensorboard --logdir $run
TEXT
