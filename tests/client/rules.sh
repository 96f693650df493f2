#!/bin/sh
# Each rule of client/README.md stands in the code, and each test that its row names is there, with the
# rule in the comment above it. ("random" is tests/client/test_client_random.c, a path is that test.)
#
# usage: rules.sh SOURCE_ROOT
set -u
cd "$1" || exit 1
problems=0

complain() {
    printf '%s\n' "$*" >&2
    problems=$((problems + 1))
}

file_of() {
    case $1 in
    C) echo core ;; U) echo rules ;; F) echo errors ;; R) echo records ;;
    E) echo exactly_once ;; T) echo calls ;; G) echo groups ;;
    esac
}

# shows FILE TEST RULE: whether the comment above the test of that beginning names the rule
shows() {
    awk -v test="START_TEST($2" -v rule="$3" '
        /^\/\*/ { comment = "" }
        { comment = comment " " $0 }
        index($0, test) == 1 {
            there = 1
            if (comment ~ "Rules? [^:]*" rule "([,.: ]|$)" || comment ~ "rule " rule) named = 1
        }
        /^}/ { comment = "" }
        END { exit !(there && named) }' "$1"
}

rows=$(mktemp) || exit 1
trap 'rm -f "$rows"' EXIT
awk -F ' *[|] *' '/^## / { table = 0 } /^## The rules/ { table = 1 }
    table && NF >= 6 && $2 != "rule" && $2 !~ /^-/ { print $2 "\t" $4 "\t" $5 }' client/README.md >"$rows"
[ "$(wc -l <"$rows")" -ge 60 ] || complain "client/README.md has $(wc -l <"$rows") rules"

tab=$(printf '\t')
while IFS=$tab read -r rules source tests; do
    [ -n "$source" ] || complain "$rules: no place that it was read from"
    for rule in $(echo "$rules" | tr -d ,); do
        grep -qiE "rules? ([a-z-]+(, | and ))*$rule" client/*.c sim/world_client.c || complain "$rule: not in the code"
        letter=
        echo "$tests" | sed 's/, /\n/g' | while read -r test; do
            case $test in
            random | '`tests/'*) continue ;;
            [A-Z]' '*) letter=${test%% *} test=${test#* } ;;
            esac
            file=tests/client/test_client_$(file_of "$letter").c
            # A name ends where the row cuts it.
            shows "$file" "${test%…}" "$rule" || echo "$rule: no $test in $file, with the rule above it"
        done
    done
done <"$rows" >"$rows.bad"
sort -u "$rows.bad" >&2
[ -s "$rows.bad" ] && problems=$((problems + 1))
rm -f "$rows.bad"
[ "$problems" = 0 ]
