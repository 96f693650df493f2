#!/bin/sh
# Every command of the program is in the manual page and in the completion, and its help begins with
# examples and fits 100 columns. Every document is in the index.
#
# usage: documented.sh PROGRAM SOURCE_ROOT
set -u
program=$1
root=$2
problems=0

complain() {
    printf '%s\n' "$*" >&2
    problems=$((problems + 1))
}

commands=$("$program" help | awk '/^  [a-z]/ { print $1 }')
[ -n "$commands" ] || complain "kcsim help lists no commands"
for command in $commands; do
    grep -q "^\.B $command" "$root/docs/man/kcsim.1" || complain "kcsim.1: no $command"
    grep -q "[' ]${command}[' ]" "$root/docs/completion/kcsim.bash" || complain "completion: no $command"
    help=$("$program" help "$command") || complain "kcsim help $command fails"
    [ "$(printf '%s\n' "$help" | sed -n 3p)" = Examples: ] || complain "$command: no examples first"
    long=$(printf '%s\n' "$help" | awk 'length($0) > 100')
    [ -z "$long" ] || complain "$command: help is wider than 100 columns: $long"
done
for topic in $("$program" explain | awk '/^  [A-Za-z]/ { print $1 }'); do
    "$program" explain "$topic" >/dev/null || complain "kcsim explain $topic fails"
    grep -q "[' ]${topic}\$\|[' ]${topic}[' ]" "$root/docs/completion/kcsim.bash" ||
        complain "completion: no $topic"
done
for page in "$root"/docs/*.md; do
    page=${page##*/}
    [ "$page" = index.md ] || grep -q "](${page})" "$root/docs/index.md" || complain "docs/index.md: no $page"
done
"$program" explain checks --format markdown | diff "$root/docs/checks.md" - >&2 ||
    complain "docs/checks.md: kcsim explain checks --format markdown > docs/checks.md"
[ "$problems" = 0 ]
