#!/usr/bin/env bash
# Holds the walls: a room includes only rooms below it (docs/design.md). Prints every include that points up or sideways,
# and every folder with code that is no room.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

declare -A below=(
    [base]="" [kernels]="" [files]="base" [program]="base" [study]="files base" [data]="study files base" [archive]="study files base"
    [graph]="kernels data study base" [model]="graph kernels data study files base"
    # Of archive only the values: the trainer links no HDF5.
    [train]="model archive/record.hpp archive/checkpoint.hpp graph kernels data study base"
    [cluster/site]="archive kernels study base" [cluster/schedule]="study base"
    [cluster/folder]="train archive study files base"
    [cluster/messages]="cluster/schedule cluster/site train archive study base"
    [cluster/sweep]="cluster/messages cluster/schedule cluster/folder cluster/site train archive kernels program study files base"
    [cluster/worker]="cluster/messages cluster/schedule cluster/folder cluster/site train archive kernels data study base"
    [cluster/coordination]="cluster/sweep cluster/messages cluster/schedule archive"
    [cluster/run]="cluster/coordination cluster/worker cluster/sweep cluster/messages cluster/schedule cluster/folder cluster/site archive kernels data program study files base"
    [verbs]="cluster train model archive graph kernels data program study files base"
    [analysis/figures]="study base" [analysis/fit]="study base" [analysis/runs]="analysis/fit analysis/figures archive study files base"
    [analysis/laws]="analysis/runs analysis/fit analysis/figures study base"
    [analysis/answer]="analysis/laws analysis/runs analysis/fit analysis/figures study base"
    [analysis/report]="analysis/answer analysis/laws analysis/runs analysis/fit analysis/figures program study base"
    [analysis]="archive program study files base"
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
