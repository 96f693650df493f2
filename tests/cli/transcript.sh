#!/bin/sh
# Runs the commands in Markdown files and compares what they print with what the files show.
#
#     transcript.sh [--update] PROGRAM SOURCE_ROOT FILE.md…
#
# Only blocks that begin with ```console count. In them a line "$ COMMAND" is run by sh; the lines
# behind it are its output, both streams, then "[CODE]" where the exit code is not 0. Commands run in
# an empty folder that has PROGRAM as ./kcsim (and as kcsim in the PATH), scenarios/, cases/, logs/; what
# one command writes, the next ones of the file find. --update writes what was seen into the files;
# read the difference before you keep it.
set -u

update=0
if [ "${1-}" = --update ]; then
    update=1
    shift
fi
program=$(realpath "$1") && root=$(realpath "$2") || exit 1
shift 2

# Prints FILE with its console blocks run anew.
replay() {
    inside=0
    while IFS= read -r line <&3; do
        case $inside:$line in
        0:'```console') inside=1 ;;
        1:'```') inside=0 ;;
        1:'$ '*)
            printf '%s\n' "$line"
            (cd "$sandbox" && PATH=$sandbox:$PATH sh -c "${line#'$ '}") \
                >"$sandbox.out" 2>&1 </dev/null 3<&-
            code=$?
            awk 1 "$sandbox.out" # a last line without its end gets one
            [ "$code" = 0 ] || printf '[%d]\n' "$code"
            continue
            ;;
        1:*) continue ;;
        esac
        printf '%s\n' "$line"
    done 3<"$1"
}

failures=0
# What the environment may say about colours and messages must not show.
unset NO_COLOR CLICOLOR_FORCE
export LC_ALL=C.UTF-8 TERM=dumb COLUMNS=80
for file in "$@"; do
    sandbox=$(mktemp -d) || exit 1
    ln -s "$program" "$sandbox/kcsim"
    ln -s "$root/scenarios" "$sandbox/scenarios"
    ln -s "$root/tests/cli/cases" "$sandbox/cases"
    ln -s "$root/tests/import/corpus" "$sandbox/logs"
    replay "$file" >"$sandbox.actual"
    if ! cmp -s "$file" "$sandbox.actual"; then
        if [ "$update" = 1 ]; then
            cp "$sandbox.actual" "$file"
        else
            diff -u --label "$file (as written)" --label "$file (as it runs)" "$file" "$sandbox.actual"
            failures=$((failures + 1))
        fi
    fi
    rm -rf "$sandbox" "$sandbox.out" "$sandbox.actual"
done
[ "$failures" = 0 ]
