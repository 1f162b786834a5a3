#!/usr/bin/env bash
# What sites' older bash cannot do is not asked of it: before 4.4 an array without elements is unbound, and before 5.1 a
# here-string is a file under /tmp, which may be full.
set -euo pipefail
cd "$(dirname "$0")/../../slurm"
status=0
if grep -rn '<<<' sweep sweep.sbatch; then echo "FAILED: here-strings (see above) printf into a pipe" >&2; status=1; fi
if grep -rnE '(^|[^+])"\$\{(options|options_of_later_starts)\[@\]\}"' sweep; then
    echo 'FAILED: arrays that may be empty (see above) write ${name[@]+"${name[@]}"}' >&2
    status=1
fi
exit $status
