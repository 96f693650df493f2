#!/bin/sh
# `kcsim stream run`: the example counts as awk does; flags of the runtime and of the job; a run that
# begins with the checkpoint of another counts on.
#
# usage: run.sh PROGRAM SOURCE_ROOT
set -u
program=$1
root=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
problems=0

complain() {
    printf '%s\n' "$*" >&2
    problems=$((problems + 1))
}

words() {
    awk '{ for (i = 1; i <= NF; i++) print "(" $i "," ++n[$i] ")" }' "$@" | LC_ALL=C sort
}

# stream ARGUMENT…: run the example, sorted output
stream() {
    "$program" stream run examples/word_count "$@" | LC_ALL=C sort
}

cat "$root"/docs/*.md >"$folder/text"
words "$folder/text" >"$folder/expected"
for p in 1 2 3; do
    stream --input "$folder/text" -p "$p" >"$folder/printed"
    cmp "$folder/expected" "$folder/printed" || complain "parallelism $p counts otherwise"
done
stream -Dparallelism.default=2 -D pipeline.operator-chaining=false --input "$folder/text" |
    cmp "$folder/expected" - || complain "unchained counts otherwise"

"$program" stream run -p 2 -D pipeline.max-parallelism=16 --parallelism=3 examples/word_count \
    --input "$folder/text" | LC_ALL=C sort | cmp "$folder/expected" - ||
    complain "with flags before the job it counts otherwise"
"$program" stream run --define pipeline.max-parallelism=16 -p2 examples/word_count -p=3 \
    --input "$folder/text" | LC_ALL=C sort | cmp "$folder/expected" - ||
    complain "with values joined to flags it counts otherwise"
for word in run info list status metrics checkpoint savepoint stop cancel; do
    "$program" stream $word --help | grep -q "^Usage: kcsim stream $word " || complain "no page of $word"
    "$program" stream --help | grep -q "^  $word " || complain "the help does not list $word"
done
"$program" stream stop -h | grep -q -e --drain || complain "the page of stop has not its flags"
"$program" stream cancel --help | grep -q -e --drain && complain "the page of cancel has flags of stop"
refuses_help() {
    "$program" help stream "$@" >/dev/null 2>&1
    [ $? = 64 ] || complain "help stream $*: no refusal"
}
refuses_help nix
refuses_help run more

set -- -D execution.checkpointing.interval=10s -D execution.checkpointing.dir="$folder/ck"
stream --input "$folder/text" "$@" >/dev/null
[ -e "$folder/ck/chk-1/_metadata" ] || complain "no checkpoint at the end"
cat "$folder/text" >"$folder/longer"
echo "kcsim-was-here twice kcsim-was-here" >>"$folder/longer"
stream --input "$folder/longer" -s"$folder/ck" >"$folder/joined"
stream --input "$folder/longer" "$@" -s "$folder/ck" -p 2 >"$folder/printed"
cmp "$folder/printed" "$folder/joined" || complain "-sPATH is another savepoint than -s PATH"
grep -q '^(kcsim-was-here,2)$' "$folder/printed" || complain "what was added is not counted"
[ "$(wc -l <"$folder/printed")" = 3 ] || complain "a restored run reads again what was read"

"$program" stream info examples/word_count --format json | grep -q '"ship_strategy": "HASH"' ||
    complain "no graph as JSON"
"$program" stream info --format=dot examples/word_count 2>/dev/null && complain "the job comes first"
"$program" stream info examples/word_count --format=dot | grep -q '^digraph job {' ||
    complain "no graph as DOT"

"$program" stream run examples/word_count --input "$folder/nowhere" 2>/dev/null
[ $? = 1 ] || complain "a job that failed has another exit code than 1"

# refuses TEXT ARGUMENT…: exit code 64, TEXT in the message
refuses() {
    text=$1
    shift
    said=$("$program" stream "$@" 2>&1)
    code=$?
    [ "$code" = 64 ] || complain "stream $*: exit code $code"
    case $said in
    *"$text"*) ;;
    *) complain "stream $*: says $said" ;;
    esac
}

refuses 'did you mean parallelism.default?' run examples/word_count -D paralelism.default=2
refuses 'a number from 1 to 32768' run examples/word_count -p none
refuses '-p none: a number from 1 to 32768' run examples/word_count -pnone
refuses 'did you mean parallelism.default?' run --define paralelism.default=2 examples/word_count
refuses 'no such job' run examples/nix
refuses 'a value is expected' run examples/word_count -s
refuses 'takes a job' run
refuses 'takes a job' run --parallelism 2
refuses 'takes a job' run -n -- examples/word_count
refuses 'takes a job' info
refuses 'takes a job' info --format dot
refuses 'text, dot or json' info examples/word_count --format xml
refuses 'no such job' info examples/nix
refuses 'did you mean examples/word_count?' run examples/word_cuont
refuses 'did you mean examples/word_count?' info word_cuont
refuses "no word 'savepont'; did you mean 'savepoint'?" savepont
refuses "no word 'x'; there are: run, info, list" x
refuses 'takes a word: run, info, list' # and nothing

# nowhere FOLDER WHY: a job that cannot have its socket there says so, and runs; who asks for jobs is told
nowhere() {
    for word in "list" "run examples/word_count"; do
        # shellcheck disable=SC2086 # a word, and a job
        said=$(XDG_RUNTIME_DIR=$1 "$program" stream $word 2>&1)
        code=$?
        [ "$code" = "$([ "$word" = list ] && echo 1 || echo 0)" ] || complain "stream $word, sockets in $1: exit code $code"
        case $said in
        *"$1/kcsim"*"$2"*XDG_RUNTIME_DIR*) ;;
        *) complain "stream $word, sockets in $1: $said" ;;
        esac
    done
}
nowhere /nonexistent 'No such file'
mkdir -m 755 "$folder/kcsim"
nowhere "$folder" 'not permitted'
[ "$problems" = 0 ]
