#!/bin/sh
# --wire changes nothing: every scenario, and some seeds of every campaign, with and without.
#
# usage: wire.sh PROGRAM SOURCE_ROOT
set -u
program=$1
cd "$2" || exit 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
problems=0

complain() {
    printf '%s\n' "$*" >&2
    problems=$((problems + 1))
}

# Verdict and digest of every scenario; what has to be typed to see it again does differ.
digests() {
    sed -n 's/.*"file":"\([^"]*\)".*"verdict":"\([^"]*\)".*"digest":"\([^"]*\)".*/\1 \2 \3/p' "$1"
}
"$program" test scenarios --format ndjson >"$folder/plain"
"$program" test scenarios --format ndjson --wire >"$folder/wire" || complain "with --wire a scenario is not met"
digests "$folder/plain" >"$folder/plain.digests"
digests "$folder/wire" >"$folder/wire.digests"
[ "$(wc -l <"$folder/plain.digests")" -gt 100 ] || complain "hardly a scenario has a digest"
diff "$folder/plain.digests" "$folder/wire.digests" >&2 || complain "scenarios differ with --wire"

for file in scenarios/campaigns/*.yaml; do
    rm -rf "$folder/a" "$folder/b"
    "$program" campaign "$file" --seeds 1..12 --jobs 1 --output "$folder/a" >"$folder/out" 2>&1
    "$program" campaign "$file" --seeds 1..12 --jobs 1 --output "$folder/b" --wire >"$folder/out" 2>&1
    for side in a b; do
        sed 1d "$folder/$side/results.ndjson" >"$folder/$side.outcomes"
    done
    [ "$(wc -l <"$folder/a.outcomes")" -eq 12 ] || complain "$file: not all seeds were played"
    diff "$folder/a.outcomes" "$folder/b.outcomes" >&2 || complain "$file: seeds differ with --wire"
done

"$program" run scenarios/basics/a-reassignment-is-cancelled.yaml --wire --format json | grep -q "reproduce.*--wire" ||
    complain "the reproduce line lacks --wire"
[ "$problems" -eq 0 ]
