#!/usr/bin/env bash
# Validate every file of real rows below a folder, and print the output of econ-env.
#
#   benchmarks/validation.sh FOLDER > benchmarks/results/validation.txt
set -euo pipefail

data=${1:?the folder with the data sets, one folder each}
command=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)/.venv/bin/econ-env
cd -- "$data"
for name in gsm8k svamp gsm_hard strategyqa math500; do
    for split in train test; do
        [[ -e $name/$split.jsonl ]] || continue
        printf '%s %s: ' "$name" "$split"
        "$command" validate "$name" --split "$split" --data-path "$name/$split.jsonl"
    done
done
