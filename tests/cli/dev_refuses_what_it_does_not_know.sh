#!/usr/bin/env bash
# ./dev says what is wrong with its words before it installs or builds anything.
source "$(dirname "$0")/small_study.sh" "$1"
limit=20

while read -r words; do
    read -ra each <<<"$words"
    expect_status 2 "$repository/dev" "${each[@]}"
    grep -qE '^dev: .*\(.*\)' err.txt || fail "no reason for refusing ./dev $words: $(cat err.txt)"
    ! grep -q '^==' out.txt || fail "./dev $words began with: $(grep '^==' out.txt)"
done <<'END'
biuld
build release
demo quickstart
test -R cli
format src
sanitize everything
bench speed
bench fit --quick
fuzz h5
fuzz job many
fuzz job 10 20
endure kills
endure kills many
endure earthquake 10
gpu bundle
gpu bundle file.tar.gz --with-cuda
END
