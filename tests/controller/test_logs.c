/*
 * Goal: what the controller logs is what Apache Kafka 2.8.2's controller logged, line for line.
 *
 * Method: the scenarios of tests/golden/logs are played in the simulator, whose node 0 is a
 * registered broker as the recorded process was. Lines of controller.log and state-change.log at
 * all levels, times and threads cut, are compared as multisets within a step; steps are told apart
 * by the silence (more than a second) that ends each `wait`, as in the recordings.
 *
 * Made equal on both sides before comparing: ports (PORT); broker epochs (broker#registration);
 * members of collections whose order is that of a Scala hash map, and of partition lists that
 * several threads fill, are sorted. Nothing else.
 */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/logs.h"
#include "sim/scn.h"
#include "sim/trace.h"

enum { STEPS = 32, SILENCE_US = 1000000 };

struct lines {
    char **line;
    size_t count;
};

/* ---- making lines comparable ---- */

/* Returns where the member that starts at `at` ends: a separator or closer outside brackets. */
static char *member_end(char *at, const char *separator)
{
    int depth = 0;

    for (; *at != '\0'; at++) {
        if (depth == 0 && strncmp(at, separator, strlen(separator)) == 0) {
            return at;
        }
        if (*at == '(' || *at == '[') {
            depth++;
        } else if (*at == ')' || *at == ']') {
            if (depth-- == 0) {
                return at;
            }
        } else if (*at == ' ' && depth == 0 && separator[1] != ' ') {
            return at;
        }
    }
    return at;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the members of the list that begins at `start`. */
static void sort_members(char *start, const char *separator)
{
    char *member[512];
    size_t count = 0;
    char *at = start;

    for (;;) {
        char *end = member_end(at, separator);
        ck_assert_uint_lt(count, 512);
        member[count++] = strndup(at, (size_t)(end - at));
        if (strncmp(end, separator, strlen(separator)) != 0) {
            break;
        }
        at = end + strlen(separator);
    }
    qsort(member, count, sizeof *member, by_text);
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(member[i]);
        start = i == 0 ? start : (char *)memcpy(start, separator, strlen(separator)) +
                                     strlen(separator);
        memcpy(start, member[i], n);
        start += n;
        free(member[i]);
    }
}

static void sort_hashed(char *line)
{
    static const struct {
        const char *before, *separator;
    } lists[] = {
        {"HashMap(", ", "},
        {"HashSet(", ", "},
        {"partitions: Map(", ", "},
        {"TopicPartitions: ArrayBuffer(", ", "},
        {"partitionErrors=[", ", "},
        {"ineligible for deletion: ", ","},
        {"to be deleted: ", ","},
        {"(PREFERRED) for partitions ", ","},
    };

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (char *at = line; (at = strstr(at, lists[i].before)) != NULL;) {
            at += strlen(lists[i].before);
            sort_members(at, lists[i].separator);
        }
    }
}

static void cut_ports(char *line)
{
    static const char host[] = "127.0.0.1:";

    for (char *at = line; (at = strstr(at, host)) != NULL;) {
        at += strlen(host);
        size_t digits = strspn(at, "0123456789");
        if (digits > 0) {
            ck_assert_uint_eq(digits, 4); /* as long as PORT */
            memcpy(at, "PORT", 4);
        }
    }
}

/* "3 -> 417" becomes "3 -> 3#2" where 417 is the second epoch seen of broker 3. */
static char *name_epochs(const char *line)
{
    static long long seen[64][16];
    const char *at = strstr(line, "broker epochs cache: ");
    char *out = calloc(1, strlen(line) * 2 + 1);

    if (at == NULL) {
        if (strstr(line, "Starting") != NULL && strstr(line, "ControllerEventThread") != NULL) {
            memset(seen, 0, sizeof seen); /* another world */
        }
        return strcpy(out, line);
    }
    size_t done = (size_t)(strchr(at, '(') + 1 - line);
    memcpy(out, line, done);
    for (at = line + done; isdigit(*at);) {
        char *end;
        long id = strtol(at, &end, 10);
        long long epoch = strtoll(end + 4, &end, 10);
        int n = 0;
        while (seen[id][n] != 0 && seen[id][n] != epoch) {
            n++;
        }
        seen[id][n] = epoch;
        sprintf(out + strlen(out), "%ld -> %ld#%d", id, id, n + 1);
        at = end;
        if (*at == ',') {
            strcat(out, ", ");
            at += 2;
        }
    }
    return strcat(out, at);
}

static char *escaped(const char *text)
{
    char *out = malloc(strlen(text) * 2 + 1);
    char *to = out;

    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            *to++ = '\\';
            *to++ = 'n';
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return out;
}

static void put(struct lines *l, char *line)
{
    sort_hashed(line);
    l->line = realloc(l->line, (l->count + 1) * sizeof *l->line);
    l->line[l->count++] = line;
}

/* ---- both sides ---- */

static void read_recorded(const char *name, struct lines *steps, int *first)
{
    char path[512], *line = NULL;
    size_t size = 0;
    ssize_t n;

    snprintf(path, sizeof path, KC_SOURCE_DIR "/tests/golden/logs/%s.log", name);
    FILE *in = fopen(path, "r");
    ck_assert_msg(in != NULL, "cannot open %s", path);
    *first = 0;
    while ((n = getline(&line, &size, in)) > 0) {
        line[n - (line[n - 1] == '\n')] = '\0';
        char *rest = strchr(line, '\t') + 1;
        int step = atoi(line);
        *first = *first == 0 ? step : *first;
        ck_assert_int_lt(step, STEPS);
        put(&steps[step], strdup(rest));
    }
    free(line);
    fclose(in);
}

static void play(const char *name, struct lines *steps, int first)
{
    char path[512];
    struct sim_scn_error error;
    struct sim_trace *trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_scn_options options = {.trace = trace};
    struct sim_record r;
    int64_t last = -1;
    int step = first;

    snprintf(path, sizeof path, KC_SOURCE_DIR "/tests/golden/controller/%s/scenario.scn", name);
    ck_assert_msg(sim_scn_run(path, NULL, &options, &error), "%s:%u: %s", path, error.line,
                  error.text);
    for (uint64_t i = 1; i <= sim_trace_count(trace); i++) {
        ck_assert(sim_trace_get(trace, i, &r));
        if (r.kind != SIM_K_LOG) {
            continue;
        }
        step += last >= 0 && r.t - last > SILENCE_US;
        last = r.t;
        ck_assert_int_lt(step, STEPS);
        char *text = name_epochs(sim_record_text(&r, SIM_F_TEXT));
        char *flat = escaped(text);
        char *line = malloc(strlen(flat) + 200);
        sprintf(line, "%s\t%s\t%s", sim_record_text(&r, SIM_F_LEVEL), sim_log_logger(&r), flat);
        free(text);
        free(flat);
        cut_ports(line);
        put(&steps[step], line);
    }
    sim_trace_free(trace);
}

/* Prints what only one side has; returns how many lines that are. */
static size_t compare(const char *name, int step, struct lines *want, struct lines *got)
{
    size_t i = 0, j = 0, different = 0;

    if (want->count > 0) {
        qsort(want->line, want->count, sizeof *want->line, by_text);
    }
    if (got->count > 0) {
        qsort(got->line, got->count, sizeof *got->line, by_text);
    }
    while (i < want->count || j < got->count) {
        int order = i == want->count  ? 1
                    : j == got->count ? -1
                                      : strcmp(want->line[i], got->line[j]);
        if (order != 0) {
            fprintf(stderr, "%s step %02d %s %s\n", name, step, order < 0 ? "- " : "+ ",
                    order < 0 ? want->line[i] : got->line[j]);
            different++;
        }
        i += order <= 0;
        j += order >= 0;
    }
    if (getenv("KCSIM_COUNT") != NULL) {
        fprintf(stderr, "%s step %02d: %zu recorded, %zu simulated, %zu differ\n", name, step,
                want->count, got->count, different);
    }
    return different;
}

static void free_lines(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->line[i]);
    }
    free(l->line);
}

static void compare_scenario(const char *name)
{
    struct lines want[STEPS] = {0}, got[STEPS] = {0};
    size_t different = 0;
    int first;

    read_recorded(name, want, &first);
    play(name, got, first);
    for (int step = 0; step < STEPS; step++) {
        if (want[step].count + got[step].count > 0) {
            different += compare(name, step, &want[step], &got[step]);
        }
        free_lines(&want[step]);
        free_lines(&got[step]);
    }
    ck_assert_uint_eq(different, 0);
}

START_TEST(a_leader_and_a_follower_die)
{
    compare_scenario("02-broker-death-leader-follower");
}
END_TEST

START_TEST(failover_with_a_dead_broker)
{
    compare_scenario("07-failover-offline-broker");
}
END_TEST

START_TEST(reassignments_complete)
{
    compare_scenario("12-reassign-complete");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("logs");
    TCase *recorded = tcase_create("recorded");
    tcase_add_test(recorded, a_leader_and_a_follower_die);
    tcase_add_test(recorded, failover_with_a_dead_broker);
    tcase_add_test(recorded, reassignments_complete);
    tcase_set_timeout(recorded, 60);
    suite_add_tcase(suite, recorded);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
