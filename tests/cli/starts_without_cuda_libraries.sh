#!/usr/bin/env bash
# A program that could train on cards starts where nothing of CUDA is installed: it is linked with none of it, and where
# there is no card it says so only to who asks for one.
source "$(dirname "$0")/small_study.sh" "$1"
command -v ldd >/dev/null || { echo "skipped: no ldd"; exit 77; }
linked=$(ldd "$isogrid" | grep -iE 'libcuda|libcublas|libnccl|libcudnn' || true)
[[ -z $linked ]] || fail "the program does not start without: $linked"

make_study
expect_status 0 env -u LD_LIBRARY_PATH "$isogrid" run small.toml --archive out.h5 --alone
[[ ! -e /dev/nvidiactl ]] || exit 0
echo 'device = "cuda"' >>small.toml # [run] is the last table
expect_status 2 "$isogrid" run small.toml --archive card.h5 --alone
grep -q 'device = "cpu"' err.txt || fail "no way out is named: $(cat err.txt)"
