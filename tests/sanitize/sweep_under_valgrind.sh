#!/usr/bin/env bash
# sweep_under_valgrind.sh PROGRAMS: text, tokens, sweep, status, verification and laws of a small study under memcheck.
# Any error is a failure; what libraries do is listed, with its reason, in valgrind.supp beside this script.
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../cli/small_study.sh" "$1"
command -v valgrind >/dev/null || { echo "skipped: no valgrind (./dev sanitize installs it)"; exit 77; }

checked() { # COMMAND...
    valgrind --quiet --error-exitcode=99 --suppressions="$here/valgrind.supp" --log-file=valgrind.txt "$@" \
        >out.txt 2>err.txt </dev/null || fail "exit status $? of $*: $(cat valgrind.txt out.txt err.txt)"
    [[ ! -s valgrind.txt ]] || fail "valgrind on $*: $(cat valgrind.txt)"
    echo "clean after $SECONDS s: $(basename "$1") ${*:2}"
}

make_text
head -c 40000 text.txt >short.txt
checked "$isogrid" tokenize short.txt --out small.tok --validation 0.3
make_job small.toml 0 8
# valgrind is hundreds of times slower: 1.2 thousand steps of 8 tokens, which is about the least that a plan accepts.
sed -i -e 's/^batch = 8/batch = 1/' -e 's/^leaves = 4/leaves = 1/' -e 's/^context = 32/context = 8/' \
    -e 's/^budgets = .*/budgets = [6e7, 15e7]/' -e 's/^tokens_per_parameter = .*/tokens_per_parameter = [0.01, 1000]/' \
    -e 's/^tokens = 1024/tokens = 256/' small.toml
checked "$isogrid" plan small.toml --isa avx2 # valgrind knows no AVX-512
checked "$isogrid" run small.toml --archive out.h5 --isa avx2
checked "$isogrid" status out.h5
checked "$isogrid" verify out.h5 --retrain 0 --isa avx2
checked "$programs/isogrid-fit" out.h5 --bootstrap 5 --json fit.json
