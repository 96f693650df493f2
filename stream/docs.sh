#!/bin/sh
# The API reference of stream.h by Doxygen, for the target `docs`: a warning is an error, and what has
# no comment is a warning. Doxygen is installed if it is missing and that can be done, for nothing
# else of the project needs it.
#
# usage: docs.sh SOURCE_ROOT OUTPUT_FOLDER VERSION
set -eu
root=$1 output=$2 version=$3

if ! command -v doxygen >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "docs: doxygen is missing: apt-get install doxygen" >&2
        exit 69
    fi
    echo "docs: installing doxygen" >&2
    apt-get install -q -y --no-install-recommends doxygen >/dev/null
fi
mkdir -p "$output"
cd "$root"
doxygen - <<EOF
PROJECT_NAME = kcsim-stream
PROJECT_NUMBER = $version
PROJECT_BRIEF = "Stream jobs in C"
INPUT = stream/stream.h
OUTPUT_DIRECTORY = "$output"
FILTER_PATTERNS = *.h="awk -f stream/doxygen.awk"
OPTIMIZE_OUTPUT_FOR_C = YES
JAVADOC_AUTOBRIEF = YES
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
PREDEFINED = "ST_PRINTF(f,a)=" "ST_UNUSED=" "__GNUC__=12"
EXTRACT_ALL = NO
WARN_IF_UNDOCUMENTED = YES
WARN_AS_ERROR = FAIL_ON_WARNINGS
GENERATE_LATEX = NO
HAVE_DOT = NO
QUIET = YES
EOF
echo "$output/html/index.html"
