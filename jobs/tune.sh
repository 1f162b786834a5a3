#!/bin/sh
# How the quickstart's recipe was tuned: one small size, one change at a time, three seeds each (jobs/README.md has the
# outcome). Prints a line a setting: the change, the three validation losses, their mean.
#
# usage: jobs/tune.sh ISOGRID [KEY=VALUE]...      without settings, those of the tables
set -eu
isogrid=$1
shift
jobs=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- seed=1 \
    learning_rate=0.0025 learning_rate=0.005 learning_rate=0.007 learning_rate=0.014 learning_rate=0.02 learning_rate=0.04 \
    embedding_multiplier=1.0 embedding_multiplier=3.0 embedding_multiplier=30.0 \
    initial_deviation=0.03 initial_deviation=0.12 \
    attention_multiplier=2.0 output_multiplier=1.0 output_multiplier=6.0 output_multiplier=10.0 \
    batch=2 batch=8 weight_decay=0.0 weight_decay=0.3 final_fraction=0.1 warmup_fraction=0.03 beta2=0.99

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# loss SETTING SEED: the validation loss of the one trial
loss() {
    sed -e "s|\"../data/|\"$jobs/../data/|" -e 's/^widths = .*/widths = [48]/' -e 's/^sizes = .*/sizes = 1/' \
        -e 's/^budgets = .*/budgets = [3.2e11]/' -e "s/^${1%%=*} = .*/${1%%=*} = ${1#*=}/" -e "s/^seed = .*/seed = $2/" \
        "$jobs/quickstart.toml" >"$work/job.toml"
    "$isogrid" run "$work/job.toml" --archive "$work/$1-$2.h5" | sed -n 's/.*validation loss //p'
}

for setting in "$@"; do
    one=$(loss "$setting" 1)
    two=$(loss "$setting" 2)
    three=$(loss "$setting" 3)
    echo "$setting $one $two $three" | awk '{ printf "%-26s %s %s %s  mean %.4f\n", $1, $2, $3, $4, ($2 + $3 + $4) / 3 }'
done
