/*
 * Exports of a run under random faults: a database that gives back every record and every fact,
 * JSON whose arrows all have two ends, vector clocks that are those of the causes.
 */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <sqlite3.h>

#include "sim/diagnostics.h"
#include "sim/export.h"
#include "sim/facts.h"
#include "sim/narrate.h"
#include "sim/scenario.h"
#include "sim/world.h"

static struct sim_trace *trace;

static void play(void)
{
    struct sim_diagnostics diagnostics;
    sim_diagnostics_init(&diagnostics);
    struct sim_scenario *scenario =
        sim_scenario_load(KC_SOURCE_DIR "/tests/determinism/random-faults.yaml", &diagnostics);
    ck_assert_ptr_nonnull(scenario);
    sim_diagnostics_free(&diagnostics);
    trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world_options options = sim_world_options_default();
    options.seed = 7;
    options.trace = trace;
    struct sim_world *world = sim_world_new(&options);
    sim_trace_meta_begin(trace, options.seed, "2.8");
    sim_trace_end(trace);
    sim_world_load(world, scenario);
    ck_assert(sim_world_run(world, scenario->until_us));
    sim_trace_finish(trace, sim_world_now(world), "met");
    sim_world_free(world);
    sim_scenario_free(scenario);
}

static void forget(void)
{
    sim_trace_free(trace);
}

/* ---- SQLite ---- */

static sqlite3 *database(char *file)
{
    char error[256] = "";
    sqlite3 *db;
    const int fd = mkstemp(file);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_msg(sim_export_sqlite(file, trace, error, sizeof(error)), "%s", error);
    ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
    return db;
}

static sqlite3_stmt *ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *rows;
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &rows, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    return rows;
}

START_TEST(every_record_is_a_row)
{
    char file[] = "/tmp/kcsim-export-XXXXXX", sentence[1024], lane[SIM_LANE_TEXT];
    sqlite3 *db = database(file);
    sqlite3_stmt *rows =
        ask(db, "SELECT n, t_us, lane, kind, coalesce(cause, 0), coalesce(mute, 0), sentence,"
                " json_valid(fields) FROM record ORDER BY n");
    struct sim_record r;
    uint64_t n = 0;
    while (sqlite3_step(rows) == SQLITE_ROW) {
        ck_assert(sim_trace_get(trace, ++n, &r));
        ck_assert_int_eq(sqlite3_column_int64(rows, 0), (int64_t)n);
        ck_assert_int_eq(sqlite3_column_int64(rows, 1), r.t);
        ck_assert_str_eq((const char *)sqlite3_column_text(rows, 2), sim_lane_text(lane, r.at));
        ck_assert_str_eq((const char *)sqlite3_column_text(rows, 3), sim_kind_name(r.kind));
        ck_assert_int_eq(sqlite3_column_int64(rows, 4), (int64_t)r.by);
        ck_assert_int_eq(sqlite3_column_int64(rows, 5), (int64_t)r.mute);
        sim_narrate(&r, sentence, sizeof(sentence));
        ck_assert_str_eq((const char *)sqlite3_column_text(rows, 6), sentence);
        ck_assert_int_eq(sqlite3_column_int(rows, 7), 1);
    }
    ck_assert_uint_eq(n, sim_trace_count(trace));
    sqlite3_finalize(rows);
    sqlite3_close(db);
    unlink(file);
}
END_TEST

START_TEST(the_last_value_of_every_fact_is_there)
{
    char file[] = "/tmp/kcsim-export-XXXXXX";
    sqlite3 *db = database(file);
    struct sim_facts *facts = sim_facts_new(trace);
    sqlite3_stmt *rows = ask(db, "SELECT key, value, max(n) FROM fact GROUP BY key");
    size_t count = 0;
    while (sqlite3_step(rows) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(rows, 0);
        const char *value = (const char *)sqlite3_column_text(rows, 1);
        struct sim_fact fact;
        char *json = NULL;
        size_t size;
        ck_assert_msg(sim_facts_get(facts, key, UINT64_MAX, &fact), "%s", key);
        FILE *out = open_memstream(&json, &size);
        sim_value_print(out, &fact.value);
        fclose(out);
        ck_assert_str_eq(value == NULL ? "null" : value, json);
        free(json);
        count++;
    }
    ck_assert_uint_eq(count, sim_facts_count(facts));
    sqlite3_finalize(rows);
    sim_facts_free(facts);
    sqlite3_close(db);
    unlink(file);
}
END_TEST

START_TEST(every_view_can_be_read)
{
    char file[] = "/tmp/kcsim-export-XXXXXX", sql[128];
    sqlite3 *db = database(file);
    sqlite3_stmt *views = ask(db, "SELECT name FROM sqlite_schema WHERE type = 'view'");
    int count = 0;
    for (; sqlite3_step(views) == SQLITE_ROW; count++) {
        const char *name = (const char *)sqlite3_column_text(views, 0);
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", name);
        sqlite3_stmt *rows = ask(db, sql);
        ck_assert_int_eq(sqlite3_step(rows), SQLITE_ROW);
        if (strcmp(name, "check_made") != 0)
            ck_assert_msg(sqlite3_column_int(rows, 0) > 0, "%s is empty", name);
        sqlite3_finalize(rows);
    }
    ck_assert_int_eq(count, 7);
    sqlite3_finalize(views);
    sqlite3_close(db);
    unlink(file);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_named)
{
    char error[256] = "";
    ck_assert(!sim_export_sqlite("/nowhere/t.db", trace, error, sizeof(error)));
    ck_assert_ptr_nonnull(strstr(error, "/nowhere/t.db"));
}
END_TEST

/* ---- Trace Event JSON ---- */

START_TEST(every_arrow_has_two_ends)
{
    char *text = NULL;
    size_t size, i;
    json_error_t error;
    FILE *out = open_memstream(&text, &size);
    sim_export_chrome(out, trace);
    fclose(out);
    json_t *root = json_loadb(text, size, 0, &error), *event;
    ck_assert_msg(root != NULL, "line %d: %s", error.line, error.text);
    bool *begun = calloc(sim_trace_count(trace) + 1, sizeof(*begun));
    uint64_t ends = 0, slices = 0;
    json_array_foreach(json_object_get(root, "traceEvents"), i, event)
    {
        const char *phase = json_string_value(json_object_get(event, "ph"));
        const json_int_t id = json_integer_value(json_object_get(event, "id"));
        ck_assert_ptr_nonnull(phase);
        ck_assert_int_ge(json_integer_value(json_object_get(event, "ts")), 0);
        if (*phase == 's')
            begun[id] = true;
        ends += *phase == 'f';
        ck_assert(*phase != 'f' || begun[id]);
        slices += *phase == 'X';
    }
    ck_assert_uint_gt(ends, 0);
    ck_assert_uint_gt(slices, ends);
    free(begun);
    json_decref(root);
    free(text);
}
END_TEST

/* ---- vector clocks ---- */

/* The clock that a line of the log shows; owned. *n: the record behind it. */
static json_t *clock_of(char **at, uint64_t *n, char lane[SIM_LANE_TEXT])
{
    char *brace = strchr(*at, '{'), *end = strchr(*at, '\n');
    json_error_t error;
    if (brace == NULL || end == NULL)
        return NULL;
    snprintf(lane, SIM_LANE_TEXT, "%.*s", (int)(brace - 1 - *at), *at);
    json_t *clock = json_loadb(brace, (size_t)(end - brace), 0, &error);
    ck_assert_msg(clock != NULL, "%s", error.text);
    ck_assert_int_eq(end[1], '#');
    *n = strtoull(end + 2, NULL, 10);
    *at = strchr(end + 1, '\n') + 1;
    return clock;
}

static void check_dominates(json_t *later, json_t *earlier)
{
    const char *lane;
    json_t *count;
    json_object_foreach(earlier, lane, count) ck_assert_int_ge(
        json_integer_value(json_object_get(later, lane)), json_integer_value(count));
}

START_TEST(clocks_follow_causes)
{
    char *text = NULL, *at, lane[SIM_LANE_TEXT];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    sim_export_shiviz(out, trace);
    fclose(out);
    const uint64_t count = sim_trace_count(trace);
    json_t **clock = calloc(count + 1, sizeof(json_t *)), *own = json_object();
    uint64_t n, shown = 0;
    at = text;
    for (json_t *c; (c = clock_of(&at, &n, lane)) != NULL; shown++) {
        struct sim_record r;
        ck_assert(n <= count && sim_trace_get(trace, n, &r));
        clock[n] = c;
        const json_int_t mine = json_integer_value(json_object_get(c, lane));
        ck_assert_int_eq(mine, json_integer_value(json_object_get(own, lane)) + 1);
        json_object_set_new(own, lane, json_integer(mine));
        check_dominates(c, clock[r.by]);
        check_dominates(c, clock[r.mute]);
    }
    ck_assert_uint_gt(shown, count / 2);
    for (uint64_t i = 0; i <= count; i++)
        json_decref(clock[i]);
    free(clock);
    json_decref(own);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("export");
    TCase *tests = tcase_create("a run under random faults");
    tcase_set_timeout(tests, 120);
    tcase_add_unchecked_fixture(tests, play, forget);
    tcase_add_test(tests, every_record_is_a_row);
    tcase_add_test(tests, the_last_value_of_every_fact_is_there);
    tcase_add_test(tests, every_view_can_be_read);
    tcase_add_test(tests, a_file_that_cannot_be_written_is_named);
    tcase_add_test(tests, every_arrow_has_two_ends);
    tcase_add_test(tests, clocks_follow_causes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
