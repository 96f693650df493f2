/*
 * Word count: how often each word has been seen, told anew with each word.
 *
 *     kcsim stream run examples/word_count [--input FILE] [--output FOLDER]
 *
 * Without --input it counts a few lines of its own. With --output the counts go exactly once into
 * files of a folder, else to the standard output.
 */
#include <string.h>

#include "stream/stream.h"

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

static st_str lines[3];

/* What stands behind a flag of the job; NULL: it is not there. */
static const char *value_of(const char *flag, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], flag) == 0) {
            return argv[i + 1];
        }
    }
    return NULL;
}

int st_job(st_env *env, int argc, char **argv);

int st_job(st_env *env, int argc, char **argv)
{
    const char *input = value_of("--input", argc, argv);
    const char *output = value_of("--output", argc, argv);
    lines[0] = st_str_of("to be or not to be");
    lines[1] = st_str_of("that is the question");
    lines[2] = st_str_of("to be");
    st_stream *text =
        input != NULL ? st_read_text(env, input) : st_from_array(env, st_str, lines, 3);
    st_stream *words = st_flat_map(text, split, .uid = "split");
    st_stream *counts =
        st_sum(st_key_by(words, ST_KEY(word, text)), ST_FIELD(word, count), .uid = "count");
    if (output != NULL) {
        st_write_files(counts, output, .uid = "files");
    } else {
        st_print(counts);
    }
    return 0;
}
