#!/usr/bin/env bash
# Every job for processors in jobs/ runs from its file to its laws: on a text made here, at a small part of its size.
source "$(dirname "$0")/small_study.sh" "$1"
limit=600 # some seconds each, unless the machine does other things
make_text
mkdir data jobs
expect_status 0 "$isogrid" tokenize text.txt --out data/gcide.tok --validation 0.1
cp data/gcide.tok data/anarchism.tok

jobs=0
for job in "$repository"/jobs/*.toml; do
    name=$(basename "$job" .toml)
    ! grep -q '^device = "\(cuda\|auto\)"' "$job" || continue
    cp "$job" jobs
    SECONDS=0
    scale=0.025
    case $name in
        batch-ramp | critical-batch-trunk) scale=0.04 ;; # their largest batches need more tokens
        ladder | learning-rate | mup | quickstart) scale=0.01 ;; # others' smallest budgets would be less than a step
    esac
    expect_status 0 "$isogrid" plan "jobs/$name.toml" --scale "$scale" --ranks 2
    grep -q "multiplied by $scale" out.txt || fail "plan of $name does not say that it is scaled"
    expect_status 0 mpirun -n 3 "$isogrid" run "jobs/$name.toml" --archive "$name.h5" --scale "$scale"
    if [[ -x $programs/isogrid-fit ]]; then
        expect_status 0 "$programs/isogrid-fit" "$name.h5" --bootstrap 20 --json "$name.json"
        grep -q '"laws"' "$name.json" || fail "no laws of $name"
    fi
    echo "$name: $SECONDS s"
    jobs=$((jobs + 1))
done
((jobs >= 10)) || fail "only $jobs jobs for processors"

# The archive keeps the job as it was run, and takes no trials of another size.
grep -aq '^scale = 0.01$' quickstart.h5 || fail "the archive's job has no scale"
expect_status 2 "$isogrid" run jobs/quickstart.toml --archive quickstart.h5 --scale 0.05
expect_status 2 "$isogrid" run jobs/quickstart.toml --archive quickstart.h5
expect_status 0 "$isogrid" run jobs/quickstart.toml --archive quickstart.h5 --scale 0.01
