/*
 * Log wording: what the controller logs in the simulator is what Apache Kafka 2.8.2's logged in the
 * same scenario, as a multiset of lines for each step (tests/golden/logs/README.md).
 *
 * A step begins where a `wait` has ended, that is, after a second and more without anything to log.
 * Made equal on both sides: what differs from run to run (addresses, czxids), and the order inside
 * HashMap(…), HashSet(…) and lists of partitions, which is that of Scala's hash tries.
 *
 * With an argument it writes all lines that differ into that file and fails not.
 */
#define _POSIX_C_SOURCE 200809L

#include <assert.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sim/logs.h"
#include "sim/scn.h"
#include "sim/trace.h"
#include "sim/world.h"

enum { LINES_MAX = 4096, SILENCE_US = 1000000, STEP_TEXT = 8 };

struct line {
    char step[STEP_TEXT];
    char *text; /* LEVEL TAB LOGGER TAB message, made equal; owned */
    bool paired;
};

struct lines {
    struct line at[LINES_MAX];
    size_t count;
};

/* A run by sim_scn_run asks for no TRACE lines; the linker puts this in between (--wrap). */
struct sim_world_options __real_sim_world_options_default(void);
struct sim_world_options __wrap_sim_world_options_default(void);
struct sim_world_options __wrap_sim_world_options_default(void)
{
    struct sim_world_options options = __real_sim_world_options_default();
    options.notes = KC_NOTE_ALL;
    return options;
}

/* ---- making equal ---- */

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The end of the list that begins at `at`: the bracket that closes it, or NULL. */
static char *list_end(char *at)
{
    int depth = 0;
    for (; *at != '\0'; at++) {
        depth += (*at == '(' || *at == '[') - (*at == ')' || *at == ']');
        if (depth < 0)
            return at;
    }
    return NULL;
}

/* Sorts what stands between `at` and `end`, cut at commas that are in no brackets. */
static void sort_list(char *at, char *end)
{
    char *items[512], *copy = strndup(at, (size_t)(end - at)), *item = copy;
    size_t count = 0;
    int depth = 0;
    for (char *c = copy;; c++) {
        depth += (*c == '(' || *c == '[') - (*c == ')' || *c == ']');
        bool last = *c == '\0';
        if (!last && (*c != ',' || depth > 0))
            continue;
        *c = '\0';
        assert(count < 512);
        items[count++] = item + strspn(item, " ");
        item = c + 1;
        if (last)
            break;
    }
    qsort(items, count, sizeof(items[0]), compare_text);
    char *out = at;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *out++ = ',';
        memcpy(out, items[i], strlen(items[i]));
        out += strlen(items[i]);
    }
    /* Blanks behind commas are gone: fill up, so that the length stays. */
    while (out < end)
        *out++ = ' ';
    free(copy);
}

/* Replaces each match of `word` followed by a bracketed list by the list in order. */
static void sort_lists(char *text, const char *word)
{
    for (char *at = text; (at = strstr(at, word)) != NULL;) {
        at += strlen(word);
        char *end = list_end(at);
        if (end == NULL)
            return;
        sort_list(at, end);
    }
}

/* Drops blanks at the end of lists, which sort_list leaves. */
static void squeeze(char *text)
{
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        const char *next = at + strspn(at, " ");
        if (*at == ' ' && (*next == ')' || *next == ']'))
            continue;
        *out++ = *at;
    }
    *out = '\0';
}

/* Addresses: "HOST:PORT (id: 1 rack: null)" becomes "ADDRESS (id: 1 rack: null)". */
static void hide_addresses(char *text)
{
    for (char *at = text; (at = strstr(at, " (id: ")) != NULL; at += 5) {
        char *begin = at;
        while (begin > text && begin[-1] != ' ')
            begin--;
        if (memchr(begin, ':', (size_t)(at - begin)) == NULL)
            continue;
        memmove(begin + 1, at, strlen(at) + 1);
        *begin = '@';
        at = begin;
    }
}

/* Czxids of registrations, per broker in the order in which lines named them: the golden file has
   "3 -> 3#2" for the second of broker 3. */
struct epochs {
    struct {
        int broker;
        long long czxid;
        int number;
    } at[64];
    size_t count;
};

static int number_of(struct epochs *e, int broker, long long czxid)
{
    int number = 1;
    for (size_t i = 0; i < e->count; i++) {
        if (e->at[i].broker != broker)
            continue;
        if (e->at[i].czxid == czxid)
            return e->at[i].number;
        number = e->at[i].number + 1;
    }
    assert(e->count < 64);
    e->at[e->count].broker = broker;
    e->at[e->count].czxid = czxid;
    e->at[e->count++].number = number;
    return number;
}

/* Writes `message` with "3 -> 27" as "3 -> 3#1" where it is about the broker epochs cache. */
static char *number_epochs(struct epochs *e, const char *message)
{
    char *out = calloc(1, strlen(message) * 2 + 64), *to = out;
    bool about = e != NULL && strstr(message, "broker epochs cache") != NULL;
    for (const char *at = message; *at != '\0';) {
        int broker, used = 0;
        long long czxid;
        bool begins = at == message || at[-1] < '0' || at[-1] > '9';
        if (about && begins && sscanf(at, "%d -> %lld%n", &broker, &czxid, &used) == 2 &&
            used > 0) {
            to += sprintf(to, "%d -> %d#%d", broker, broker, number_of(e, broker, czxid));
            at += used;
        } else {
            *to++ = *at++;
        }
    }
    return out;
}

static char *make_equal(struct epochs *epochs, const char *level, const char *logger,
                        const char *text_logged)
{
    char *message = number_epochs(epochs, text_logged);
    size_t size = strlen(level) + strlen(logger) + strlen(message) * 2 + 16;
    char *text = calloc(1, size), *out = text;
    out += sprintf(out, "%s\t%s\t", level, logger);
    for (const char *at = message; *at != '\0'; at++) {
        if (*at == '\n')
            out += sprintf(out, "\\n");
        else
            *out++ = *at;
    }
    free(message);
    hide_addresses(text);
    static const char *const unordered[] = {"Set(", "Map(", "partitionErrors=["};
    for (size_t i = 0; i < sizeof(unordered) / sizeof(unordered[0]); i++)
        sort_lists(text, unordered[i]);
    squeeze(text);
    return text;
}

/* ---- both sides ---- */

static void put(struct lines *l, const char *step, char *text)
{
    assert(l->count < LINES_MAX);
    struct line *line = &l->at[l->count++];
    snprintf(line->step, sizeof(line->step), "%s", step);
    line->text = text;
    line->paired = false;
}

static void read_golden(const char *name, struct lines *l)
{
    char path[512], *line = NULL;
    size_t capacity = 0;
    snprintf(path, sizeof(path), "%s/tests/golden/logs/%s.log", KC_SOURCE_DIR, name);
    FILE *in = fopen(path, "r");
    assert(in != NULL);
    while (getline(&line, &capacity, in) > 0) {
        char *save = NULL;
        line[strcspn(line, "\n")] = '\0';
        char *step = strtok_r(line, "\t", &save), *level = strtok_r(NULL, "\t", &save);
        char *logger = strtok_r(NULL, "\t", &save);
        assert(logger != NULL);
        put(l, step, make_equal(NULL, level, logger, save));
    }
    free(line);
    fclose(in);
}

/* Steps are numbered as the golden file numbers them: the k-th group of lines is its k-th step. */
static const char *step_name(const struct lines *golden, size_t group)
{
    size_t seen = 0;
    const char *last = "";
    for (size_t i = 0; i < golden->count; i++) {
        if (strcmp(golden->at[i].step, last) == 0)
            continue;
        last = golden->at[i].step;
        if (seen++ == group)
            return last;
    }
    return "more";
}

static void read_run(const char *name, const struct lines *golden, struct lines *l)
{
    char path[512];
    struct sim_scn_error error = {0};
    struct sim_record r;
    struct epochs epochs = {0};
    size_t group = 0;
    int64_t last = -1;
    struct sim_trace *trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    snprintf(path, sizeof(path), "%s/tests/golden/controller/%s/scenario.scn", KC_SOURCE_DIR, name);
    bool ok = sim_scn_run(path, NULL, &(struct sim_scn_options){.trace = trace}, &error);
    if (!ok)
        fprintf(stderr, "%s:%u: %s\n", path, error.line, error.text);
    assert(ok);
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++) {
        if (r.kind != SIM_K_LOG)
            continue;
        group += last >= 0 && r.t - last > SILENCE_US;
        last = r.t;
        put(l, step_name(golden, group),
            make_equal(&epochs, sim_record_text(&r, SIM_F_LEVEL), sim_log_logger(&r),
                       sim_record_text(&r, SIM_F_TEXT)));
    }
    sim_trace_free(trace);
}

/* ---- comparing ---- */

static void pair(struct lines *a, struct lines *b)
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count && !a->at[i].paired; k++)
            if (!b->at[k].paired && strcmp(a->at[i].step, b->at[k].step) == 0 &&
                strcmp(a->at[i].text, b->at[k].text) == 0)
                a->at[i].paired = b->at[k].paired = true;
}

static size_t print_unpaired(FILE *out, const struct lines *l, const char *sign)
{
    size_t count = 0;
    for (size_t i = 0; i < l->count; i++)
        if (!l->at[i].paired) {
            fprintf(out, "%s %s\t%s\n", sign, l->at[i].step, l->at[i].text);
            count++;
        }
    return count;
}

static void free_lines(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->at[i].text);
    free(l);
}

/* Prints "- STEP line" for what only Kafka logged, "+ STEP line" for what only we did; returns how
   many. */
static size_t compare(const char *name, FILE *out)
{
    struct lines *golden = calloc(1, sizeof(*golden)), *ours = calloc(1, sizeof(*ours));
    read_golden(name, golden);
    read_run(name, golden, ours);
    pair(golden, ours);
    fprintf(out, "=== %s: Kafka %zu lines, ours %zu\n", name, golden->count, ours->count);
    size_t count = print_unpaired(out, golden, "-") + print_unpaired(out, ours, "+");
    free_lines(golden);
    free_lines(ours);
    return count;
}

static const char *const names[] = {"02-broker-death-leader-follower", "07-failover-offline-broker",
                                    "12-reassign-complete"};

START_TEST(lines_are_those_of_kafka)
{
    ck_assert_uint_eq(compare(names[_i], stdout), 0);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1) {
        FILE *out = fopen(argv[1], "w");
        if (out == NULL)
            return 1;
        for (size_t i = 0; i < 3; i++)
            fprintf(out, "=== %zu differ\n", compare(names[i], out));
        return fclose(out) == 0 ? 0 : 1;
    }
    Suite *suite = suite_create("logs");
    TCase *tc = tcase_create("logs");
    tcase_add_loop_test(tc, lines_are_those_of_kafka, 0, 3);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
