/*
 * The stress test: the job of storm_job.h under back-pressure that comes and goes, ended again and
 * again (SIGKILL, or a function that fails at a record, in a snapshot, in a notification, in a
 * restore), each time restored at another parallelism, with either backend. What it has committed
 * in the end are the lines of a run without failures.
 *
 *     test_storm                       some seconds, seeds 1, 2 …
 *     KC_STORM_SECONDS=300 test_storm  so long, from a seed of the clock, which is printed
 *     KC_SEED=7 test_storm             the round of that seed only
 *
 * A seed decides the events, failures, parallelisms, and who dawdles when; not how threads meet.
 */
#include <check.h>
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mix.h"
#include "storm_job.h"

#define FAILURES_MAX 8

static char folder[64];

/* How often each kind of failure was met, over all rounds. */
static unsigned met[STORM_FAILURE_END];
static const char *const failure_names[STORM_FAILURE_END] = {
    [STORM_NONE] = "no failure",
    [STORM_KILL] = "SIGKILL",
    [STORM_FAIL_RECORD] = "at a record",
    [STORM_FAIL_SNAPSHOT] = "in snapshot_state",
    [STORM_FAIL_NOTIFY] = "in notify_checkpoint_complete",
    [STORM_FAIL_INITIALIZE] = "in initialize_state",
};

/* ---------------------------------------------------------------------------------------- Lines */

struct lines {
    char **line; /* [count], sorted, owned */
    size_t count, capacity;
    uint64_t counted; /* by all subtasks together: each tells its part in a line */
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_line(struct lines *lines, const char *text)
{
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity * 2 + 1024;
        lines->line = realloc(lines->line, lines->capacity * sizeof *lines->line);
        ck_assert_ptr_nonnull(lines->line);
    }
    lines->line[lines->count++] = strdup(text);
}

static void read_lines(struct lines *lines, const char *path)
{
    char text[256];
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(text, sizeof text, file) != NULL) {
        uint64_t part;
        if (sscanf(text, "(count,0,0,%" SCNu64 ",0,0)", &part) == 1) {
            lines->counted += part;
        } else {
            add_line(lines, text);
        }
    }
    fclose(file);
}

/* What was committed; sorted. */
static struct lines committed(void)
{
    char path[512];
    struct lines lines = {0};
    snprintf(path, sizeof path, "%s/out", folder);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, "part-", 5) == 0) {
            snprintf(path, sizeof path, "%s/out/%s", folder, entry->d_name);
            read_lines(&lines, path);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (lines.count > 0) {
        qsort(lines.line, lines.count, sizeof *lines.line, by_text);
    }
    return lines;
}

static void free_lines(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->line[i]);
    }
    free(lines->line);
}

/* How many lines are lost or too many; the first is written to `first`. */
static size_t differences(const struct lines *is, const struct lines *must, char first[300])
{
    size_t count = 0;
    first[0] = '\0';
    for (size_t i = 0, m = 0; i < is->count || m < must->count; count++) {
        int order = i == is->count ? 1 : m == must->count ? -1 : strcmp(is->line[i], must->line[m]);
        if (order == 0) {
            i++, m++, count--;
            continue;
        }
        if (first[0] == '\0') {
            snprintf(first, 300, "%s %s",
                     order < 0 ? "too many:" : "lost:", order < 0 ? is->line[i] : must->line[m]);
        }
        i += order < 0 ? 1 : 0;
        m += order > 0 ? 1 : 0;
    }
    return count;
}

/* -------------------------------------------------------------------------------------- A round */

static void make_folder(void)
{
    bool in_memory = access("/dev/shm", W_OK) == 0;
    snprintf(folder, sizeof folder, "%s/kcsim-storm-XXXXXX", in_memory ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_in_folder(const char *what)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s/%s", folder, what);
    ck_assert_int_eq(system(command), 0);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The attempt in a process of its own; returns its status, of waitpid. */
static int play(const struct storm_attempt *a)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        _exit(storm_run(a));
    }
    if (a->failure == STORM_KILL) {
        struct timespec pause = {.tv_sec = (time_t)(a->failure_at / 1000),
                                 .tv_nsec = (long)(a->failure_at % 1000) * 1000000};
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* What must come out: the same events, one subtask of each, nothing that fails, waits or snapshots.
 */
static struct lines without_failures(uint64_t seed)
{
    struct storm_attempt a = {.seed = seed,
                              .parallelism = 1,
                              .source_parallelism = 1,
                              .backend = "hashmap",
                              .folder = folder};
    int status = play(&a);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == STORM_DONE, "status %d", status);
    struct lines lines = committed();
    remove_in_folder("out");
    return lines;
}

static void draw_failure(struct storm_attempt *a)
{
    uint64_t z = mix(a->draw ^ 0xFA11);
    static const enum storm_failure kinds[] = {
        STORM_KILL,          STORM_KILL,        STORM_FAIL_RECORD,    STORM_FAIL_RECORD,
        STORM_FAIL_SNAPSHOT, STORM_FAIL_NOTIFY, STORM_FAIL_INITIALIZE};
    a->failure = kinds[z % 7];
    switch (a->failure) {
    case STORM_KILL:
        a->failure_at = 50 + (z >> 20) % 400;
        break;
    case STORM_FAIL_RECORD:
        a->failure_at = 1000 + (z >> 20) % 80000;
        break;
    case STORM_FAIL_SNAPSHOT:
    case STORM_FAIL_NOTIFY:
        a->failure_at = 1 + (z >> 20) % 12;
        break;
    case STORM_NONE:
    case STORM_FAIL_INITIALIZE:
    case STORM_FAILURE_END:
        break;
    }
}

/* Never that of the attempt before. */
static uint32_t draw_parallelism(uint64_t draw, uint32_t before)
{
    uint32_t p = 1 + (uint32_t)(mix(draw ^ 0x9A11) % (before == 0 ? 4 : 3));
    return before != 0 && p >= before ? p + 1 : p;
}

/* Attempts until one comes to its end; the failures that were met. */
static unsigned play_with_failures(uint64_t seed)
{
    struct storm_attempt a = {.seed = seed,
                              .source_parallelism = 1 + (uint32_t)(mix(seed) % 2),
                              .backend = seed % 2 == 0 ? "rocksdb" : "hashmap",
                              .folder = folder,
                              .dawdles = true,
                              .checkpoints = true};
    unsigned failures = 0;
    for (uint64_t n = 0;; n++) {
        a.draw = mix(seed * 1000 + n);
        a.parallelism = draw_parallelism(a.draw, a.parallelism);
        a.failure = STORM_NONE;
        if (failures < FAILURES_MAX) {
            draw_failure(&a);
        }
        double began = now_s();
        int status = play(&a);
        printf("  parallelism %u, %s (%" PRIu64 "): %.1f s, status %d\n", a.parallelism,
               failure_names[a.failure], a.failure_at, now_s() - began,
               WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
        fflush(stdout);
        if (WIFSIGNALED(status)) {
            ck_assert_int_eq(WTERMSIG(status), SIGKILL);
            ck_assert_int_eq(a.failure, STORM_KILL);
        } else if (WEXITSTATUS(status) == STORM_DONE) {
            return failures;
        } else if (WEXITSTATUS(status) == STORM_NO_CHECKPOINT) {
            remove_in_folder("ck"); /* killed before its first checkpoint, half a one */
            continue;
        } else {
            ck_assert_msg(WEXITSTATUS(status) == STORM_FAILED, "seed %" PRIu64 ", attempt %" PRIu64,
                          seed, n);
        }
        failures++;
        met[a.failure]++;
    }
}

static void round_of(uint64_t seed)
{
    char first[300];
    make_folder();
    struct lines must = without_failures(seed);
    unsigned failures = play_with_failures(seed);
    struct lines is = committed();
    size_t wrong = differences(&is, &must, first);
    ck_assert_msg(wrong == 0, "KC_SEED=%" PRIu64 ": of %zu lines %zu are lost or too many, %s",
                  seed, must.count, wrong, first);
    ck_assert_msg(is.counted == must.counted,
                  "KC_SEED=%" PRIu64 ": %" PRIu64 " counted, not %" PRIu64, seed, is.counted,
                  must.counted);
    printf("seed %" PRIu64 ": %u failures, %zu lines\n", seed, failures, is.count);
    fflush(stdout);
    free_lines(&must);
    free_lines(&is);
    remove_in_folder("");
}

START_TEST(failures_under_back_pressure_leave_no_trace)
{
    const char *seconds = getenv("KC_STORM_SECONDS"), *one = getenv("KC_SEED");
    double until = now_s() + (seconds != NULL ? atof(seconds) : 4);
    uint64_t seed = one != NULL       ? strtoull(one, NULL, 10)
                    : seconds != NULL ? (uint64_t)time(NULL)
                                      : 1;
    uint64_t first = seed;
    do { /* at least one of each backend */
        round_of(seed++);
    } while (one == NULL && (now_s() < until || seed < first + 2));
    for (int f = STORM_KILL; f < STORM_FAILURE_END; f++) {
        printf("%u failures %s\n", met[f], failure_names[f]);
    }
}
END_TEST

/* Lines of a letter each, in order. */
static size_t differences_of(const char *is, const char *must, char first[300])
{
    struct lines a = {0}, b = {0};
    for (; *is != '\0'; is++) {
        add_line(&a, (char[]){*is, '\0'});
    }
    for (; *must != '\0'; must++) {
        add_line(&b, (char[]){*must, '\0'});
    }
    size_t count = differences(&a, &b, first);
    free_lines(&a);
    free_lines(&b);
    return count;
}

START_TEST(the_comparison_sees_a_line_that_is_lost_twice_or_wrong)
{
    char first[300];
    ck_assert_uint_eq(differences_of("abc", "abc", first), 0);
    ck_assert_uint_eq(differences_of("abbc", "abc", first), 1);
    ck_assert_str_eq(first, "too many: b");
    ck_assert_uint_eq(differences_of("ac", "abc", first), 1);
    ck_assert_str_eq(first, "lost: b");
    ck_assert_uint_eq(differences_of("acd", "abd", first), 2);
    ck_assert_uint_eq(differences_of("", "abc", first), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream storm");
    TCase *tc = tcase_create("storm");
    tcase_set_timeout(tc, 0); /* ctest has one */
    tcase_add_test(tc, the_comparison_sees_a_line_that_is_lost_twice_or_wrong);
    tcase_add_test(tc, failures_under_back_pressure_leave_no_trace);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
