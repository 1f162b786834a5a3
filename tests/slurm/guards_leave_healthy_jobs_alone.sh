#!/usr/bin/env bash
# The guard of the first node requeues nothing where it cannot look.
source "$(dirname "$0")/stand_ins.sh"
trap 'xargs kill <processes.txt 2>/dev/null || true; rm -rf "$scratch"' EXIT
stand_in sleep <<<'exec /bin/sleep 0.1'
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') if [[ $3 == *'['* ]]; then printf '%s\n' node1 node2 node3 node10; else tr , '\n' <<<"$3"; fi ;;
    'show job') printf '   %s\n' 'JobId=7 Requeue=1 Restarts=0' "NodeList=node1,node2,node3,node10" 'BatchHost=node1' ;;
    show*) ;;
    *) echo "$*" >>asked.txt ;;
esac
END_OF_PROGRAM
stand_in srun <<'END_OF_PROGRAM'
echo $$ >>processes.txt
[[ "$*" != *--nodelist=node10* ]] || exit 1
while [[ $1 == --* ]]; do shift; done
[[ $1 != bash ]] || export PATH=$PWD/broken:$PATH
exec "$@"
END_OF_PROGRAM
mkdir broken
printf '#!/bin/bash\nexit 2\n' >broken/grep; chmod +x broken/grep # no memory, no process left, a here-string without a disk
stand_in mpirun <<'END_OF_PROGRAM'
for _ in {1..15}; do /bin/sleep 0.1; done
[[ ! -e asked.txt ]] || exit 75
echo results >out.h5
END_OF_PROGRAM
job_with
[[ ! -e asked.txt ]] || fail "no node is lost, and Slurm was asked: $(sort asked.txt | uniq -c)"
expect_status 0
