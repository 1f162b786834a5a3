#!/usr/bin/env bash
# The same study run alone, by 1, 2, 4 and 8 workers, and with each trial on groups of 2 and 4 ranks: the same digests.
source "$(dirname "$0")/small_study.sh" "$1"
make_study

expect_status 0 "$isogrid" run small.toml --archive alone.h5 --alone
for ranks in 2 3 5 9; do # a coordinator, and 1, 2, 4 or 8 workers
    expect_status 0 mpirun -n "$ranks" "$isogrid" run small.toml --archive "ranks$ranks.h5"
    expect_same_digests alone.h5 "ranks$ranks.h5"
done
for group in 2 4; do
    make_job "group$group.toml" "$group"
    expect_status 0 mpirun -n 5 "$isogrid" run "group$group.toml" --archive "group$group.h5"
    expect_same_digests alone.h5 "group$group.h5"
done

# And a digest is not a constant: another seed gives other results.
sed 's/^seed = 7/seed = 8/' small.toml >other.toml
expect_status 0 "$isogrid" run other.toml --archive other.h5
digests alone.h5 >first.txt
digests other.h5 >second.txt
! cmp -s first.txt second.txt || fail "seeds 7 and 8 give the same digests"
