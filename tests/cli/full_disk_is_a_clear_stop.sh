#!/usr/bin/env bash
# A disk that fills up, and a folder that cannot be written: a message, an exit status, what is finished stays, and with
# room again the same command goes on to the digest of an undisturbed run.
source "$(dirname "$0")/small_study.sh" "$1"
((EUID == 0)) || { echo "skipped: not root (a small file system must be mounted)"; exit 77; }
make_study
echo 'keep_weights = true' >>small.toml # files of some 100 kB
expect_status 0 "$isogrid" run small.toml --archive whole.h5

disk=$scratch/disk
mkdir "$disk"
mount -t tmpfs -o size=4m tmpfs "$disk" 2>/dev/null || { echo "skipped: no tmpfs can be mounted here"; exit 77; }
trap 'umount "$disk"; rm -rf "$scratch"' EXIT

# stops MESSAGE COMMAND...: it ends with status 1 and says why.
stops() {
    local message=$1
    shift
    expect_status 1 "$@"
    grep -qiE "$message" err.txt || fail "no message like \"$message\" but: $(cat out.txt err.txt)"
}
finished() { find "$disk/out.h5.d/trials" -name '*.h5' -exec sha256sum {} + 2>/dev/null | sort; }

# Room for a part of the trials.
for room in 64 160; do
    dd if=/dev/zero of="$disk/ballast" bs=1k count=$((4096 - room)) status=none
    stops 'no space left' "$isogrid" run small.toml --archive "$disk/out.h5"
    [[ ! -e $disk/out.h5 ]] || fail "an archive was written to a full disk"
    finished >before.txt
    rm "$disk/ballast"
done
[[ -s before.txt ]] || fail "no trial was finished before the disk was full"

# What is finished is trained no more, and no room for the archive alone loses nothing.
expect_status 0 "$isogrid" run small.toml --archive "$disk/out.h5"
grep -q " $(wc -l <before.txt) done before" out.txt || fail "finished trials were trained again: $(cat out.txt)"
expect_same_digests whole.h5 "$disk/out.h5"

# Half a crate does not stay, nor does half an answer; an answer that was there is as it was. So does text.
dd if=/dev/zero of="$disk/ballast" bs=1k count=4096 status=none 2>/dev/null || true
rm "$disk/out.h5" # room for a part of a copy
stops 'no space left' "$isogrid" crate whole.h5 --to "$disk/crate"
[[ ! -e $disk/crate ]] || fail "half a crate was left behind"
echo before >"$disk/fit.json"
dd if=/dev/zero of="$disk/more" bs=1k count=4096 status=none 2>/dev/null || true
stops 'no space left' "$programs/isogrid-fit" whole.h5 --law joint --bootstrap 0 --json "$disk/fit.json"
[[ $(cat "$disk/fit.json") == before ]] || fail "an answer was lost to a full disk"
left=$(find "$disk" -name '*.tmp-*' -o -name '*.partial')
[[ -z $left ]] || fail "left behind: $left"
rm "$disk/ballast" "$disk/more"
cp whole.h5 "$disk/out.h5"

# A folder that cannot be written is refused before anything is trained; read again it is all there.
mount -o remount,ro "$disk"
sum=$(sha256sum "$disk/out.h5")
expect_status 0 "$isogrid" run small.toml --archive "$disk/out.h5"
grep -q 'nothing to do' out.txt || fail "a finished archive in a read-only folder: $(cat out.txt)"
stops 'read-only' "$isogrid" run small.toml --archive "$disk/other.h5"
[[ $sum == "$(sha256sum "$disk/out.h5")" ]] || fail "a read-only archive was changed"
