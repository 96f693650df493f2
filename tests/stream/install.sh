#!/usr/bin/env bash
# A job outside the tree, against what is installed: as a program found by pkg-config, as a program
# found by CMake, as a shared object that kcsim loads, as docs/stream.md shows it. All give the same lines.
#
#     install.sh KCSIM BUILD COMPILER
set -euo pipefail
kcsim=$1 build=$2 compiler=$3
docs=$(cd "$(dirname "$0")/../../docs" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$build" --component stream --prefix "$folder/prefix" >/dev/null
mkdir "$folder/job"
cd "$folder/job"

cat >job.c <<'JOB'
#include <kcsim/stream.h>

#include <stdio.h>

typedef struct {
    st_str text;
    int64_t count;
} word;
ST_TYPE(word, text, count);

ST_FLAT_MAP(split, st_str, word)
{
    for (st_str rest = *in, piece; st_next_token(&rest, " ", &piece);)
        st_emit(out, &((word){piece, 1}));
}

int st_job(st_env *env, int argc, char **argv);

int st_job(st_env *env, int argc, char **argv)
{
    st_stream *words = st_flat_map(st_read_text(env, argc > 1 ? argv[1] : "input"), split);
    st_print(st_sum(st_key_by(words, ST_KEY(word, text)), ST_FIELD(word, count)));
    return 0;
}
JOB
cat >main.c <<'MAIN'
#include "job.c"

int main(int argc, char **argv)
{
    st_env *env = st_env_new();
    st_env_take_arguments(env, &argc, argv);
    st_job(env, argc, argv);
    enum st_err err = st_execute(env, "words");
    if (err != ST_OK)
        fputs(st_env_error(env), stderr);
    st_env_free(env);
    return err == ST_OK ? 0 : 1;
}
MAIN
# The first program of the documents, as it stands there.
awk '/^```c$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$docs/stream.md" >documented.c
cat >refuses.c <<'JOB'
#include <kcsim/stream.h>

int st_job(st_env *env, int argc, char **argv);

int st_job(st_env *env, int argc, char **argv)
{
    (void)argv;
    return argc > 1 ? argc : (int)st_env_set(env, "paralelism.default", "3");
}
JOB
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(job LANGUAGES C)
find_package(kcsim-stream REQUIRED)
add_executable(by_cmake main.c)
target_link_libraries(by_cmake PRIVATE kcsim::stream)
foreach(job IN ITEMS job refuses)
  add_library(${job} MODULE ${job}.c)
  set_target_properties(${job} PROPERTIES PREFIX "")
  target_link_libraries(${job} PRIVATE kcsim::stream_header)
endforeach()
CMAKE
printf 'to be or\nnot to be\n' >input
printf '(to,1)\n(be,1)\n(or,1)\n(not,1)\n(to,2)\n(be,2)\n' >expected

# What the library was compiled with (sanitizers) the job has to have as well.
flags=$(sed -n 's/^CMAKE_C_FLAGS:STRING=//p' "$build/CMakeCache.txt")
pc=$(dirname "$(find "$folder/prefix" -name kcsim-stream.pc)")
for program in main documented; do
    # shellcheck disable=SC2086,SC2046
    "$compiler" -std=c17 -Wall -Wextra -Werror $flags $program.c -o $program \
        $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs kcsim-stream)
done
cmake -G Ninja -S . -B build -DCMAKE_PREFIX_PATH="$folder/prefix" -DCMAKE_C_COMPILER="$compiler" \
    -DCMAKE_C_FLAGS="$flags" >/dev/null
cmake --build build >/dev/null

./main input >one
./documented input >documented.printed
build/by_cmake input >two
"$kcsim" stream run build/job.so input >three
build/by_cmake -p 2 input | sort >four
cmp expected one
cmp expected documented.printed
cmp expected two
cmp expected three
cmp <(sort expected) four
if build/by_cmake -D parallelism.defalt=2 input 2>refused; then
    echo "an unknown key was taken" >&2
    exit 1
fi
grep -q 'did you mean parallelism.default' refused

# refused ARGUMENT…: exit code 64; what is said is in `refused`.
refused() {
    local code=0
    "$kcsim" stream "$@" 2>refused || code=$?
    [ "$code" = 64 ] || { echo "stream $*: exit code $code" >&2 && return 1; }
}

# A job that gives up says why, or it is said for it.
for word in run info; do
    refused "$word" build/refuses.so
    grep -q 'did you mean parallelism.default' refused
    refused "$word" build/refuses.so --own
    grep -q 'build/refuses.so: its st_job gave 2' refused
done
