#!/usr/bin/env bash
# slurm/sweep.sbatch has steps on the job's last two nodes, each of which requeues the job when Slurm has taken from it the
# node that the script runs on, and not before; here the one on the last node ends at once, as if that were lost first.
source "$(dirname "$0")/stand_ins.sh"
trap 'xargs kill <processes.txt 2>/dev/null || true; rm -rf "$scratch"' EXIT # as the end of the job ends its steps
stand_in sleep <<<'exec /bin/sleep 0.1' # whatever is waited for
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') if [[ $3 == *'['* ]]; then printf '%s\n' node1 node2 node3 node10; else tr , '\n' <<<"$3"; fi ;;
    'show job') printf '   %s\n' 'JobId=7 Requeue=1 Restarts=0' "NodeList=$(<nodes.txt)" 'BatchHost=node1' ;;
    show*) ;;
    *) echo "$*" >>asked.txt ;;
esac
END_OF_PROGRAM
stand_in srun <<'END_OF_PROGRAM'
echo "$*" >>steps.txt
echo $$ >>processes.txt
[[ "$*" != *--nodelist=node10* ]] || exit 1
while [[ $1 == --* ]]; do shift; done
[[ -z ${BROKEN:-} ]] || export PATH=$PWD/broken:$PATH
exec "$@"
END_OF_PROGRAM
stand_in mpirun <<'END_OF_PROGRAM'
/bin/sleep 1
[[ ! -e asked.txt ]] || { cat asked.txt; exit 2; }
echo node2,node3,node10 >nodes.txt
for _ in {1..100}; do
    /bin/sleep 0.1
    [[ ! -e asked.txt ]] || { echo results >out.h5; exit 0; }
done
exit 2
END_OF_PROGRAM

echo node1,node2,node3,node10 >nodes.txt # node10 holds the name of node1
sweep
[[ $(sort -u asked.txt) == 'requeue 7' ]] || fail "Slurm was asked: $(cat asked.txt)"
for node in node3 node10; do
    grep -q -- "--nodelist=$node " steps.txt || fail "the steps were: $(cat steps.txt)"
done

# Nor is a node taken for lost by a step that cannot look: there is no memory, no process left, or no room on a disk.
xargs kill <processes.txt 2>/dev/null || true
rm -f asked.txt out.h5 processes.txt
echo node1,node2,node3,node10 >nodes.txt
mkdir broken
printf '#!/bin/bash\nexit 2\n' >broken/grep
chmod +x broken/grep
stand_in mpirun <<'END_OF_PROGRAM'
/bin/sleep 1.5
[[ ! -e asked.txt ]] || exit 75
echo results >out.h5
END_OF_PROGRAM
job_with BROKEN=yes
[[ ! -e asked.txt ]] || fail "no node is lost, and Slurm was asked: $(sort asked.txt | uniq -c)"
expect_status 0
