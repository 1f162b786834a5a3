#!/usr/bin/env bash
# Holds the walls: a room includes only rooms below it (docs/design.md). Prints every include that points up or sideways.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

declare -A below=(
    [study]="" [kernels]="" [program]="study" [files]="study" [data]="files study" [archive]="files study"
    [graph]="kernels data study" [model]="graph kernels data files study"
    [train]="model archive/record.hpp archive/checkpoint.hpp graph kernels data study" # of archive only the values: the trainer links no HDF5
    [cluster]="train model archive graph kernels data files program study"
    [cluster/site]="kernels study" [cluster/schedule]="study"
    [cluster/folder]="train archive files study"
    [cluster/messages]="cluster/schedule cluster/site train archive study"
    [cluster/sweep]="cluster/messages cluster/schedule cluster/folder cluster/site train archive kernels program study"
    [verbs]="cluster train model archive graph kernels data files program study"
    [analysis/figures]="study" [analysis/fit]="analysis/figures study" [analysis/runs]="analysis/fit analysis/figures archive study"
    [analysis/laws]="analysis/runs analysis/fit analysis/figures study"
    [analysis/answer]="analysis/laws analysis/runs analysis/fit analysis/figures study"
    [analysis/report]="analysis/answer analysis/laws analysis/runs analysis/fit analysis/figures program study"
    [analysis]="archive files program study"
)
status=0
for room in "${!below[@]}"; do
    folder=src/$room
    [[ -d $folder ]] || folder=$room
    while IFS=: read -r file line included; do
        for allowed in "$room" ${below[$room]}; do
            [[ $included == "$allowed" || $included == "$allowed"/* ]] && continue 2
        done
        echo "$file:$line: includes $included ($room may include ${below[$room]:-nothing of ours}) move one of them"
        status=1
    done < <(grep -rnoE --include='*.[ch]pp' '#include "[a-z_]+/[^"]+"' "$folder" | sed -E 's/#include "([^"]+)"/\1/')
done
exit $status
