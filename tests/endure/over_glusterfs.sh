#!/usr/bin/env bash
# over_glusterfs.sh PROGRAMS KIND COUNT [SEED]: slurm_endings.sh with its files on a network file system: a GlusterFS
# volume of this machine, of which each node has a client of its own. What one node writes reaches the other by the
# server alone, and a node that loses its power takes its client along. KIND may be kills, too (random_kills.sh).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=$(cd "$1" && pwd)
kind=$2

for tool in glusterd gluster mount.glusterfs; do
    [[ -n $(command -v "$tool") ]] || { echo "skipped: no $tool (a package is missing) ./dev endure glusterfs installs it"; exit 77; }
done
[[ -z $(pgrep -r D,R,S -x glusterd) ]] || { echo "skipped: a glusterd runs here (it is somebody's) run on another machine"; exit 77; }
((EUID == 0)) && [[ -e /dev/fuse ]] || { echo "skipped: no right to mount (root and /dev/fuse are needed)"; exit 77; }

volume=isogrid$$
server=$(mktemp -d) shared=$(mktemp -d)
stop() {
    umount -l "$shared" 2>/dev/null || true
    gluster --mode=script volume stop "$volume" force >/dev/null 2>&1 || true
    gluster --mode=script volume delete "$volume" >/dev/null 2>&1 || true
    pkill -x glusterd || true
    rm -rf "$server" "$shared"
}
trap stop EXIT
glusterd -l "$server/glusterd.log" -p "$server/glusterd.pid"
mkdir "$server/brick"
until gluster --mode=script volume create "$volume" "$(hostname):$server/brick" force >/dev/null 2>"$server/said"; do
    ((SECONDS < 30)) || { cat "$server/said" >&2; exit 1; }
    sleep 1
done
gluster --mode=script volume start "$volume" >/dev/null
mount -t glusterfs "$(hostname):/$volume" "$shared"

export ISOGRID_SCRATCH=$shared
if [[ $kind == kills ]]; then
    bash "$here/random_kills.sh" "$programs" "${@:3}"
else
    export ISOGRID_NODE_MOUNT="-t glusterfs $(hostname):/$volume $shared"
    bash "$here/slurm_endings.sh" "$programs" "${@:2}"
fi
