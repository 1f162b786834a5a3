#!/usr/bin/env bash
# check_card.sh itself, without a card: programs of a few words stand in for ours, for nvidia-smi and for
# compute-sanitizer, which knows the options of CUDA 13.0's and no others.
set -euo pipefail
check=$(cd "$(dirname "$0")" && pwd)/check_card.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/bin" "$folder/lib" "$folder/tools"

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}
program() { # PATH: its text is the input
    { echo '#!/usr/bin/env bash' && cat; } >"$folder/$1"
    chmod +x "$folder/$1"
}

program tools/nvidia-smi <<'END'
[[ $* != *query-gpu=name* ]] || { echo "A card, 580.00, 80000 MiB"; exit; }
echo "| NVIDIA-SMI 580.00    Driver Version: 580.00    CUDA Version: ${DRIVER_KNOWS:-13.1}     |"
END
program tools/getconf <<<'echo "glibc ${C_LIBRARY:-2.36}"'
program tools/ldd <<<'[[ -z ${MISSING:-} ]] || echo "$MISSING => not found"'
mkdir "$folder/lib/newer"
printf 'programs 2.34\nnewer 2.36\ncuda 13.0\n' >"$folder/needs"
program tools/compute-sanitizer <<'END'
[[ $1 != --help ]] || { echo "--kernel-name arg"; exit 0; }
tool=memcheck
while [[ $1 == --* ]]; do
    case $1 in
        --tool) tool=$2 ;;
        --kernel-name | --error-exitcode) ;;
        --report-api-errors) [[ $tool == memcheck ]] || { echo "$1 is memcheck's"; exit 255; } ;;
        *) echo "unrecognised option $1"; exit 255 ;;
    esac
    shift 2
done
"$@"
END
program bin/isogrid <<'END'
case $1 in
    run) : >"$4" ;;
    verify) echo '{"digest": "0a1b"}' ;;
esac
END
for tests in test_kernels test_train_cuda; do
    program "bin/$tests" <<'END'
[[ $0 != */"${SLOW:-}" ]] || sleep 60
[[ $0 != */"${BROKEN:-}" ]] || { printf 'a.cpp:1: Failure\nExpected: less\n[  FAILED  ] 1 test.\n'; exit 1; }
[[ $LD_LIBRARY_PATH == */lib:* ]] || { echo "libraries: $LD_LIBRARY_PATH"; exit 1; }
echo "$LD_LIBRARY_PATH" >"${0%/bin/*}/searched.txt"
echo '[  PASSED  ] 12 tests.'
END
done
program bin/bench_cuda <<'END'
while (($#)); do
    [[ $1 != --against ]] || sh -c "$2 --configs x"
    shift
done
echo "d=1 median 100 tokens/s"
END
program "rival of ours" <<<'echo "a rival with ${LD_LIBRARY_PATH:-nothing} and $*"'

run() { # STATUS OPTION...: as beside a card
    local expected=$1 status=0
    shift
    cd "$folder"
    CUDA_VISIBLE_DEVICES=0 PATH=$folder/tools:$PATH "$check" "$folder" "$@" >"$folder/out.txt" 2>&1 || status=$?
    ((status == expected)) || fail "exit status $status, not $expected: $(cat "$folder/out.txt")"
}
has() { grep -qE -- "$1" "$folder/out.txt" || fail "no line '$1' in: $(cat "$folder/out.txt")"; }

# All is well: each check is in the table, and a rival is where it was, with the libraries that it had before.
export LD_LIBRARY_PATH=/before
run 0 --against "'./rival of ours' --bf16" --log "$folder/all.txt"
for name in card libraries kernels training links sweeps resumed packed benchmark together profile memcheck racecheck against; do
    has "^$name +passed "
done
has '^card +passed +A card, 580.00, 80000 MiB, CUDA 13.1 '
grep -q '/lib:[^:]*/lib/newer:/before:' "$folder/searched.txt" || fail "searched: $(cat "$folder/searched.txt")"
has '^linked +not run +two cards are needed, 1 found'
grep -q '^a rival with /before and --bf16 --configs x$' "$folder/all.txt" || fail "the rival: $(cat "$folder/all.txt")"
unset LD_LIBRARY_PATH
run 0 --against "'./rival of ours'" --log "$folder/all.txt"
grep -q '^a rival with nothing and --configs x$' "$folder/all.txt" || fail "the rival: $(cat "$folder/all.txt")"

# A test that fails is in the table with its words above, and in the log.
BROKEN=test_train_cuda run 1 --log "$folder/all.txt"
has '^training +failed '
has '^Expected: less$'
has '^memcheck +failed '
grep -q '^== training, exit status 1$' "$folder/all.txt" || fail "the log: $(cat "$folder/all.txt")"

# An older C library than lib/newer needs has its own libraries instead of those; one that is too old for the programs,
# and a driver older than CUDA, are said.
C_LIBRARY=2.34 run 0
! grep -q newer "$folder/searched.txt" || fail "searched: $(cat "$folder/searched.txt")"
has '^libraries +passed +all found, C library 2.34'
C_LIBRARY=2.28 run 1
has '^libraries +failed +old C library \(2.28, the programs need 2.34\) use a newer node'
MISSING=libevent_core-2.1.so.7 run 1
has '^libraries +failed +missing, or too old \(libevent_core-2.1.so.7\) install them'
DRIVER_KNOWS=12.9 run 1
has '^card +failed +old driver \(of CUDA 12.9, we need 13.0\) update it or use another node'
has "^kernels +not run +the card's driver cannot be used"

# What had not all of its time is cut, and no failure; what comes after is not run.
SLOW=test_train_cuda ISOGRID_CHECK_SECONDS=8 run 0
has '^training +cut +all of the time was over after [0-9]+ s \(not failed\)'
has '^racecheck +not run +no time left'

run 2 --aginst rival
has 'no option \(known: --against COMMAND, --log FILE\)'
echo "the check says what it found"
