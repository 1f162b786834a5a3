#!/usr/bin/env bash
# What slurm/sweep.sbatch knows of its job it has from Slurm's record of it: not from variables, which a successor has from
# the job that submitted it, and not from the records of other jobs of an array, which Slurm shows beside it. What Slurm
# does not say at the start, as while its controller fails over, is asked again.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
echo "$SLURM_JOB_END_TIME $SLURM_RESTART_COUNT" >>started.txt
echo "${SRUN_CPUS_PER_TASK:-} ${SLURM_OVERLAP:-}" >cores.txt
exit 75
END_OF_PROGRAM
stand_in sbatch <<<'echo 8'
stand_in squeue <<<'if [[ $* == *"-j "* ]]; then echo "$3"; elif [[ -e waiting.txt ]]; then cat waiting.txt; fi'
stand_in scontrol <<'END_OF_PROGRAM'
end() { if [[ $(<end.txt) == [0-9]* ]]; then /bin/date -d "@$(<end.txt)" +%FT%T; else cat end.txt; fi; } # by TZ, as Slurm
case "$1 $2" in
    'show hostnames') printf '%s\n' node1 node2 node3 node10 ;;
    'show job')
        echo "asked for $3" >>asked.txt
        printf '%s\n' "JobId=6 ArrayJobId=7 ArrayTaskId=1 JobName=sweep" "   Requeue=1 Restarts=3 BatchFlag=1" ''
        printf '%s\n' "JobId=7 JobName=sweep" "   JobState=RUNNING Reason=None" "   Requeue=$(<requeue.txt) Restarts=1 BatchFlag=1" \
            "   EndTime=$(end) Deadline=N/A" ''
        ;;
    show*) ;;
    *) echo "$*" >>asked.txt ;;
esac
END_OF_PROGRAM
# The night in which clocks go back has an hour twice, and a job may end in either.
for end in $(date -u -d '2026-11-01T05:30' +%s) $(date -u -d '2026-11-01T06:30' +%s); do
    echo "$end" >end.txt
    stand_in date <<<"if [[ \$* == +%s ]]; then echo $((end - 1200)); else exec /bin/date \"\$@\"; fi"
    echo 1 >requeue.txt
    job_with TZ=EST5EDT,M3.2.0,M11.1.0
    expect_status 75
    [[ $(tail -n 1 started.txt) == "$end 1" ]] || fail "an end at $end is taken for $(tail -n 1 started.txt)"
done
rm started.txt bin/date
end=$(($(date +%s) + 3600))
echo "$end" >end.txt

# The successor of a job that has been started three times, and whose time is over.
echo 0 >requeue.txt
job_with SLURM_JOB_END_TIME=12345 SLURM_RESTART_COUNT=2 SLURM_JOB_NAME=sweep
expect_status 75
[[ $(cat started.txt) == "$end 1" ]] || fail "the ranks have end and restarts: $(cat started.txt) instead of $end 1"
expect_in_log 'work is left; job 8 goes on'
echo 9 >waiting.txt # from an earlier start of this job
job_with SLURM_JOB_NAME=sweep
expect_in_log 'work is left; job 9 goes on'

# Slurm moves the end of a job that it has suspended, and of one that is given more time. Ranks run on after the end that
# they were started with, and there is time for another start.
cp bin/mpirun mpirun_before
stand_in mpirun <<'END_OF_PROGRAM'
echo "$SLURM_JOB_END_TIME" >>started.txt
(($(wc -l <started.txt) < 2)) || exit 75
echo "$MOVED" >end.txt
/bin/sleep 7
exit 1
END_OF_PROGRAM
for moved in $(($(date +%s) + 3600)) Unknown; do
    rm started.txt
    echo $(($(date +%s) + 4)) >end.txt
    job_with SLURM_JOB_NAME=sweep MOVED="$moved"
    expect_status 75
    ! grep -q 'the time is over' log.txt || fail "killed at an end that was moved: $(cat log.txt)"
    [[ $(sed -n 2p started.txt) == "${moved#Unknown}" ]] || fail "started with $(cat started.txt), not $moved: $(cat log.txt)"
    (($(wc -l <started.txt) == 2)) || fail "$(wc -l <started.txt) starts instead of 2: $(cat log.txt)"
    rm -r out.h5.d
done
# Ranks that stop by the end they were started with, which has moved since, are started again; not where it came nearer.
stand_in mpirun <<'END_OF_PROGRAM'
echo "$SLURM_JOB_END_TIME" >>started.txt
echo "$MOVED" >end.txt
exit 75
END_OF_PROGRAM
for moved in $(($(date +%s) + 7200)) $(($(date +%s) + 1800)); do
    rm started.txt
    echo $(($(date +%s) + 3600)) >end.txt
    job_with SLURM_JOB_NAME=sweep MOVED="$moved"
    expect_status 75
    starts=$((moved > $(date +%s) + 3600 ? 2 : 1))
    (($(wc -l <started.txt) == starts)) || fail "$(wc -l <started.txt) starts instead of $starts: $(cat log.txt)"
    rm -rf out.h5.d
done
mv mpirun_before bin/mpirun

# One of an array.
echo 1 >requeue.txt
echo Unknown >end.txt # no limit
rm started.txt asked.txt
job_with SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=2 SLURM_CPUS_PER_TASK=3
expect_status 75
# Steps that a lost node took with it hold no cores that others wait for.
[[ $(cat cores.txt) == '3 1' ]] || fail "a step's cores for a task, and whether it overlaps: '$(cat cores.txt)', not '3 1'"
[[ $(cat started.txt) == ' 1' ]] || fail "the ranks have end and restarts: $(cat started.txt)"
[[ $(sort -u asked.txt) == $'asked for 7_2\nrequeue 7_2' ]] || fail "Slurm was asked: $(cat asked.txt)"

# A job that was submitted from a task of an array has that one's variables.
cp bin/scontrol scontrol_of_all
stand_in scontrol <<'END_OF_PROGRAM'
if [[ "$1 $2 $3" == 'show job 3_1' ]]; then
    echo "asked for $3" >>asked.txt
    printf '%s\n' "JobId=4 ArrayJobId=3 ArrayTaskId=1 JobName=sweep" "   Requeue=1 Restarts=5 BatchFlag=1"
else
    exec ./scontrol_of_all "$@"
fi
END_OF_PROGRAM
rm asked.txt
job_with SLURM_ARRAY_JOB_ID=3 SLURM_ARRAY_TASK_ID=1
[[ $(uniq asked.txt) == $'asked for 3_1\nasked for 7\nrequeue 7' ]] || fail "Slurm was asked: $(cat asked.txt)"

# fails_over ANSWERS: from so many on Slurm answers.
fails_over() {
    echo 0 >answers.txt
    stand_in scontrol <<END_OF_PROGRAM
if [[ "\$1 \$2" == 'show job' ]]; then
    echo \$((\$(<answers.txt) + 1)) >answers.txt
    ((\$(<answers.txt) >= $1)) || exit 1
fi
exec ./scontrol_of_all "\$@"
END_OF_PROGRAM
}
stand_in sleep <<<'exec /bin/sleep 0.01'
stand_in sbatch <<<'echo "restarts ${SLURM_RESTART_COUNT-unknown}, end ${SLURM_JOB_END_TIME-unknown}, $*" >>submitted.txt; echo 8'
rm waiting.txt
echo 0 >requeue.txt
for answers in 7 12; do # before there are ranks, and when they have ended
    rm -f submitted.txt
    fails_over "$answers"
    job_with SLURM_JOB_NAME=sweep SLURM_RESTART_COUNT=5
    expect_status 75
    expect_in_log 'work is left; job 8 goes on' # though 5 starts were the submitting job's
done
grep -q '^restarts unknown, end unknown, ' submitted.txt || fail "a successor is to believe: $(cat submitted.txt)"
fails_over 100
job_with SLURM_JOB_NAME=sweep ISOGRID_CHAIN=yes
expect_status 75
! grep -qE -- '--(time|output)= ' submitted.txt || fail "submitted: $(cat submitted.txt)"
