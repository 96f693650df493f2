/*
 * A job with windows over many keys, killed again and again at moments drawn at random and restored
 * at a parallelism drawn at random: what it committed in the end equals what a loop over the same
 * events gives. The checker is tried as well: a line that is missing, and one that is there twice,
 * it must see.
 */
#include <check.h>
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mix.h"
#include "stream/stream.h"

#define KEYS      5000
#define WINDOW_MS 500
#define WINDOWS   8

static uint64_t event_count = 1500000; /* 1,000 a millisecond */

typedef struct {
    int64_t key, value, time;
} event;
ST_TYPE(event, key, value, time);

typedef struct {
    int64_t sum, count;
} total;
ST_TYPE(total, sum, count);

typedef struct {
    int64_t key, end, sum, count;
} line;
ST_TYPE(line, key, end, sum, count);

static event event_of(uint64_t index)
{
    uint64_t z = mix(index);
    return (event){(int64_t)(z % KEYS), (int64_t)(z >> 40),
                   (int64_t)(index / 1000 + 1000 - (z >> 20) % 1000)};
}

ST_GENERATOR(make, event)
{
    *out = event_of(index);
}

ST_TIMESTAMP(time_of, event)
{
    return in->time;
}

ST_FOLD(add, event, total)
{
    acc->sum += in->value;
    acc->count++;
}

ST_MAP(to_line, total, line)
{
    *out = (line){*(const int64_t *)st_key(ctx), st_window_end(ctx), in->sum, in->count};
}

/* Rolling sums are there to be snapshot and restored beside the windows. */
ST_FILTER(is_last, event)
{
    (void)in;
    return false;
}

static char folder[64];

static int run_job(uint32_t parallelism, const char *mode)
{
    char path[128];
    st_env *env = st_env_new();
    st_env_set_parallelism(env, parallelism);
    snprintf(path, sizeof path, "%s/ck", folder);
    st_env_set(env, "execution.checkpointing.interval", "20ms");
    st_env_set(env, "execution.checkpointing.mode", mode);
    st_env_set(env, "execution.checkpointing.dir", path);
    st_env_set(env, "execution.checkpointing.num-retained", "3");
    st_env_set(env, "execution.checkpointing.max-concurrent-checkpoints",
               parallelism % 2 == 0 ? "3" : "1");
    if (access(path, F_OK) == 0) {
        st_env_set(env, "execution.savepoint.path", path);
    }
    st_stream *events = st_assign_timestamps(
        st_generate(env, make, event_count, .rate_per_s = 1000000), time_of, .bound_ms = 1000);
    st_stream *keyed = st_key_by(events, ST_KEY(event, key));
    st_discard(st_filter(st_sum(keyed, ST_FIELD(event, value)), is_last));
    st_stream *sums = st_aggregate(st_window(keyed, ST_TUMBLING(WINDOW_MS)), add, to_line);
    snprintf(path, sizeof path, "%s/out", folder);
    st_write_files(sums, path);
    enum st_err err = st_execute(env, "stress");
    bool no_checkpoint =
        err == ST_ERR_RESTORE && strstr(st_env_error(env), "no checkpoint") != NULL;
    if (err != ST_OK && !no_checkpoint) {
        fputs(st_env_error(env), stderr);
    }
    st_env_free(env);
    return err == ST_OK ? 0 : no_checkpoint ? 2 : 1;
}

/* What the windows must hold, by a loop. */
static int64_t sums[WINDOWS][KEYS], counts[WINDOWS][KEYS];

static void compute(void)
{
    memset(sums, 0, sizeof sums);
    memset(counts, 0, sizeof counts);
    for (uint64_t i = 0; i < event_count; i++) {
        event e = event_of(i);
        sums[e.time / WINDOW_MS][e.key] += e.value;
        counts[e.time / WINDOW_MS][e.key]++;
    }
}

/* How many lines of the committed files are wrong, missing or there twice. */
static uint64_t wrong_lines(void)
{
    char path[400], text[256];
    uint64_t wrong = 0;
    compute();
    snprintf(path, sizeof path, "%s/out", folder);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, "part-", 5) != 0) {
            continue;
        }
        snprintf(path, sizeof path, "%s/out/%s", folder, entry->d_name);
        FILE *file = fopen(path, "r");
        while (file != NULL && fgets(text, sizeof text, file) != NULL) {
            int64_t key, end, sum, count;
            if (sscanf(text, "(%" SCNd64 ",%" SCNd64 ",%" SCNd64 ",%" SCNd64 ")", &key, &end, &sum,
                       &count) != 4) {
                wrong++;
                continue;
            }
            int64_t w = end / WINDOW_MS - 1;
            wrong += sums[w][key] != sum || counts[w][key] != count ? 1 : 0;
            sums[w][key] = counts[w][key] = 0; /* a second one is wrong */
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    for (int w = 0; w < WINDOWS; w++) {
        for (int k = 0; k < KEYS; k++) {
            wrong += counts[w][k] != 0 ? 1 : 0;
        }
    }
    return wrong;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

/* Runs to the end with kills on the way; returns how many there were. */
static unsigned run_with_kills(uint64_t seed, unsigned kills_max, const char *mode)
{
    unsigned kills = 0;
    for (uint64_t draw = seed * 1000;; draw++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            _exit(run_job((uint32_t)(1 + mix(draw) % 4), mode));
        }
        if (kills < kills_max) {
            sleep_ms(60 + mix(draw ^ 0x5555) % 300);
            kill(pid, SIGKILL);
        }
        int status;
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status)) {
            ck_assert_int_eq(WTERMSIG(status), SIGKILL);
            kills++;
        } else if (status == 0) {
            return kills;
        } else { /* killed before its first checkpoint, it left at most half a one */
            ck_assert_int_eq(WEXITSTATUS(status), 2);
            char command[128];
            snprintf(command, sizeof command, "rm -rf %s/ck", folder);
            ck_assert_int_eq(system(command), 0);
        }
    }
}

static void with_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/kcsim-stress-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void without_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(kills_at_random_neither_lose_nor_repeat)
{
    unsigned rounds = getenv("KC_DEEP") != NULL ? 20 : 2;
    for (unsigned r = 0; r < rounds; r++) {
        with_folder();
        run_with_kills(r + 1, 6, "EXACTLY_ONCE");
        uint64_t wrong = wrong_lines();
        ck_assert_msg(wrong == 0, "round %u: %" PRIu64 " lines are wrong", r, wrong);
        without_folder();
    }
}
END_TEST

START_TEST(the_checker_sees_a_line_that_is_missing_or_twice)
{
    char path[400], command[1000];
    event_count = 100000;
    with_folder();
    ck_assert_uint_eq(run_with_kills(7, 0, "EXACTLY_ONCE"), 0);
    ck_assert_uint_eq(wrong_lines(), 0);
    snprintf(path, sizeof path, "%s/out", folder);
    snprintf(command, sizeof command, "f=$(ls %s/part-* | head -1) && head -1 $f > %s/part-9-9",
             path, path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_uint_eq(wrong_lines(), 1);
    snprintf(command, sizeof command, "rm %s/part-9-9; f=$(ls %s/part-* | head -1) && sed -i 1d $f",
             path, path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_uint_eq(wrong_lines(), 1);
    without_folder();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream stress");
    TCase *tc = tcase_create("stress");
    tcase_set_timeout(tc, 550);
    tcase_add_test(tc, kills_at_random_neither_lose_nor_repeat);
    tcase_add_test(tc, the_checker_sees_a_line_that_is_missing_or_twice);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
