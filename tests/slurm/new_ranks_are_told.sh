#!/usr/bin/env bash
# Ranks are told to end though the job was told before they had quite started: while Slurm's and the sweep's state is
# looked at, between two starts.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
trap 'exit 75' USR1
for _ in {1..30}; do /bin/sleep 0.1; done
touch lived.txt
exit 75
END_OF_PROGRAM
stand_in stat <<'END_OF_PROGRAM'
[[ -e signalled.txt ]] || kill -TERM "$(ps -o ppid= -p $PPID | tr -d ' ')"
touch signalled.txt
exec /usr/bin/stat "$@"
END_OF_PROGRAM
for _ in {1..4}; do
    rm -f signalled.txt
    job_with
    expect_status 75
    [[ ! -e lived.txt ]] || fail "the ranks were not told: $(cat log.txt)"
done
