# What the tests of the program share: a scratch folder, a small study, and MPI on one machine. Source it with the
# folder of the programs as the script's first argument; it changes to the scratch folder, which goes away at the end.
# shellcheck shell=bash
set -euo pipefail

programs=$(cd "$1" && pwd)
isogrid=$programs/isogrid
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[[ -x $isogrid ]] || { echo "skipped: no $isogrid (not built) ninja isogrid"; exit 77; }
scratch=$(mktemp -d ${ISOGRID_SCRATCH:+-p "$ISOGRID_SCRATCH"}) # elsewhere where a test asks for it
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
cd "$scratch"

# Shared memory and loopback only, more ranks than cores, root where the user is root.
export OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# expect_status STATUS COMMAND...: runs it with its output in out.txt and err.txt, for `limit` seconds at most.
limit=${ISOGRID_LIMIT:-120} # a slower build has another (CMakePresets.json)
expect_status() {
    local expected=$1 status=0
    shift
    timeout "$limit" "$@" >out.txt 2>err.txt </dev/null || status=$?
    ((status == expected)) || {
        cat out.txt err.txt >&2
        fail "exit status $status instead of $expected: $*"
    }
}

# 400 kB of words drawn as in English: a few often, most seldom. The same bytes every time.
make_text() {
    perl -e '
        srand(1);
        my @words = map { join "", map { chr(97 + int rand 26) } 1 .. 2 + int rand 7 } 1 .. 400;
        my $length = 0;
        while ($length < 400_000) {
            my $paragraph = join(" ", map { $words[int(400 ** rand()) - 1] } 1 .. 60) . ".\n\n";
            $length += length $paragraph;
            print $paragraph;
        }' >text.txt
}

# make_job FILE [RANKS_PER_TRIAL] [EXPONENT]: budgets of 2 and 5 times 10^EXPONENT FLOPs, three sizes each.
make_job() {
    cat >"$1" <<END
[study]
name = "small"
seed = 7
[data]
tokens = "small.tok"
[model]
widths = [16, 24, 32]
head_width = 8
context = 32
[recipe]
learning_rate = 0.01
batch = 8
leaves = 4
[isoflop]
budgets = [2e${3:-9}, 5e${3:-9}]
sizes = 3
tokens_per_parameter = [0.1, 1000]
[evaluation]
tokens = 1024
points = 3
[run]
ranks_per_trial = ${2:-0}
END
}

# begin_one_layer_job FILE: what the studies of one-layer models have in common, up to the end of their [recipe].
begin_one_layer_job() {
    cat >"$1" <<'END'
[study]
name = "small"
[data]
tokens = "small.tok"
[model]
widths = [16, 24, 32]
head_width = 8
depth = 1
context = 32
[recipe]
learning_rate = 0.01
batch = 8
leaves = 4
END
}

# make_tokens: text.txt and small.tok.
make_tokens() {
    make_text
    expect_status 0 "$isogrid" tokenize text.txt --out small.tok --validation 0.05
}

# make_study: small.tok and small.toml.
make_study() {
    make_tokens
    make_job small.toml
}

# The exponent of budgets whose trials take a second or so; a slower build has another (CMakePresets.json).
long=${ISOGRID_LONG_EXPONENT:-10}

# long_study FILE: such trials, which save a checkpoint a fifth of a second.
long_study() {
    make_job "$1" 0 "$long"
    echo "checkpoint_minutes = 0.0033" >>"$1"
}

# digests ARCHIVE: every digest that `isogrid verify` recomputes, in the archive's order.
digests() {
    "$isogrid" verify "$1" --json | grep -oE '"[a-z_]*digest[a-z_]*": *"[0-9a-f]{64}"'
}

# expect_same_digests ARCHIVE ARCHIVE
expect_same_digests() {
    digests "$1" >first.txt
    digests "$2" >second.txt
    [[ -s first.txt ]] || fail "isogrid verify --json $1 shows no digest"
    diff first.txt second.txt >&2 || fail "$1 and $2 hold different results"
}

# wait_for_trial ARCHIVE: until a running sweep has finished its first trial.
wait_for_trial() {
    for _ in {1..600}; do
        [[ -z $(find "$1.d" -name '*.h5' 2>/dev/null) ]] || return 0
        sleep 0.05
    done
    fail "no trial of $1 ended in 30 s"
}
