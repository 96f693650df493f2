#!/bin/sh
# Every scenario that a document shows (a ```yaml block with a `title:` in it) runs, and what it
# expects is met.
#
# usage: yaml-blocks.sh PROGRAM FILE.md…
set -u
program=$1
shift
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
problems=0
for file in "$@"; do
    rm -f "$folder"/*.yaml
    awk -v folder="$folder" '
        /^```yaml/ { inside = 1; block = ""; first = FNR + 1; next }
        /^```/ && inside {
            inside = 0
            if (block ~ /(^|\n)title:/) printf "%s", block >(folder "/line-" first ".yaml")
        }
        inside { block = block $0 "\n" }' "$file"
    for scenario in "$folder"/*.yaml; do
        [ -e "$scenario" ] || continue
        "$program" run "$scenario" >"$folder/out" 2>&1 && continue
        printf '%s, the scenario at %s:\n' "$file" "$(basename "$scenario" .yaml)" >&2
        cat "$folder/out" >&2
        problems=$((problems + 1))
    done
done
[ "$problems" = 0 ]
