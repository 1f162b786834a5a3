#!/bin/sh
# Prepares the English text of the quickstart from two Debian packages, downloaded but not installed:
#   OUT_DIR/gcide.txt      The Collaborative International Dictionary of English, entries shuffled
#   OUT_DIR/anarchism.txt  An Anarchist FAQ: essays in running prose
#   OUT_DIR/gcide.tok, OUT_DIR/anarchism.tok
#                          the texts as token files of bytes, where the isogrid program is given
# The same packages give the same bytes on every machine. Does nothing where its outputs stand unchanged.
#
# usage: jobs/corpus.sh OUT_DIR [ISOGRID]
set -eu
export LC_ALL=C

# Of the texts that Debian 12 gives (dict-gcide 0.48.5+nmu2, anarchism 15.3-3).
gcide_digest=41020266a36f27d8cb538c06f1d2860ee2bc9f38055b05b2d73c7f22652665c3
anarchism_digest=348c592c752e67249c606babd578450a324b4e99346ac8eaae1c1879ac8b6388

fail() {
    echo "corpus.sh: $1" >&2
    exit "${2:-1}"
}

# Downloads package $1 into the work folder and unpacks it into a folder of its name. A .deb that somebody put
# into OUT_DIR is used instead, for machines without a network.
fetch() {
    mkdir "$work/$1"
    for package in "$out/$1"_*.deb; do
        if [ -e "$package" ]; then
            dpkg-deb -x "$package" "$work/$1" ||
                fail "$package: cannot be unpacked (see above) remove it"
            return
        fi
    done
    command -v apt-get >/dev/null ||
        fail "cannot download $1 (this system has no apt-get) put Debian's $1_*.deb into $out"
    download "$1" || { [ "$(id -u)" -eq 0 ] && apt-get -qq update >&2 && download "$1"; } || {
        cat "$work/apt.log" >&2
        fail "cannot download $1 (apt-get says why above) run 'apt-get update' as root and check the network, \
or put Debian's $1_*.deb into $out"
    }
    dpkg-deb -x "$work/$1"_*.deb "$work/$1"
}

download() {
    (cd "$work" && apt-get -o APT::Sandbox::User=root -qq download "$1") >"$work/apt.log" 2>&1
}

# dictd format: an entry begins with its headword in the first column after a blank line, and its paragraphs
# are indented. Leaves out the dictionary's own preamble and the name of the source behind every paragraph;
# puts each paragraph on one line and a blank line behind each entry; shuffles the entries by the "minimal
# standard" random numbers of Park and Miller 1988, which any awk computes exactly. Three bytes of CP1252
# become ASCII.
prepare_gcide() {
    gzip -dc "$work/dict-gcide/usr/share/dictd/gcide.dict.dz" | tr '\222\347\271' "'c'" | awk '
        function end_entry() {
            if (entry != "") {
                random = (16807 * random) % 2147483647
                printf "%010d%s\n", random, entry
            }
            entry = ""
        }
        BEGIN { random = 1913; after_blank = 1 }
        /^ *$/ { after_blank = 1; next }
        {
            headword = after_blank && !/^ /
            if (headword && /\\/) after_preamble = 1
            if (!after_preamble) next
            if (headword) end_entry()
            gsub(/ *\[[^][]*(Webster|WordNet|PJC)[^][]*\]/, "")
            gsub(/^ +| +$/, "")
            gsub(/  +/, " ")
            if ($0 == "") next
            entry = entry (headword ? "" : after_blank ? "\001" : " ") $0
            after_blank = 0
        }
        END { end_entry() }' | sort | cut -c11- | sed 's/$/\n/' | tr '\001' '\n'
}

# Markdown: joins the lines of each paragraph and takes away emphasis, headings, quotation marks at the line's
# start, links (their text stays) and the navigation at a page's end.
prepare_anarchism() {
    folder=$work/anarchism/usr/share/doc/anarchism/markdown
    for page in "$folder"/*; do
        case $page in
            *.gz) gzip -dc "$page" ;;
            *) cat "$page" ;;
        esac
        echo
    done | awk '
        function end_paragraph() {
            if (paragraph ~ /\]\(.*(Go to|page")/) paragraph = ""
            gsub(/<br[^>]*>/, "", paragraph)
            while (match(paragraph, /\]\([^()]*(\([^()]*\)[^()]*)*\)/))
                paragraph = substr(paragraph, 1, RSTART - 1) "\002" substr(paragraph, RSTART + RLENGTH)
            while (match(paragraph, /\[[^][\002]*\002/))
                paragraph = substr(paragraph, 1, RSTART - 1) \
                    substr(paragraph, RSTART + 1, RLENGTH - 2) substr(paragraph, RSTART + RLENGTH)
            gsub(/[_*\002\\]/, "", paragraph)
            gsub(/\[ /, "[", paragraph)
            gsub(/ ,/, ",", paragraph)
            gsub(/  +/, " ", paragraph)
            gsub(/^ +| +$/, "", paragraph)
            if (paragraph != "") print paragraph "\n"
            paragraph = ""
        }
        { gsub(/^[> ]+| +$/, ""); sub(/^#+ */, "") }
        /^$/ { end_paragraph(); next }
        { paragraph = paragraph (paragraph == "" || paragraph ~ /[a-z]-$/ ? "" : " ") $0 }
        END { end_paragraph() }'
}

# Puts what function $1 prints into OUT_DIR/$2, whole or not at all, and compares its digest with $3.
make_text() {
    "$1" >"$work/$2"
    [ "$(wc -c <"$work/$2")" -gt 1000000 ] ||
        fail "$2 came out too short (the package is not as expected) look at $1 in jobs/corpus.sh"
    [ "$(sha256sum <"$work/$2" | cut -d' ' -f1)" = "$3" ] ||
        echo "corpus.sh: $2 differs from Debian 12's (another package version) losses may differ a little" >&2
    mv "$work/$2" "$out/$2"
    echo "$out/$2: $(wc -c <"$out/$2") bytes"
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    fail "usage: jobs/corpus.sh OUT_DIR [ISOGRID]" 2
fi
mkdir -p "$1" && [ -w "$1" ] || fail "$1: cannot be written to (no such right) name another folder" 2
out=$(cd "$1" && pwd)
isogrid=${2:-}
[ -z "$isogrid" ] || command -v "$isogrid" >/dev/null ||
    fail "$isogrid: is not a program (the second argument is the path of isogrid) build it with ./dev build" 2

texts_stand() {
    (cd "$out" && sha256sum --check --status corpus.sha256) 2>/dev/null
}

if ! texts_stand; then
    work=$(mktemp -d "$out/corpus.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM HUP
    rm -f "$out/corpus.sha256"
    fetch dict-gcide
    fetch anarchism
    make_text prepare_gcide gcide.txt "$gcide_digest"
    make_text prepare_anarchism anarchism.txt "$anarchism_digest"
    rm -f "$out/gcide.tok" "$out/anarchism.tok"
    (cd "$out" && sha256sum gcide.txt anarchism.txt >"$work/corpus.sha256" && mv "$work/corpus.sha256" .)
fi
for text in gcide anarchism; do
    if [ -n "$isogrid" ] && [ ! -e "$out/$text.tok" ]; then
        "$isogrid" tokenize "$out/$text.txt" --out "$out/$text.tok"
    fi
done
