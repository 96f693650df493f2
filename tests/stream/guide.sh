#!/bin/sh
# The guide shows code that is there: each ```c block of it stands, line by line, in a file of
# examples/, and each example is run in it. Where Apache Flink ran the same job, the example gives
# what it printed (golden/). What the guide prints is compared by tests/cli/transcript.sh.
#
# usage: guide.sh PROGRAM SOURCE_ROOT
set -u
program=$1
root=$2
guide=$root/docs/stream-guide.md
problems=0

complain() {
    printf '%s\n' "$*" >&2
    problems=$((problems + 1))
}

# Counts the blocks of code, and tells of those that no example has.
counted=$(awk '
    FILENAME != guide { text[FILENAME] = text[FILENAME] "\n" $0; next }
    /^```c$/ { inside = 1; block = ""; at = FNR; next }
    /^```$/ && inside {
        inside = 0
        blocks++
        found = 0
        for (f in text) if (index(text[f] "\n", block "\n")) found = 1
        if (!found) print "line " at ": no example has this code" > "/dev/stderr"
        strange += !found
    }
    inside { block = block "\n" $0 }
    END { print blocks + 0, strange + 0 }
' guide="$guide" "$root"/examples/*.[ch] "$guide")
[ "${counted#* }" = 0 ] || complain "code of the guide is not that of the examples"
[ "${counted% *}" -ge 10 ] || complain "the guide shows ${counted% *} pieces of code"
for example in "$root"/examples/*.c; do
    name=$(basename "$example" .c)
    [ "$name" = counter ] || grep -q "^\$ .*examples/$name\b" "$guide" ||
        complain "the guide does not run $name"
done

# as_flink EXAMPLE JOB [ARGUMENT…]: the example, given that job's input, prints what Flink did
as_flink() {
    example=$1 golden=$root/tests/stream/golden/$2
    shift 2
    "$program" stream run "examples/$example" --input "$golden/input" "$@" | diff "$golden/expected" - >&2 ||
        complain "$example: not as Apache Flink has it"
}
as_flink event_time 12_seed_tumbling3s --tell no
as_flink value_state 25_valuestate_diff

# What somebody types into a socket, as in the notes: `nc -lk 9999`, and --port 9999.
if command -v python3 >/dev/null; then
    typed=$(python3 - "$program" <<'PYTHON'
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
port = str(listener.getsockname()[1])
job = subprocess.Popen([sys.argv[1], "stream", "run", "examples/word_count", "--port", port,
                        "--host", "127.0.0.1"], stdout=subprocess.PIPE)
connection = listener.accept()[0]
connection.sendall(b"hello world\nhello\n")
connection.close()
sys.stdout.write(job.communicate()[0].decode())
PYTHON
    )
    [ "$typed" = "(hello,1)
(world,1)
(hello,2)" ] || complain "from a socket: $typed"
fi
[ "$problems" = 0 ]
