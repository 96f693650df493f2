/*
 * Counter: numbers at a rate, counted by their last digit; a job that runs until it is stopped, to
 * try checkpoints and savepoints with.
 *
 *     kcsim stream run examples/counter --output FOLDER [--count N] [--rate N] [-p 2]
 *         [--part-size BYTES: of files that go on over checkpoints]
 *     kcsim stream stop counter -p FOLDER-OF-SAVEPOINTS
 *
 * The output, lines (digit,its first number,how many so far), is exact: over any number of stops
 * and starts each count of a digit is there once.
 */
#include <stdlib.h>
#include <string.h>

#include "stream/stream.h"

typedef struct {
    int64_t digit, number, count;
} counted;
ST_TYPE(counted, digit, number, count);

ST_GENERATOR(next_number, counted)
{
    *out = (counted){.digit = (int64_t)(index % 10), .number = (int64_t)index, .count = 1};
}

/* What stands behind a flag of the job. */
static const char *value_of(const char *flag, int argc, char **argv, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], flag) == 0) {
            return argv[i + 1];
        }
    }
    return otherwise;
}

int st_job(st_env *env, int argc, char **argv);

int st_job(st_env *env, int argc, char **argv)
{
    uint64_t count = strtoull(value_of("--count", argc, argv, "1000000000"), NULL, 10);
    uint64_t rate = strtoull(value_of("--rate", argc, argv, "1000"), NULL, 10);
    st_stream *numbers = st_generate(env, next_number, count, .rate_per_s = rate, .uid = "numbers");
    st_stream *sums =
        st_sum(st_key_by(numbers, ST_KEY(counted, digit)), ST_FIELD(counted, count), .uid = "sums");
    st_write_files(sums, value_of("--output", argc, argv, "counted"), .uid = "files",
                   .max_part_size = strtoll(value_of("--part-size", argc, argv, "0"), NULL, 10));
    return 0;
}
