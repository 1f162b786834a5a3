#!/usr/bin/env bash
# The same study run alone, by 1, 2, 4 and 8 workers, with each trial on groups of 2 and 4 ranks, and with the trials in
# another order: the same digests.
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

# In another order: those that come first are kept back, as if they had failed, until the others are done.
trained() { sed -nE 's|^[0-9]+/[0-9]+ ([^ ]+) completed.*|\1|p' out.txt; }
expect_status 0 "$isogrid" run small.toml --archive order.h5
trained >forwards.txt
half=$(($(wc -l <forwards.txt) / 2))
((half > 0)) || fail "no order of trials: $(cat out.txt)"
"$isogrid" verify order.h5 --json | tr -d ' \n' | grep -oE '"name":"[^"]*","id":"[0-9a-f]{12}' |
    sed -E 's/"name":"(.*)","id":"/\1 /' >names.txt
mkdir -p reversed.h5.d/attempts
for name in $(head -n "$half" forwards.txt); do
    identity=$(awk -v name="$name" '$1 == name { print $2 }' names.txt)
    printf 'failed here 1 kept back\nfailed here 1 kept back\n' >"reversed.h5.d/attempts/$name-$identity"
done
expect_status 0 "$isogrid" run small.toml --archive reversed.h5
trained >backwards.txt
expect_status 0 "$isogrid" run small.toml --archive reversed.h5 --retry failed
trained >>backwards.txt
cmp -s <(sort forwards.txt) <(sort backwards.txt) || fail "not the same trials: $(cat backwards.txt)"
cmp -s <(head -n "$half" forwards.txt | sort) <(tail -n "$half" backwards.txt | sort) ||
    fail "those that came first do not come last: $(cat backwards.txt)"
expect_same_digests alone.h5 reversed.h5

# And a digest is not a constant: another seed gives other results.
sed 's/^seed = 7/seed = 8/' small.toml >other.toml
expect_status 0 "$isogrid" run other.toml --archive other.h5
digests alone.h5 >first.txt
digests other.h5 >second.txt
! cmp -s first.txt second.txt || fail "seeds 7 and 8 give the same digests"
