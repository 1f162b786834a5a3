#!/usr/bin/env bash
# A job that is cancelled while the script already asks Slurm to go on is not requeued, at whichever question it is.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
trap '' USR1
echo $PPID >script.txt; kill -USR1 $PPID; /bin/sleep 0.2; touch ended.txt; exit 75
END_OF_PROGRAM
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') if [[ $3 == *'['* ]]; then printf '%s\n' node1 node2 node3 node10; else echo "$3"; fi ;;
    'show job')
        state=RUNNING
        if [[ -e ended.txt ]]; then
            echo >>looked.txt
            looked=$(wc -l <looked.txt)
            ((looked < AT)) || state=COMPLETING
            ((looked != AT)) || kill -TERM "$(<script.txt)"
        fi
        echo "JobId=7 Requeue=1 Restarts=0"
        printf '   %s\n' "JobState=$state Reason=None" "PreemptTime=None" "NodeList=node[1-3,10]" ;;
    show*) ;;
    *) echo "$*" >>asked.txt ;;
esac
END_OF_PROGRAM
for at in {1..4}; do
    rm -rf ended.txt looked.txt out.h5.d
    job_with AT=$at
    [[ ! -e asked.txt ]] || fail "cancelled at question $at, and asked: $(cat asked.txt); $(cat log.txt)"
    expect_status 75
    expect_in_log 'the job was cancelled'
done
