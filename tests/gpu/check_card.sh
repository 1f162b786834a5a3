#!/usr/bin/env bash
# All that can be asked of a CUDA card, within nine minutes, and one table of it: check_card.sh FOLDER [--against COMMAND]...
# FOLDER holds bin/ (isogrid, test_kernels, bench_cuda) and, in a bundle, lib/ with the libraries they need. Without a
# card it says what never ran. Exit status: 0 all well, 1 something failed, 77 no card.
set -uo pipefail

folder=$(cd "$1" && pwd) || exit 2
shift
against=()
while (($#)); do
    [[ $1 == --against && $# -ge 2 ]] || {
        echo "check_card.sh: $1 is no option (known: --against COMMAND) leave it out" >&2
        exit 2
    }
    against+=(--against "$2")
    shift 2
done
export PATH=$PATH:/usr/local/cuda/bin
[[ ! -d $folder/lib ]] || export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here" || exit 2
ends=$((SECONDS + 520)) # seconds for everything
rows=() failed=0

# check NAME SECONDS COMMAND...: one row of the table; 77 counts as skipped. Output goes to NAME.log, its last lines out.
check() {
    local name=$1 most=$2 start=$SECONDS status=0 left=$((ends - SECONDS))
    shift 2
    ((left > most)) || most=$left
    if ((most < 5)); then
        rows+=("$name|not run|no time left|")
        return
    fi
    printf '\n== %s\n' "$name"
    within "$most" "$@" >"$name.log" 2>&1 || status=$?
    tail -n 25 "$name.log"
    case $status in
        0) rows+=("$name|passed|$(summary "$name.log")|$((SECONDS - start)) s") ;;
        77) rows+=("$name|not run|$(summary "$name.log")|") ;;
        124) rows+=("$name|failed|no end within $most s|$most s") failed=1 ;;
        *) rows+=("$name|failed|$(summary "$name.log")|$((SECONDS - start)) s") failed=1 ;;
    esac
}

# within SECONDS COMMAND...: 124 where it took longer. Functions of this script are commands too.
within() {
    local most=$1 status=0
    shift
    "$@" &
    local worker=$!
    (sleep "$most" && kill "$worker") 2>/dev/null &
    local watch=$!
    wait "$worker" || status=$?
    kill "$watch" 2>/dev/null
    ((status != 143)) || status=124
    return "$status"
}
summary() { tail -n 1 "$1" | cut -c 1-80 | tr '|' '/'; }

print_table() {
    printf '\n%-22s %-8s %-82s %s\n' check outcome "last line" time
    local row
    for row in "${rows[@]}"; do
        IFS='|' read -r name outcome line time <<<"$row"
        printf '%-22s %-8s %-82s %s\n' "$name" "$outcome" "$line" "$time"
    done
}

card() {
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null && return
    echo "no card (nvidia-smi is missing or finds none)"
    return 77
}

# Every typed test of the backend; a card that cannot be used skips them all.
kernels() {
    "$folder/bin/test_kernels" --gtest_filter='*/cuda:CudaBackend.*' --gtest_brief=1 >tests.txt 2>&1
    local status=$? passed skipped
    passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' tests.txt)
    skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' tests.txt | head -1)
    grep -m 3 -E 'FAILED|CUDA|cuda backend' tests.txt
    echo "${passed:-0} passed, ${skipped:-0} skipped"
    ((status == 0)) || return 1
    ((${passed:-0} > 1)) || return 77
}

# A small sweep twice on the card: the same digest. Its text is this machine's own licences and headers.
write_job() {
    cat /usr/share/common-licenses/* /usr/include/*.h 2>/dev/null | head -c 3000000 >text.txt
    "$folder/bin/isogrid" tokenize text.txt --out text.tok >/dev/null || return 1
    cat >job.toml <<'TOML'
[study]
name = "card"
[data]
tokens = "text.tok"
[model]
widths = [64, 96, 128]
depth = 2
head_width = 32
context = 128
[recipe]
learning_rate = 0.01
precision = "bfloat16"
batch = 32
[isoflop]
budgets = [1e12]
sizes = 3
tokens_per_parameter = [0.001, 1e5]
[evaluation]
tokens = 16384
[run]
device = "cuda"
TOML
}
sweeps() {
    write_job || return 1
    local again
    for again in 1 2; do
        "$folder/bin/isogrid" run job.toml --archive "$again.h5" --alone || return
    done
    [[ $(digest 1) == "$(digest 2)" && -n $(digest 1) ]] || {
        echo "two runs have different digests"
        return 1
    }
    echo "two sweeps, one digest: $(digest 1)"
}
digest() { "$folder/bin/isogrid" verify "$1.h5" --json | sed -n 's/.*"digest": *"\([0-9a-f]*\)".*/\1/p' | head -1; }

sanitized() {
    command -v compute-sanitizer >/dev/null || {
        echo "compute-sanitizer is not installed"
        return 77
    }
    compute-sanitizer --tool "$1" --error-exitcode 1 "$folder/bin/test_kernels" --gtest_brief=1 \
        --gtest_filter='*/KernelTest.*/cuda-*ManyRows*:*/AttentionTest.laterTokens*/cuda'
}

check card 20 card
if [[ ${rows[0]} == *"not run"* ]]; then
    kernels
    for name in kernels sweeps memcheck racecheck benchmark; do rows+=("$name|not run|no card|"); done
    print_table
    echo "nothing here has run on a card"
    exit 77
fi
check kernels 120 kernels
check sweeps 60 sweeps
check memcheck 90 sanitized memcheck
check racecheck 90 sanitized racecheck
check benchmark 240 "$folder/bin/bench_cuda" --seconds 1 --rounds 1 "${against[@]}"
grep -h tokens/s benchmark.log 2>/dev/null
print_table
exit $failed
