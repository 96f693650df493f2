/*
 * What the examples share and a job of one's own has in its own way: flags, and lines to begin with
 * where no file is named.
 */
#ifndef EXAMPLES_EXAMPLE_H
#define EXAMPLES_EXAMPLE_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stream/stream.h"

#define EXAMPLE_LINES_MAX 64

int st_job(st_env *env, int argc, char **argv);

/* What stands behind a flag of the job, else `otherwise`. */
static inline const char *example_flag(int argc, char **argv, const char *flag,
                                       const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], flag) == 0) {
            return argv[i + 1];
        }
    }
    return otherwise;
}

/* The lines that the socket behind --host and --port sends (the port alone: localhost), or those of
 * the file behind --input, else those of `text`. */
static inline st_stream *example_lines(st_env *env, int argc, char **argv, const char *text)
{
    static st_str lines[EXAMPLE_LINES_MAX];
    uint32_t count = 0;
    const char *path = example_flag(argc, argv, "--input", NULL);
    long port = strtol(example_flag(argc, argv, "--port", "0"), NULL, 10);
    if (port > 0 && port <= UINT16_MAX) {
        const char *host = example_flag(argc, argv, "--host", "localhost");
        return st_read_socket(env, ST_SOCKET(host, (uint16_t)port));
    }
    for (st_str rest = st_str_of(text);
         path == NULL && count < EXAMPLE_LINES_MAX && st_next_token(&rest, "\n", &lines[count]);) {
        count++;
    }
    return path != NULL ? st_read_text(env, path) : st_from_array(env, st_str, lines, count);
}

/* A whole number, or the job fails. */
static inline int64_t example_number(st_context *ctx, st_str text)
{
    int64_t value = 0;
    if (!st_parse_int64(text, &value)) {
        st_fail(ctx, "not a number: %.*s", (int)text.size, text.data);
    }
    return value;
}

#endif
