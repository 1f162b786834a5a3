#!/usr/bin/env bash
# What the compiler made of the kernels, for every architecture that is built: none keeps numbers on a stack for want
# of registers, but for a few that it puts there once (32 bytes), and none of whole blocks of 1,024 threads has more
# registers than a multiprocessor has for it: kernels_keep_to_registers.sh PROGRAM. Needs cuobjdump, which comes with
# CUDA; 77 without.
set -euo pipefail
export PATH=$PATH:/usr/local/cuda/bin
command -v cuobjdump >/dev/null || {
    echo "cuobjdump is not installed"
    exit 77
}
# Function NAME:
#  REG:40 STACK:0 ...
cuobjdump --dump-resource-usage "$1" | awk '
    /^Fatbin/ || /^arch = / { if ($1 == "arch") arch = $3 }
    $1 == "Function" { name = $2 }
    / REG:/ && name ~ /isogrid/ {
        match($0, /REG:[0-9]+/); registers = substr($0, RSTART + 4, RLENGTH - 4) + 0
        match($0, /STACK:[0-9]+/); stack = substr($0, RSTART + 6, RLENGTH - 6) + 0
        ++kernels
        architectures[arch] = 1
        most = name ~ /sum_tokens_kernel/ ? 64 : 255
        if (stack > 32 || registers > most) {
            printf "%s %s %d registers, %d bytes of stack\n", arch, name, registers, stack
            ++bad
        }
    }
    END {
        for (arch in architectures) seen = seen " " arch
        printf "%d kernels for%s, %d of them bad\n", kernels, seen, bad
        exit kernels == 0 || bad > 0
    }'
