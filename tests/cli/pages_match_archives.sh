#!/usr/bin/env bash
# What pages quote of isogrid-fit is what it prints today: each console block that begins with a command on an archive
# of analysis/example. Lines follow one another as in the output, but where the page has a line of dots; numbers may
# differ by a hundredth, as processors round differently. Every archive there is whole, and quoted by a page.
source "$(dirname "$0")/small_study.sh" "$1"
limit=300 # a few seconds each, unless the machine does other things
ln -s "$repository/analysis" analysis

cat >compare.awk <<'AWK'
function number(word) { return word ~ /^[-+\[(]*[0-9]*\.?[0-9]+(e[-+]?[0-9]+)?[kMBT%x]?[\]),.;:]*$/ }
function value(word) { gsub(/^[\[(]+/, "", word); return word + 0 }
function unit(word) { gsub(/[-+.0-9\[(]/, "", word); sub(/^e/, "", word); return word }
function alike(page, printed,   count, i, one, other, difference) {
    count = split(page, one)
    if (count != split(printed, other)) return 0
    for (i = 1; i <= count; ++i) {
        if (one[i] == other[i]) continue
        if (!number(one[i]) || !number(other[i]) || unit(one[i]) != unit(other[i])) return 0
        difference = value(one[i]) - value(other[i])
        if (difference * difference > (0.01 * value(one[i])) ^ 2) return 0
    }
    return 1
}
FILENAME == "out.txt" { output[++lines] = $0; next }
/^ *\.\.\.$/ { skip = 1; next }
{
    if (skip || !started) while (at < lines && !alike($0, output[at + 1])) ++at
    if (at >= lines || !alike($0, output[at + 1])) { print "not printed here: " $0; exit 1 }
    ++at; skip = 0; started = 1
}
AWK

# The console blocks of a page, one file each: block-N.txt, its first line the command.
blocks_of() {
    rm -f block-*.txt
    awk '/^```console$/ { inside = 1; file = "block-" ++count ".txt"; next }
         /^```$/ { if (inside) close(file); inside = 0 }
         inside { print >file }' "$1"
}

quoted=0
: >commands.txt
for page in "$repository"/{README,jobs/README,analysis/example/README}.md "$repository"/docs/{,studies/}*.md; do
    blocks_of "$page"
    for block in block-*.txt; do
        [[ -e $block ]] || continue
        read -r prompt program arguments <"$block"
        [[ $prompt == '$' && $program == */isogrid-fit && $arguments == analysis/example/*.h5* ]] || continue
        sed 1d "$block" >page.txt
        eval "expect_status 0 '$programs/isogrid-fit' $arguments" # quotes as a shell takes them
        awk -f compare.awk out.txt page.txt || fail "${page#"$repository"/}: $program $arguments"
        echo "$arguments" >>commands.txt
        quoted=$((quoted + 1))
    done
done
((quoted > 0)) || fail "no page quotes isogrid-fit"

for archive in analysis/example/*.h5; do
    expect_status 0 "$isogrid" verify "$archive"
    grep -q "^$archive" commands.txt || fail "no page quotes $archive"
done
echo "$quoted quotations of isogrid-fit hold"
