#!/usr/bin/env bash
# slurm/sweep.sbatch, when its ranks have died, starts again without the nodes on which programs crashed or lost their card
# in two different trials, those that do not see the program or the job file, and those that lack what the others have; on
# each of the others with its own number of tasks. Where there are no others, cards that are lost in start after start end
# the sweep.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
echo "$*" >>started.txt
(($(wc -l <started.txt) > 1)) || exit 1 # the first start ends as when a rank has died
rm -r out.h5.d
echo results >out.h5
END_OF_PROGRAM

# node1: two trials. node2: two trials, under its full name. node3: one trial twice. node10: one crash, and other ends.
note_crashes() {
    rm -f started.txt out.h5
    mkdir -p out.h5.d/attempts
    printf '%s\n' 'crashed node1 1 SIGSEGV' 'crashed node3 1 SIGBUS' 'crashed node3 1 SIGBUS' >out.h5.d/attempts/a
    printf '%s\n' 'crashed node1 2 SIGILL' 'crashed node2.cluster 1 SIGILL' >out.h5.d/attempts/b
    printf '%s\n' 'crashed node2.cluster 1 SIGFPE' 'failed node10 1 it crashed node10 ' >out.h5.d/attempts/c
    printf '%s\n' 'crashed node10 1 SIGSEGV' 'out_of_memory node3 1 crashed node3 ' >out.h5.d/attempts/d
}
note_crashes
sweep

mapfile -t started <started.txt
((${#started[@]} == 2)) || fail "${#started[@]} starts: $(cat log.txt)"
[[ ${started[0]} != *--host* ]] || fail "the first start is on all nodes, not: ${started[0]}"
[[ ${started[1]} == *"--host node3:2,node10:2 -n 4 "* ]] || fail "the second start is: ${started[1]}"
for node in node1 node2; do
    grep -q "$node is left out (two trials crashed, or lost their card, on it)" log.txt || fail "the log does not say so: $(cat log.txt)"
done

note_crashes
sweep SLURM_TASKS_PER_NODE='2(x2),1,3'
grep -q -- '--host node3:1,node10:3 -n 4 ' started.txt || fail "the starts were: $(cat started.txt)"

# Cards that are listed and do not work: two trials have lost node2's, one of them also node3's; another crashed on node1.
note_crashes
printf '%s\n' 'card node2 1 an illegal address' 'card node3 1 x' 'card node3 1 x' 'crashed node1 1 SIGBUS' >out.h5.d/attempts/a
echo 'card node2 1 an illegal address' >out.h5.d/attempts/b
printf '%s\n' 'card node1 1 x' 'crowded node10 1 card node10 ' >out.h5.d/attempts/c
sweep
expect_in_log 'node2 is left out (two trials crashed, or lost their card, on it)'
grep -q -- '--host node3:2,node10:2 -n 4 ' started.txt || fail "the starts were: $(cat started.txt)"

# node10 has not mounted what the others have.
stand_in srun <<'END_OF_PROGRAM'
[[ $* != *--nodelist=node10\ test\ -x\ *isogrid\ -a\ -r\ job.toml ]]
END_OF_PROGRAM
note_crashes
sweep
expect_in_log 'node10 is left out (it does not answer, or does not see job.toml)'
grep -q -- '--host node3:2 -n 2 ' started.txt || fail "the starts were: $(cat started.txt)"

# node3 has lost a card in this start of the job, node1 had in an earlier one. Each rank on node3 has noted it.
stand_in srun </dev/null
note_crashes
rm out.h5.d/attempts/*
mkdir out.h5.d/unfit
echo 7.0 >out.h5.d/unfit/node3.cluster
echo 6.0 >out.h5.d/unfit/node1
sweep
expect_in_log 'node3 is left out (it has lost what the others have, see above)'
grep -q -- '--host node1:2,node2:2,node10:2 -n 6 ' started.txt || fail "the starts were: $(cat started.txt)"

# A job of one node, whose card does not work: another trial loses it in each start.
rm -rf started.txt out.h5 out.h5.d
cp bin/mpirun mpirun_before
stand_in mpirun <<'END_OF_PROGRAM'
echo "$*" >>started.txt
mkdir -p out.h5.d/attempts
echo 'card node1 1 an illegal address' >>"out.h5.d/attempts/$(($(wc -l <started.txt) % 7))"
exit 1
END_OF_PROGRAM
sed -i "s/'%s.n' node1 .*/node1 ;;/" bin/scontrol
for expected in 75 75 75 75 1; do
    job_with
    expect_status "$expected"
done
expect_in_log '4 starts in a row have brought nothing new on disk: given up'
(($(wc -l <started.txt) == 6)) || fail "$(wc -l <started.txt) starts of one node: $(cat log.txt)"
mv mpirun_before bin/mpirun

# Many nodes are asked in turn: more steps at once than the controller takes would be taken for nodes that are gone.
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') printf 'node%s\n' {1..100} ;;
    'show job') echo "JobId=7 Requeue=1 Restarts=0 PreemptMode=REQUEUE" ;;
esac
END_OF_PROGRAM
stand_in srun <<'END_OF_PROGRAM'
[[ $* == *\ test\ * ]] || exit 0
touch "asked.$$"
find . -name 'asked.*' | wc -l >>at_once.txt
/bin/sleep 0.5
rm "asked.$$"
[[ $* != *--nodelist=node70\ * ]]
END_OF_PROGRAM
note_crashes
rm -r out.h5.d/attempts/*
sweep SLURM_TASKS_PER_NODE='2(x100)'
(($(sort -n at_once.txt | tail -n 1) <= 64)) || fail "asked at once: $(sort -n at_once.txt | tail -n 1) nodes"
grep -q -- '-n 198 ' started.txt || fail "the starts were: $(cat started.txt)"
