#!/usr/bin/env bash
# slurm/sweep.sbatch ends ranks that show no sign of life, and starts again. Those of a job that was suspended for longer
# than its patience have shown none either, and are not ended when it goes on.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
echo start >>started.txt
mkdir -p out.h5.d/attempts
touch out.h5.d/lock
if [[ -z ${SUSPENDED:-} ]]; then
    (($(wc -l <started.txt) > 1)) || exec /bin/sleep 60
else
    /bin/sleep 3 # the lock has been looked at
    watch=$(pgrep -P "$PPID" | grep -vx $$)
    kill -STOP $watch
    /bin/sleep 9
    kill -CONT $watch
    /bin/sleep 1
    touch out.h5.d/lock
fi
echo results >out.h5
rm -r out.h5.d
END_OF_PROGRAM

sweep ISOGRID_PATIENCE=3
expect_in_log 'no sign of life for 3 s: ending these ranks'
(($(wc -l <started.txt) == 2)) || fail "$(wc -l <started.txt) starts instead of 2: $(cat log.txt)"
rm started.txt out.h5
sweep ISOGRID_PATIENCE=6 SUSPENDED=yes
(($(wc -l <started.txt) == 1)) || fail "$(wc -l <started.txt) starts instead of 1: $(cat log.txt)"
