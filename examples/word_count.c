/*
 * Word count: how often each word has been seen, told anew with each word.
 *
 *     kcsim stream run examples/word_count [--input FILE] [--output FOLDER]
 *
 * Without --input it counts a few lines of its own. With --output the counts go exactly once into
 * files of a folder, else to the standard output.
 */
#include "examples/example.h"

typedef struct {
    st_str text;
    int64_t count;
} word;
ST_TYPE(word, text, count);

ST_FLAT_MAP(split, st_str, word)
{
    for (st_str rest = *in, piece; st_next_token(&rest, " \t", &piece);) {
        st_emit(out, &((word){piece, 1}));
    }
}

int st_job(st_env *env, int argc, char **argv)
{
    st_stream *text =
        example_lines(env, argc, argv, "to be or not to be\nthat is the question\nto be\n");
    st_stream *words = st_flat_map(text, split, .uid = "split");
    st_stream *counts =
        st_sum(st_key_by(words, ST_KEY(word, text)), ST_FIELD(word, count), .uid = "count");
    const char *folder = example_flag(argc, argv, "--output", NULL);
    if (folder != NULL) {
        st_write_files(counts, folder, .uid = "files");
    } else {
        st_print(counts);
    }
    return 0;
}
