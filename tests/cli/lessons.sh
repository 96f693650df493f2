#!/bin/sh
# Every lesson can be answered: with the right answers the exit code is 0, with a wrong one 1, with
# one missing 2, also where another seed or a defect switched makes other answers right.
#
# usage: lessons.sh PROGRAM SOURCE_ROOT
set -u
program=$1
root=$2
problems=0
cd "$root" || exit 1
XDG_STATE_HOME=$(mktemp -d) || exit 1
export XDG_STATE_HOME
trap 'rm -rf "$XDG_STATE_HOME"' EXIT

complain() {
    printf '%s\n' "$*" >&2
    problems=$((problems + 1))
}

# Prints the right answers of a lesson, as it is with the options that follow.
answers() {
    "$program" lesson "$@" --show | sed -n 's/^answers: //p'
}

# expect CODE ANSWERS LESSON OPTION…
expect() {
    code=$1 given=$2
    shift 2
    "$program" lesson "$@" --answers "$given" >/dev/null
    is=$?
    [ "$is" = "$code" ] || complain "lesson $*: answers $given: exit $is, not $code"
}

play() {
    right=$(answers "$@")
    [ -n "$right" ] || complain "lesson $*: no answers"
    expect 0 "$right" "$@"
}

count=0
for file in scenarios/lessons/*.yaml; do
    count=$((count + 1))
    play "$file"
    wrong=$(printf '%s' "$right" | tr 'abc' 'bca')
    expect 1 "$wrong" "$file"
    expect 2 "${right%,*}" "$file"
    play "$file" --seed 7
    play "$file" --seed 12
    wide=$("$program" lesson "$file" --answers "$right" --color never | awk 'length($0) > 90')
    [ -z "$wide" ] || complain "$file: wider than 80 columns: $wide"
done
[ "$count" = "$("$program" lesson | grep -c '^[ ✓] *[0-9]')" ] || complain "the list is not whole"

# Answers follow the run: where the defect is on, the zombie's write is applied.
with=$(answers 5 --defect KAFKA-6082=on)
[ "$with" != "$(answers 5)" ] || complain "lesson 5: the defect changes no answer"
play 5 --defect KAFKA-6082=on
expect 1 "$with" 5

# A teacher's copy: another timeout, and the choice that is the answer is another number.
sed 's/session.timeout.ms: 6000/session.timeout.ms: 9000/' scenarios/lessons/01-*.yaml >"$XDG_STATE_HOME/copy.yaml"
case $("$program" lesson "$XDG_STATE_HOME/copy.yaml" --show) in
*'✓ b) 8'*) ;;
*) complain "a copy of lesson 1 with another timeout has the old number" ;;
esac

# Records are named exactly, and judged so however they are written.
case $("$program" lesson 3 --show) in
*'✓ c) p1#11..32'*) ;;
*) complain "lesson 3 does not name the lost records" ;;
esac
"$program" lesson 3 --answers 'a,a,b,d,p1#11-p1#32,b' >/dev/null || complain "p1#11-p1#32 is not taken"

# By pipe, the same; and what is done is remembered.
answers 1 | tr ',' '\n' | "$program" lesson 1 >/dev/null || complain "lesson 1 by pipe"
"$program" lesson | grep -q '^✓  1 ' || complain "lesson 1 is not remembered as done"

# JSON says the same as the exit code.
"$program" lesson 1 --answers b,zebra --format json >"$XDG_STATE_HOME/out.json"
is=$?
[ "$is" = 1 ] || complain "JSON of a wrong answer: exit $is"
grep -q '"exit": 1' "$XDG_STATE_HOME/out.json" || complain "JSON: no exit code"
grep -q '"answer": "zebra"' "$XDG_STATE_HOME/out.json" || complain "JSON: no answer"

# The page is written, and asks nothing here.
"$program" lesson 2 --report "$XDG_STATE_HOME/page.html" </dev/null >/dev/null || complain "no page"
grep -q '<section id="lesson"' "$XDG_STATE_HOME/page.html" || complain "the page has no lesson"

# What is wrong is said, with the exit code of usage or of bad input.
refuse() {
    code=$1
    shift
    "$program" lesson "$@" </dev/null >"$XDG_STATE_HOME/said" 2>&1
    is=$?
    [ "$is" = "$code" ] || complain "lesson $*: exit $is, not $code"
    [ -s "$XDG_STATE_HOME/said" ] || complain "lesson $*: nothing is said"
}
refuse 64 99
refuse 64 0
refuse 64 1 --answers /none/such
refuse 64 --show
refuse 64 1 --report x.html --show
refuse 64 5 --defect KAFKA-6082
refuse 64 5 --defect KAFKA-1=off
refuse 65 none-such.yaml
refuse 65 scenarios/basics/g04-a-follower-dies.yaml
refuse 2 1 # nobody answers

# The first record of a trace has the stops.
"$program" run scenarios/lessons/01-*.yaml --trace "$XDG_STATE_HOME/out.ndjson" >/dev/null
head -1 "$XDG_STATE_HOME/out.ndjson" | grep -q '"lesson":\[{"record":' || complain "meta has no lesson"
[ "$problems" = 0 ]
