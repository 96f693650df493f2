/*
 * What kcsim writes, it reads: the logs of simulated runs, imported again, give the moves of the
 * run.
 *
 * Method: scenarios are played with TRACE lines on; `kcsim logs` of each node goes into a file of
 * its own, as brokers have it; the import of these files has no unknown line, and as many moves as
 * the run, the same, in the same order for each controller. Left out: what a new controller puts
 * its machines at (`direct`), which no line tells of one by one.
 */
#define _POSIX_C_SOURCE 200809L

#include <check.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/diagnostics.h"
#include "sim/import.h"
#include "sim/logs.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/world.h"

enum { NODES_MAX = 8 };

static glob_t scenarios;

static struct sim_trace *play(const char *name)
{
    struct sim_diagnostics diagnostics;
    sim_diagnostics_init(&diagnostics);
    struct sim_scenario *scenario = sim_scenario_load(name, &diagnostics);
    ck_assert_msg(scenario != NULL, "%s cannot be read", name);
    sim_diagnostics_free(&diagnostics);
    struct sim_trace *trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world_options options = sim_world_options_default();
    options.trace = trace;
    options.notes = KC_NOTE_ALL; /* with TRACE */
    struct sim_world *world = sim_world_new(&options);
    sim_trace_meta_begin(trace, 1, "2.8");
    sim_trace_end(trace);
    sim_world_load(world, scenario);
    ck_assert(sim_world_run(world, 60000000));
    sim_trace_finish(trace, sim_world_now(world), "met");
    sim_world_free(world);
    sim_scenario_free(scenario);
    return trace;
}

/* One move in words; false where the record is none that a line tells of. */
static bool move_text(const struct sim_record *r, char *out, size_t capacity)
{
    if (r->kind != SIM_K_MOVE || sim_record_int(r, SIM_F_DIRECT, 0) != 0)
        return false;
    snprintf(out, capacity, "%s %s %" PRId64 " %s -> %s ok %" PRId64,
             sim_record_text(r, SIM_F_MACHINE), sim_record_text(r, SIM_F_PARTITION),
             sim_record_int(r, SIM_F_REPLICA, -1), sim_record_text(r, SIM_F_FROM),
             sim_record_text(r, SIM_F_TO), sim_record_int(r, SIM_F_OK, -1));
    return true;
}

/* All moves of controller `node`, one a line; owned. */
static char *moves_of(const struct sim_trace *trace, int32_t node, size_t *count)
{
    char *text = NULL, line[600];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct sim_record r;
    *count = 0;
    for (uint64_t n = 1; n <= sim_trace_count(trace); n++) {
        ck_assert(sim_trace_get(trace, n, &r));
        if (r.at != SIM_LANE_CONTROLLER(node) || !move_text(&r, line, sizeof(line)))
            continue;
        fprintf(out, "%s\n", line);
        ++*count;
    }
    fclose(out);
    return text;
}

static void first_difference(const char *scenario, int32_t node, const char *a, const char *b)
{
    uint32_t line = 1;
    while (*a != '\0' || *b != '\0') {
        size_t x = strcspn(a, "\n"), y = strcspn(b, "\n");
        if (x != y || memcmp(a, b, x) != 0)
            ck_abort_msg("%s, controller %d, move %u: played\n  %.*s\nimported\n  %.*s", scenario,
                         node, line, (int)x, a, (int)y, b);
        a += x + (a[x] == '\n');
        b += y + (b[y] == '\n');
        line++;
    }
}

static bool is_old(char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(texts[i], "] INFO [Controller 1]: ") != NULL ||
            strstr(texts[i], "] INFO [Controller 2]: ") != NULL)
            return true;
    return false;
}

static void check_each(const char *scenario, const char *played, const char *imported)
{
    char line[600];
    for (const char *at = imported; *at != '\0'; at += strcspn(at, "\n") + 1) {
        snprintf(line, sizeof(line), "%.*s\n", (int)strcspn(at, "\n"), at);
        ck_assert_msg(strstr(played, line) != NULL, "%s: never played: %s", scenario, line);
    }
}

/* Plays, writes, reads, compares. Returns how many moves there were. */
static size_t compare(const char *scenario)
{
    struct sim_trace *played = play(scenario);
    struct sim_import_input inputs[NODES_MAX];
    char *texts[NODES_MAX], names[NODES_MAX][24], error[400];
    size_t count = 0, all = 0;
    static struct sim_import_report report;
    for (int32_t node = 1; node < NODES_MAX; node++) {
        size_t size;
        texts[count] = NULL;
        FILE *out = open_memstream(&texts[count], &size);
        uint64_t lines =
            sim_logs_print(out, played,
                           &(struct sim_log_options){
                               .streams = SIM_LOG_CONTROLLER | SIM_LOG_STATE_CHANGE, .node = node});
        fclose(out);
        if (lines == 0) {
            free(texts[count]);
            continue;
        }
        snprintf(names[count], sizeof(names[count]), "node-%d", node);
        inputs[count] = (struct sim_import_input){names[count], texts[count], size};
        count++;
    }
    struct sim_trace *imported =
        sim_import(inputs, count, &(struct sim_import_options){0}, &report, error, sizeof(error));
    ck_assert_msg(imported != NULL, "%s: %s", scenario, error);
    if (report.unknown > 0) {
        const char *text = texts[report.unknown_at[0].input];
        for (uint32_t line = 1; line < report.unknown_at[0].line; line++)
            text = strchr(text, '\n') + 1;
        ck_abort_msg("%s: unknown: %.*s", scenario, (int)strcspn(text, "\n"), text);
    }
    for (int32_t node = 1; node < NODES_MAX; node++) {
        size_t a, b;
        char *before = moves_of(played, node, &a), *after = moves_of(imported, node, &b);
        if (is_old(texts, count))
            check_each(scenario, before, after);
        else
            first_difference(scenario, node, before, after);
        all += a;
        free(before);
        free(after);
    }
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    sim_trace_free(imported);
    sim_trace_free(played);
    return all;
}

/* A comparison of nothing would hold, too. */
START_TEST(there_are_moves)
{
    ck_assert_uint_gt(compare(KC_SOURCE_DIR "/scenarios/basics/g12-a-topic-is-deleted.yaml"), 10);
}
END_TEST

START_TEST(moves_come_back)
{
    compare(scenarios.gl_pathv[_i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("import: round trip");
    TCase *tc = tcase_create("scenarios");
    static const char *const folders[] = {"basics", "deletion", "incidents", "kafka", "zookeeper"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char pattern[400];
        snprintf(pattern, sizeof(pattern), KC_SOURCE_DIR "/scenarios/%s/*.yaml", folders[i]);
        glob(pattern, i > 0 ? GLOB_APPEND : 0, NULL, &scenarios);
    }
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, there_are_moves);
    tcase_add_loop_test(tc, moves_come_back, 0, (int)scenarios.gl_pathc);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    globfree(&scenarios);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
