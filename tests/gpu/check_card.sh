#!/usr/bin/env bash
# All that can be asked of a CUDA card, within nine minutes, and one table of it:
# check_card.sh FOLDER [--against COMMAND]... [--log FILE]
# FOLDER holds bin/ (isogrid, test_kernels, test_train_cuda, bench_cuda) and, in a bundle, lib/ with the libraries they
# need, lib/newer/ with those of them that need a newer C library than the programs, and `needs`: the versions of the C
# library that the programs and lib/newer/ need, and CUDA's. All that the checks print goes to FILE too. Without a card
# it says what never ran. Exit status: 0 all well, 1 something failed, 77 no card.
set -uo pipefail

folder=$(cd "$1" && pwd) || exit 2
shift
# Others' programs run where this was started, with the libraries that they had before the bundle's came first.
as_before="cd $(printf %q "$PWD") && unset LD_LIBRARY_PATH"
[[ -z ${LD_LIBRARY_PATH:-} ]] || as_before+=" && export LD_LIBRARY_PATH=$(printf %q "$LD_LIBRARY_PATH")"
against=() log=""
while (($#)); do
    [[ $1 =~ ^--(against|log)$ && $# -ge 2 ]] || {
        echo "check_card.sh: $1 is no option (known: --against COMMAND, --log FILE) leave it out" >&2
        exit 2
    }
    case $1 in
        --against) against+=(--against "$as_before && $2") ;;
        --log) log=$(realpath -m "$2") && : >"$log" || exit 2 ;;
    esac
    shift 2
done
export PATH=$PATH:/usr/local/cuda/bin
# cuBLASLt and NCCL may be in the bundle, or CUDA's, or parts of PyTorch only.
wheels=$(python3 -c 'import glob, sysconfig
print(":".join(glob.glob(sysconfig.get_paths()["purelib"] + "/nvidia/*/lib")))' 2>/dev/null)
needs() { sed -n "s/^$1 //p" "$folder/needs" 2>/dev/null; } # programs, newer or cuda: a version, or nothing
# is_older VERSION OTHER: false where one is not known.
is_older() { [[ -n $1 && -n $2 && $1 != "$2" && $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }
c_library=$(getconf GNU_LIBC_VERSION 2>/dev/null | awk '{print $2}')
libraries=$folder/lib
[[ ! -d $folder/lib/newer ]] || is_older "$c_library" "$(needs newer)" || libraries+=:$folder/lib/newer
[[ ! -d $folder/lib ]] ||
    export LD_LIBRARY_PATH=$libraries:${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/cuda/lib64${wheels:+:$wheels}
here=$(mktemp -d)
trap '[[ $BASHPID != "$$" ]] || rm -rf "$here"' EXIT # a part of it that is killed as it begins has the trap too
cd "$here" || exit 2
ends=$((SECONDS + ${ISOGRID_CHECK_SECONDS:-520})) # for everything
rows=() failed=0

# check NAME SECONDS COMMAND...: one row of the table; 77 counts as skipped. Output goes to NAME.log, its last lines out.
check() {
    local name=$1 most=$2 start=$SECONDS status=0 left=$((ends - SECONDS)) in_full=1
    shift 2
    ((left >= most)) || most=$left in_full=0
    if ((most < 5)); then
        rows+=("$name|not run|no time left|")
        return
    fi
    printf '\n== %s\n' "$name"
    within "$most" "$@" >"$name.log" 2>&1 || status=$?
    tail -n 25 "$name.log"
    [[ -z $log ]] || { printf '\n== %s, exit status %s\n' "$name" "$status" && cat "$name.log"; } >>"$log"
    case $status in
        0) rows+=("$name|passed|$(summary "$name.log")|$((SECONDS - start)) s") ;;
        77) rows+=("$name|not run|$(summary "$name.log")|") ;;
        124)
            # What began late shows nothing, nor how long others take to get ready.
            if ((in_full)); then
                rows+=("$name|cut off|no end within $most s|$most s")
                [[ " against benchmark profile " == *" $name "* ]] || failed=1 # slow is not wrong
            else
                rows+=("$name|cut|all of the time was over after $most s (not failed)|$most s")
            fi
            ;;
        *) rows+=("$name|failed|$(summary "$name.log")|$((SECONDS - start)) s") failed=1 ;;
    esac
}

# within SECONDS COMMAND...: 124 where it took longer. Functions of this script are commands too. What they start is
# in a process group with them, and ends with them: nothing is left on the card beside the next check.
within() {
    local most=$1 status=0
    shift
    set -m
    "$@" &
    local worker=$!
    (sleep "$most" && kill -- "-$worker" && sleep 5 && kill -KILL -- "-$worker") 2>/dev/null &
    local watch=$!
    set +m
    wait "$worker" || status=$?
    kill -- "-$watch" 2>/dev/null
    wait "$watch" 2>/dev/null
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
    local found knows built
    found=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null) || found=""
    [[ -n $found ]] || {
        echo "no card (nvidia-smi is missing or finds none)"
        return 77
    }
    knows=$(nvidia-smi 2>/dev/null | sed -n 's/.*CUDA \(UMD \)\?Version: *\([0-9][0-9.]*\).*/\2/p' | head -n 1)
    built=$(needs cuda)
    [[ -n $built ]] || built=$(nvcc --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
    printf '%s\n' "$found" | sed "s/\$/, CUDA ${knows:-unknown}/"
    is_older "${knows%%.*}" "${built%%.*}" || return 0 # a driver serves all versions of its CUDA's first number
    echo "old driver (of CUDA $knows, we need $built) update it or use another node"
    return 1
}

# What the loader does not find: libraries, or versions of theirs.
libraries() {
    local program missing=""
    ! is_older "$c_library" "$(needs programs)" || {
        echo "old C library ($c_library, the programs need $(needs programs)) use a newer node"
        return 1
    }
    for program in "$folder"/bin/*; do
        missing+=$(ldd "$program" 2>&1 | grep 'not found')$'\n'
    done
    [[ $missing == *[![:space:]]* ]] || {
        echo "all found, C library ${c_library:-unknown}"
        return
    }
    echo "$missing"
    echo "missing, or too old ($(grep -oE '[^ /]+\.so[.0-9]*' <<<"$missing" | sort -u | head -n 3 | paste -sd ' ')) install them"
    return 1
}

# Every typed test of the backend; a card that cannot be used skips them all.
kernels() { run_tests test_kernels '*/cuda:CudaBackend.*'; }

# Whole trials: against the reference, each step recorded as one launch and kernel after kernel, twice, on two ranks,
# and from a checkpoint, all to the same bits.
training() { run_tests test_train_cuda 'CudaTrainer.*'; }

# Cards that send to each other by NCCL: sums, trees and trials on 2, 4 and 8 cards to the bits of one. Several cards of
# one process may wait for each other for ever in recorded steps, NVIDIA says, the more where a kernel is loaded while
# another waits; isogrid has a process a card, which the check `linked` is of.
links() {
    export CUDA_MODULE_LOADING=EAGER
    run_tests test_train_cuda 'LinkedCards.*'
}

# The sweep on two workers a trial, each with a card of its own: the digest of one worker alone.
linked_sweep() {
    local cards
    cards=$(nvidia-smi --query-gpu=uuid --format=csv,noheader 2>/dev/null | wc -l)
    [[ -z ${CUDA_VISIBLE_DEVICES:-} ]] || cards=$(tr ',' '\n' <<<"$CUDA_VISIBLE_DEVICES" | grep -c .)
    ((cards >= 2)) || {
        echo "two cards are needed, $cards found"
        return 77
    }
    command -v mpirun >/dev/null || {
        echo "mpirun is not installed"
        return 77
    }
    { cat job.toml && echo 'ranks_per_trial = 2'; } >linked.toml
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    mpirun -n 3 --oversubscribe "$folder/bin/isogrid" run linked.toml --archive linked.h5 || return
    [[ $(digest linked) == "$(digest 1)" ]] || {
        echo "two cards a trial give another digest"
        return 1
    }
    echo "two cards a trial, the same digest"
}

# run_tests PROGRAM FILTER: 77 where all were skipped.
run_tests() {
    "$folder/bin/$1" --gtest_filter="$2" --gtest_brief=1 >tests.txt 2>&1
    local status=$? passed skipped
    passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' tests.txt)
    skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' tests.txt | head -1)
    if ((status == 0)); then grep -m 3 -E 'CUDA|cuda backend' tests.txt; else cat tests.txt; fi
    echo "${passed:-0} passed, ${skipped:-0} skipped"
    ((status == 0)) || return 1
    ((${passed:-0} > 1)) || return 77
}

# A small sweep twice on the card: the same digest. Its text is made up, as a bare machine has none.
write_job() {
    awk 'BEGIN { srand(1); for (i = 0; i < 300000; ++i) printf "%s%d ", i % 7 ? "word" : "\n", int(rand() * rand() * 1000) }' \
        >text.txt
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
trials_per_card = 1
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

# The same sweep with four trials on the card at once, and with as many as are found to be worth it: the digest of
# before, and what it took.
packed_sweep() {
    local seats start took=""
    for seats in 4 any; do
        grep -v '^trials_per_card' job.toml >packed.toml
        [[ $seats == any ]] || echo "trials_per_card = $seats" >>packed.toml
        start=$SECONDS
        "$folder/bin/isogrid" run packed.toml --archive "packed$seats.h5" --alone || return
        took+=", $((SECONDS - start)) s with $seats at once"
        [[ $(digest "packed$seats") == "$(digest 1)" ]] || {
            echo "$seats trials on the card at once give another digest"
            return 1
        }
    done
    echo "the same digest$took"
}

# The same sweep killed once it has written a checkpoint, and run again: the digest of before.
resumed() {
    [[ -e 1.h5 ]] || {
        echo "there is no sweep to compare with"
        return 1
    }
    { cat job.toml && echo 'checkpoint_minutes = 0.005'; } >resumed.toml
    "$folder/bin/isogrid" run resumed.toml --archive resumed.h5 --alone >killed.txt 2>&1 &
    local sweep=$! saved="" tries
    for ((tries = 0; tries < 400; ++tries)); do
        saved=$(find resumed.h5.d/checkpoints -type f 2>/dev/null | head -1)
        if [[ -n $saved ]] || ! kill -0 "$sweep" 2>/dev/null; then break; fi
        sleep 0.02
    done
    kill -KILL "$sweep" 2>/dev/null
    wait "$sweep" 2>/dev/null
    "$folder/bin/isogrid" run resumed.toml --archive resumed.h5 --alone || return
    [[ $(digest resumed) == "$(digest 1)" ]] || {
        echo "the sweep that was killed has another digest"
        return 1
    }
    echo "killed ${saved:+at a checkpoint }and resumed, the same digest"
}
digest() { "$folder/bin/isogrid" verify "$1.h5" --json | sed -n 's/.*"digest": *"\([0-9a-f]*\)".*/\1/p' | head -1; }

# sanitized TOOL PROGRAM FILTER: of our own kernels. What racecheck says of those of the libraries, which hand data on
# by barriers in shared memory that it does not follow, is not ours to mend.
sanitized() {
    command -v compute-sanitizer >/dev/null || {
        echo "compute-sanitizer is not installed"
        return 77
    }
    local ours=(--kernel-name kns=isogrid) # --kernel-regex before CUDA 13
    [[ $(compute-sanitizer --help) == *--kernel-name* ]] || ours=(--kernel-regex kns=isogrid)
    # What a call of CUDA answers is looked at by whoever calls; libraries also ask for what may not be there.
    [[ $1 != memcheck ]] || ours+=(--report-api-errors no)
    compute-sanitizer --tool "$1" "${ours[@]}" --error-exitcode 1 "$folder/bin/$2" --gtest_brief=1 \
        --gtest_filter="$3" 2>&1 | tee sanitized.txt
    local status=${PIPESTATUS[0]}
    ! grep -q 'Device not supported' sanitized.txt || status=77
    return "$status"
}
# Kernels each alone, without products, which are cuBLASLt's; steps as they are recorded; attention of every width.
sanitized_all() {
    sanitized "$1" test_kernels '*/KernelTest.*/cuda-*ManyRows*:*/KernelTest.linear*' || return
    sanitized "$1" test_train_cuda '*SameBitsWhether*:*LogitsOfAFewRows*' || return
    sanitized "$1" test_kernels '*/AttentionTest.*/cuda'
}

check card 20 card
check libraries 20 libraries
if [[ ${rows[0]} != *"|passed|"* ]]; then
    why="no card" status=77
    [[ ${rows[0]} == *"not run"* ]] || why="the card's driver cannot be used" status=1
    kernels
    for name in kernels training sweeps linked links resumed packed benchmark together profile memcheck racecheck ${against[0]:+against}; do rows+=("$name|not run|$why|"); done
    print_table
    echo "nothing here has run on a card"
    exit "$status"
fi
check kernels 120 kernels
check training 60 training
check sweeps 60 sweeps
check linked 40 linked_sweep
check links 60 links
check resumed 40 resumed
check packed 60 packed_sweep
check benchmark 90 "$folder/bin/bench_cuda" --seconds 2 --rounds 1
check together 30 "$folder/bin/bench_cuda" --packed --seconds 2
check profile 60 "$folder/bin/bench_cuda" --profile --seconds 0.5
check memcheck 120 sanitized_all memcheck
check racecheck 120 sanitized_all racecheck
# Last, with all the time that is left: compiling each shape takes PyTorch most of a minute.
((${#against[@]} == 0)) || check against 300 "$folder/bin/bench_cuda" --seconds 1 --rounds 1 "${against[@]}"
grep -h tokens/s benchmark.log together.log against.log 2>/dev/null
cat profile.log
print_table
exit $failed
