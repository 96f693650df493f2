#!/bin/sh
# docs/defects.md is what the program prints, and each defect has its two scenarios.
#
# usage: defects.sh PROGRAM SOURCE_ROOT
set -u
program=$1
root=$2
problems=0

complain() {
    printf '%s\n' "$*" >&2
    problems=$((problems + 1))
}

"$program" explain defects --format markdown | diff "$root/docs/defects.md" - >&2 ||
    complain "docs/defects.md: kcsim explain defects --format markdown > docs/defects.md"
names=$(awk -F '[| ]+' '/^\| (KAFKA|kcsim)-/ { print $2 }' "$root/docs/defects.md")
[ -n "$names" ] || complain "no defects in docs/defects.md"
for name in $names; do
    for switch in on off; do
        file=$root/scenarios/defects/$name-$switch.yaml
        [ -f "$file" ] || complain "$name: no scenarios/defects/$name-$switch.yaml"
    done
    grep -q "^defects: {.*$name: off" "$root/scenarios/defects/$name-off.yaml" ||
        complain "$name-off.yaml does not switch it off"
done
[ "$problems" -eq 0 ]
