#!/usr/bin/env bash
# Holds the walls: a room includes only rooms below it (docs/design.md). Prints every include that points up or sideways,
# and every folder with code that is no room.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

declare -A below=(
    [study]="" [kernels]="" [program]="study" [files]="study" [data]="files study" [archive]="files study"
    [graph]="kernels data study" [model]="graph kernels data files study"
    # Of archive only the values: the trainer links no HDF5.
    [train]="model archive/record.hpp archive/checkpoint.hpp graph kernels data study"
    [cluster/site]="archive kernels study" [cluster/schedule]="study"
    [cluster/folder]="train archive files study"
    [cluster/messages]="cluster/schedule cluster/site train archive study"
    [cluster/sweep]="cluster/messages cluster/schedule cluster/folder cluster/site train archive files kernels program study"
    [cluster/worker]="cluster/messages cluster/schedule cluster/folder cluster/site train archive kernels data study"
    [cluster/coordination]="cluster/sweep cluster/messages cluster/schedule archive"
    [cluster/run]="cluster/coordination cluster/worker cluster/sweep cluster/messages cluster/schedule cluster/folder cluster/site archive data files program study"
    [verbs]="cluster train model archive graph kernels data files program study"
    [analysis/figures]="study" [analysis/fit]="analysis/figures study" [analysis/runs]="analysis/fit analysis/figures archive study"
    [analysis/laws]="analysis/runs analysis/fit analysis/figures study"
    [analysis/answer]="analysis/laws analysis/runs analysis/fit analysis/figures study"
    [analysis/report]="analysis/answer analysis/laws analysis/runs analysis/fit analysis/figures program study"
    [analysis]="archive files program study"
)
status=0
complain() {
    echo "$*"
    status=1
}
for room in "${!below[@]}"; do
    folder=src/$room
    [[ -d $folder ]] || folder=$room
    [[ -d $folder ]] || { complain "$room: is no folder (layers.sh lists it) take it out of the list"; continue; }
    includes=$(grep -rnoE --include='*.[ch]pp' --include='*.cu' --include='*.cuh' '#include "[a-z_]+/[^"]+"' "$folder") ||
        complain "$room: includes nothing (not even its own headers) is it empty?"
    while IFS=: read -r file line included; do
        for allowed in "$room" ${below[$room]}; do
            [[ $included == "$allowed" || $included == "$allowed"/* ]] && continue 2
        done
        complain "$file:$line: includes $included ($room may include ${below[$room]:-nothing of ours}) move one of them"
    done < <(sed -E 's/#include "([^"]+)"/\1/' <<<"$includes")
done
# Folders two deep: what stands below them is of their room.
while read -r folder; do
    room=${folder#src/}
    until [[ -n ${below[$room]+listed} ]]; do
        [[ $room == */* ]] || { complain "$folder: is no room (layers.sh does not list it) say what it may include"; break; }
        room=${room%/*}
    done
done < <(find src kernels analysis -mindepth 1 \( -name '*.cpp' -o -name '*.cu' -o -name '*.hpp' \) -printf '%h\n' | sort -u | grep -vx src)
exit $status
