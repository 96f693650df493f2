#!/bin/sh
# Records what Apache Kafka 2.8.2's own classes write, into tests/wire/recorded/: messages, headers,
# errors, record batches. Needs a JDK; the jars come by Maven, or from the folder that is given. The
# same bytes come out each time: a difference is news.
#
#   record.sh [FOLDER-WITH-JARS]
#   JUDGE=FILE record.sh …     prints what Kafka reads in record batches of ours, which
#                              `KC_WRITE_BATCHES=FILE test_record_batch` left in FILE
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/kcsim-record.XXXXXX")
trap 'rm -rf "$work"' EXIT
jars=${1:-$work/jars}
[ $# -gt 0 ] || mvn -q -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars"
mkdir "$work/classes"
javac -cp "$jars/*" -d "$work/classes" "$here"/*.java
if [ -n "${JUDGE:-}" ]; then
    java -cp "$jars/*:$work/classes" RecordBatches - "$JUDGE"
    exit
fi
java -cp "$jars/*:$work/classes" RecordMessages "$here/../recorded"
java -cp "$jars/*:$work/classes" RecordBatches "$here/../recorded"
