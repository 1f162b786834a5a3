#!/usr/bin/env bash
# The form of what the training benchmark prints, never its speed: tables, rivals, refusals, and that its processes
# end with it. Its only argument is the folder of the programs.
source "$(dirname "$0")/../cli/small_study.sh" "$1"

bench=$programs/bench_train
[[ -x $bench ]] || { echo "skipped: no $bench (not built) ninja bench_train"; exit 77; }
shape=32,1,2,32,2,64
few=(--seconds 0 --shapes "$shape")

expect_line() { grep -qE -- "$1" out.txt err.txt || fail "no line like \"$1\" but: $(cat out.txt err.txt)"; }
expect_no_line() { ! grep -qE -- "$1" out.txt err.txt || fail "a line like \"$1\": $(cat out.txt err.txt)"; }

# Both precisions (or a line that says why not), more processes than one, JSON, and no line too wide.
expect_status 0 "$bench" "${few[@]}" --processes 2 --json out.json
expect_line "^$shape +float32 +[0-9.]+[kM]? +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+[kM]? +[0-9.]+ +([0-9.]+|-)\$"
expect_line "^($shape +bfloat16 |bfloat16: skipped)"
expect_line '^time by op, float32 +32,1,2$'
expect_line '^adamw +[0-9.]+%$'
expect_line '^other +[0-9.]+%$'
expect_line '^multiply-adds on registers'
expect_no_line '^.{101}'
expect_no_line '\b(nan|inf)\b'
grep -q '"schema": "isogrid-bench-train/1"' out.json || fail "no schema in $(cat out.json)"
awk '/^time by op, float32/ { on = 1; next } on && /%$/ { sum += $NF } on && /^$/ { exit }
     END { exit !(sum > 98 && sum < 102) }' out.txt || fail "shares do not add up to 100%: $(cat out.txt)"

# Rivals: copies add up; lines for other shapes do not count; no --configs; a failure and silence show `-`.
cat >takes_configs.sh <<'END'
[ "$2" = 32,1,2,32,2,64 ] || exit 1
echo "# with configs"
echo "d=32 L=1 context=32 batch=2 vocab=64 | median 100 tokens/s"
echo "d=64 L=1 context=32 batch=2 vocab=64 | median 999 tokens/s"
END
cat >takes_none.sh <<'END'
[ $# = 0 ] || { echo "usage: no --configs here"; exit 2; }
echo "# without configs, bf16"
echo "median 3e3 tokens/s"
END
expect_status 0 "$bench" "${few[@]}" --precision float32 --rounds 2 \
    --against 'sh takes_configs.sh' --against-copies 2 --against 'sh takes_none.sh' \
    --against 'echo broken; exit 3' --against true
ratio='[0-9]+\.[0-9]+'
expect_line "^$shape +float32 +[0-9.]+[kM]? +a \* +200 +$ratio +$ratio - $ratio\$"
expect_line "^$shape +bfloat16 +- +b \* +3.00k +-\$"
expect_line "^$shape +float32 +[0-9.]+[kM]? +c +- +-\$"
expect_line "^$shape +float32 +[0-9.]+[kM]? +d +- +-\$"
expect_line '^ *a: 2 copies of sh takes_configs.sh \(with configs\)$'
expect_line 'exit status 3'
expect_line '^    broken$'

# Refusals: exit status 2, problem (why) what to do.
expect_status 2 "$bench" --shapes 32,1,2,32,2
expect_line "^--shapes: '32,1,2,32,2': has 5 numbers .*\(.*\) "
expect_status 2 "$bench" --shapes 32,1,2,32,2,64,
expect_status 2 "$bench" --shapes 32,1,5,32,2,64
expect_status 2 "$bench" --shapes ''
expect_status 2 "$bench" --precision float31
expect_status 2 "$bench" --processes 0
expect_status 2 "$bench" --against-copies 2
expect_status 2 "$bench" --no-such-option
expect_status 1 "$bench" "${few[@]}" --isa no_such_set
expect_line 'no_such_set'

# Asked to stop, it ends with its workers and with what its rivals started.
children_of() { pgrep -P "$1" || true; }
end_with_children() {
    local process=$1 children=() child
    for _ in {1..200}; do
        mapfile -t children < <(children_of "$process")
        ((${#children[@]} >= $2)) && break
        sleep 0.05
    done
    ((${#children[@]} >= $2)) || fail "no children of the benchmark to see"
    kill -TERM "$process"
    local status=0
    wait "$process" || status=$?
    ((status == 143)) || fail "ended by SIGTERM with exit status $status"
    for child in "${children[@]}"; do
        for _ in {1..100}; do
            kill -0 "$child" 2>/dev/null || continue 2
            sleep 0.05
        done
        fail "process $child outlived the benchmark"
    done
}
if command -v pgrep >/dev/null; then
    "$bench" --shapes "$shape" --precision float32 --processes 2 --seconds 600 >out.txt 2>err.txt &
    end_with_children $! 2
    "$bench" "${few[@]}" --precision float32 --against 'echo $$ >rival.txt; sleep 600; true' >out.txt 2>err.txt &
    process=$!
    for _ in {1..1200}; do
        [[ ! -s rival.txt ]] || break
        sleep 0.05
    done
    [[ -s rival.txt ]] || fail "the rival never ran: $(cat out.txt err.txt)"
    end_with_children "$process" 1
fi
