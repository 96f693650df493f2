#!/bin/sh
# Every command of the program is in the manual page and in the completion, and its help begins with
# examples and fits 100 columns; bash completes its options. Every document is in the index.
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

# completes WORDS OPTIONS: what bash offers behind WORDS
completes() {
    # shellcheck disable=SC2016 # for the bash that is begun
    offered=$(bash -c '. "$1"; read -ra COMP_WORDS <<<"$2"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _kcsim
        echo "${COMPREPLY[*]}"' - "$root/docs/completion/kcsim.bash" "$program $1")
    [ "$offered" = "$2" ] || complain "completion of $1: $offered, not $2"
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
for word in $("$program" help stream | sed -n '/^Words:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    help=$("$program" stream "$word" --help) || complain "kcsim stream $word --help fails"
    [ "$help" = "$("$program" help stream "$word")" ] || complain "kcsim help stream $word is another page"
    [ "$(printf '%s\n' "$help" | sed -n 3p)" = Examples: ] || complain "stream $word: no examples first"
    long=$(printf '%s\n' "$help" | awk 'length($0) > 100')
    [ -z "$long" ] || complain "stream $word: help is wider than 100 columns: $long"
    grep -q "^\.B stream.*$word" "$root/docs/man/kcsim.1" || complain "kcsim.1: no stream $word"
    grep -q "[' ]${word}[' ]" "$root/docs/completion/kcsim.bash" || complain "completion: no stream $word"
    for option in $(printf '%s\n' "$help" | awk '/^Options:/ { on = 1; next } /^$/ { on = 0 }
        on && match($0, /--[A-Za-z]+/) { print substr($0, RSTART + 2, RLENGTH - 2) }'); do
        grep -q '^\..*\\-\\-'"$option" "$root/docs/man/kcsim.1" || complain "kcsim.1: no --$option of stream $word"
    done
done
for topic in $("$program" explain | awk '/^  [A-Za-z]/ { print $1 }'); do
    "$program" explain "$topic" >/dev/null || complain "kcsim explain $topic fails"
    grep -q "[' ]${topic}\$\|[' ]${topic}[' ]" "$root/docs/completion/kcsim.bash" ||
        complain "completion: no $topic"
done
completes 'stream st' 'status stop'
completes 'stream stop --' '--drain --savepointPath'
completes 'stream list --' '--all --format --running --scheduled'
completes 'stream cancel --' ''
completes 'stream run --' \
    '--define --allowNonRestoredState --progress --parallelism --steps --fromSavepoint'
completes 'stream info examples/x --f' '--format --fromSavepoint'
completes 'run --tr' '--trace'
for page in "$root"/docs/*.md; do
    page=${page##*/}
    [ "$page" = index.md ] || grep -q "](${page})" "$root/docs/index.md" || complain "docs/index.md: no $page"
done
"$program" explain checks --format markdown | diff "$root/docs/checks.md" - >&2 ||
    complain "docs/checks.md: kcsim explain checks --format markdown > docs/checks.md"
[ "$problems" = 0 ]
