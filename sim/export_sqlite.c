/*
 * SQLite: two tables that hold the trace as it is, and views that are the questions people ask.
 *
 *     record ─── n ──► fact          what a record changed
 *        └────── n ──► ref           what a decision read
 *     message, move, election, fault, partition_state …: views over these
 *
 * Values and fields are JSON texts, so SQLite's json_extract and ->> reach into them. Everything is
 * written in one transaction without a journal: a file is either whole or removed.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "sim/allocate.h"
#include "sim/narrate.h"

static const char tables[] =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 8192;"
    "BEGIN;"
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
    "CREATE TABLE lane (lane TEXT PRIMARY KEY, what TEXT NOT NULL, node INTEGER) WITHOUT ROWID;"
    "CREATE TABLE record (n INTEGER PRIMARY KEY, t_us INTEGER NOT NULL, lane TEXT NOT NULL,"
    " kind TEXT NOT NULL, cause INTEGER, mute INTEGER, sentence TEXT NOT NULL,"
    " fields TEXT NOT NULL);"
    "CREATE TABLE fact (n INTEGER NOT NULL, key TEXT NOT NULL, value TEXT,"
    " PRIMARY KEY (key, n)) WITHOUT ROWID;"
    "CREATE TABLE ref (n INTEGER NOT NULL, refers_to INTEGER NOT NULL,"
    " PRIMARY KEY (n, refers_to)) WITHOUT ROWID;";

static const char views[] =
    "CREATE INDEX record_kind ON record (kind, n);"
    "CREATE INDEX record_cause ON record (cause);"
    "CREATE INDEX fact_record ON fact (n);"

    "CREATE VIEW fault AS SELECT n, t_us, fields ->> 'verb' AS verb, fields ->> 'target' AS target,"
    " fields -> 'hit' AS hit FROM record WHERE kind = 'fault';"

    "CREATE VIEW move AS SELECT n, t_us, lane, fields ->> 'machine' AS machine,"
    " fields ->> 'partition' AS partition, fields ->> 'replica' AS replica,"
    " fields ->> 'from' AS old_state, fields ->> 'to' AS new_state,"
    " coalesce(fields ->> 'ok', 1) AS ok FROM record WHERE kind = 'move';"

    "CREATE VIEW election AS SELECT n, t_us, lane, fields ->> 'partition' AS partition,"
    " fields ->> 'rule' AS rule, fields ->> 'chosen' AS chosen, fields -> 'isr' AS isr,"
    " fields ->> 'epoch' AS epoch, coalesce(fields ->> 'unclean', 0) AS unclean,"
    " coalesce(fields ->> 'ok', 1) AS ok FROM record WHERE kind = 'decide';"

    "CREATE VIEW message AS SELECT s.n AS sent, s.t_us AS sent_us, s.lane AS sender,"
    " s.fields ->> 'to' AS receiver, s.fields ->> 'api' AS api,"
    " (s.fields ->> 're') IS NOT NULL AS is_answer, r.n AS received, r.t_us AS received_us,"
    " d.n AS lost, d.fields ->> 'why' AS why_lost"
    " FROM record s LEFT JOIN record r ON r.cause = s.n AND r.kind = 'recv'"
    " LEFT JOIN record d ON d.cause = s.n AND d.kind = 'drop' WHERE s.kind = 'send';"

    "CREATE VIEW zookeeper_write AS SELECT n, t_us, fields ->> 'frm' AS writer,"
    " fields ->> 'op' AS op, fields ->> 'path' AS path, coalesce(fields ->> 'ok', 1) AS ok,"
    " fields ->> 'code' AS code FROM record"
    " WHERE kind = 'zap' AND fields ->> 'op' IN ('create', 'setData', 'delete', 'multi');"

    "CREATE VIEW partition_state AS SELECT f.n, r.t_us,"
    " substr(f.key, 20, instr(substr(f.key, 20), '/') - 1) AS topic,"
    " CAST(substr(f.key, instr(f.key, '/partitions/') + 12) AS INTEGER) AS partition,"
    " f.value ->> '$.data' ->> 'leader' AS leader, f.value ->> '$.data' ->> 'leader_epoch' AS "
    "epoch,"
    " f.value ->> '$.data' -> 'isr' AS isr,"
    " f.value ->> '$.data' ->> 'controller_epoch' AS controller_epoch,"
    " f.value ->> 'version' AS zk_version FROM fact f JOIN record r USING (n)"
    " WHERE f.key GLOB 'zn:/brokers/topics/*/partitions/*/state'"
    " AND json_valid(f.value ->> '$.data');"

    "CREATE VIEW check_made AS SELECT n, t_us, fields ->> 'name' AS name,"
    " coalesce(fields ->> 'ok', 1) AS ok, fields ->> 'defect' AS defect"
    " FROM record WHERE kind = 'check';"

    "COMMIT;";

enum { RECORD, FACT, REF, META, LANE, STATEMENTS };
static const char *const inserts[STATEMENTS] = {
    [RECORD] = "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    [FACT] = "INSERT OR REPLACE INTO fact VALUES (?, ?, ?)",
    [REF] = "INSERT OR IGNORE INTO ref VALUES (?, ?)",
    [META] = "INSERT OR REPLACE INTO meta VALUES (?, ?)",
    [LANE] = "INSERT OR IGNORE INTO lane VALUES (?, ?, ?)",
};

struct writer {
    sqlite3 *db;
    sqlite3_stmt *insert[STATEMENTS];
    FILE *text; /* over json: values printed as JSON */
    char *json;
    size_t json_size;
    sim_lane last_lane; /* most records share the lane of the one before */
};

static bool step(struct writer *w, int which)
{
    const bool done = sqlite3_step(w->insert[which]) == SQLITE_DONE;
    sqlite3_reset(w->insert[which]);
    return done;
}

static void bind_text(struct writer *w, int which, int at, const char *text)
{
    sqlite3_bind_text(w->insert[which], at, text, -1, SQLITE_TRANSIENT);
}

/* Binds what print has written into w->text since it was rewound. */
static void bind_json(struct writer *w, int which, int at)
{
    fflush(w->text);
    const long end = ftell(w->text);
    sqlite3_bind_text(w->insert[which], at, w->json, (int)end, SQLITE_TRANSIENT);
    rewind(w->text);
}

static bool put_facts(struct writer *w, const struct sim_record *r)
{
    struct sim_walk walk = {0};
    struct sim_value value;
    const char *key;
    while (sim_record_next_set(r, &walk, &key, &value)) {
        sqlite3_bind_int64(w->insert[FACT], 1, (sqlite3_int64)r->n);
        bind_text(w, FACT, 2, key);
        if (value.type == SIM_V_NULL) {
            sqlite3_bind_null(w->insert[FACT], 3);
        } else {
            sim_value_print(w->text, &value);
            bind_json(w, FACT, 3);
        }
        if (!step(w, FACT))
            return false;
    }
    return true;
}

static bool put_refs(struct writer *w, const struct sim_record *r)
{
    struct sim_value list, item;
    struct sim_walk walk = {0};
    if (!sim_record_get(r, SIM_F_REFS, &list))
        return true;
    while (sim_list_next(&list, &walk, &item)) {
        sqlite3_bind_int64(w->insert[REF], 1, (sqlite3_int64)r->n);
        sqlite3_bind_int64(w->insert[REF], 2, item.number);
        if (!step(w, REF))
            return false;
    }
    return true;
}

/* The fields of the record's kind as one object; facts and references have tables of their own. */
static void print_fields(struct writer *w, const struct sim_record *r)
{
    struct sim_walk walk = {0};
    enum sim_field field;
    struct sim_value value;
    char separator = '{';
    while (sim_record_next(r, &walk, &field, &value)) {
        if (field == SIM_F_SET || field == SIM_F_REFS)
            continue;
        fprintf(w->text, "%c\"%s\":", separator, sim_field_name(field));
        sim_value_print(w->text, &value);
        separator = ',';
    }
    fputs(separator == '{' ? "{}" : "}", w->text);
}

static bool put_lane(struct writer *w, sim_lane lane)
{
    static const struct {
        char letter;
        const char *what;
    } rows[] = {{'z', "ZooKeeper"}, {'c', "controller"}, {'b', "broker"},   {'o', "operator"},
                {'w', "scenario"},  {'p', "producer"},   {'u', "consumer"}, {'a', "admin"}};
    char name[SIM_LANE_TEXT];
    const char *what = "process";
    if (lane == w->last_lane)
        return true;
    w->last_lane = lane;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].letter == sim_lane_letter(lane))
            what = rows[i].what;
    bind_text(w, LANE, 1, sim_lane_text(name, lane));
    bind_text(w, LANE, 2, what);
    if (sim_lane_letter(lane) == 'c' || sim_lane_letter(lane) == 'b')
        sqlite3_bind_int(w->insert[LANE], 3, sim_lane_id(lane));
    else
        sqlite3_bind_null(w->insert[LANE], 3);
    return step(w, LANE);
}

static void bind_cause(struct writer *w, int at, uint64_t n)
{
    if (n == 0)
        sqlite3_bind_null(w->insert[RECORD], at);
    else
        sqlite3_bind_int64(w->insert[RECORD], at, (sqlite3_int64)n);
}

static bool put_record(struct writer *w, const struct sim_record *r)
{
    char sentence[1024], lane[SIM_LANE_TEXT];
    sim_narrate(r, sentence, sizeof(sentence));
    sqlite3_bind_int64(w->insert[RECORD], 1, (sqlite3_int64)r->n);
    sqlite3_bind_int64(w->insert[RECORD], 2, r->t);
    bind_text(w, RECORD, 3, sim_lane_text(lane, r->at));
    bind_text(w, RECORD, 4, sim_kind_name(r->kind));
    bind_cause(w, 5, r->by);
    bind_cause(w, 6, r->mute);
    bind_text(w, RECORD, 7, sentence);
    print_fields(w, r);
    bind_json(w, RECORD, 8);
    return step(w, RECORD) && put_lane(w, r->at) && put_facts(w, r) && put_refs(w, r);
}

/* What meta and finish say of the whole run. */
static bool put_meta(struct writer *w, const struct sim_record *r)
{
    struct sim_walk walk = {0};
    enum sim_field field;
    struct sim_value value;
    while (sim_record_next(r, &walk, &field, &value)) {
        if (value.type != SIM_V_TEXT && value.type != SIM_V_INT)
            continue;
        bind_text(w, META, 1, sim_field_name(field));
        if (value.type == SIM_V_TEXT)
            bind_text(w, META, 2, value.text);
        else
            sqlite3_bind_int64(w->insert[META], 2, value.number);
        if (!step(w, META))
            return false;
    }
    return true;
}

static bool put_all(struct writer *w, const struct sim_trace *trace)
{
    struct sim_record r;
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v2(w->db, inserts[i], -1, &w->insert[i], NULL) != SQLITE_OK)
            return false;
    for (uint64_t n = 1; sim_trace_get(trace, n, &r); n++) {
        if (!put_record(w, &r))
            return false;
        if ((r.kind == SIM_K_META || r.kind == SIM_K_FINISH) && !put_meta(w, &r))
            return false;
    }
    return true;
}

bool sim_export_sqlite(const char *file, const struct sim_trace *trace, char *error,
                       size_t error_size)
{
    struct writer w = {0};
    if (unlink(file) != 0 && errno != ENOENT) {
        snprintf(error, error_size, "%s: %s", file, strerror(errno));
        return false;
    }
    w.text = open_memstream(&w.json, &w.json_size);
    bool ok = w.text != NULL && sqlite3_open(file, &w.db) == SQLITE_OK &&
              sqlite3_exec(w.db, tables, NULL, NULL, NULL) == SQLITE_OK && put_all(&w, trace) &&
              sqlite3_exec(w.db, views, NULL, NULL, NULL) == SQLITE_OK;
    if (!ok)
        snprintf(error, error_size, "%s: %s", file,
                 w.db != NULL ? sqlite3_errmsg(w.db) : "out of memory");
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(w.insert[i]);
    sqlite3_close(w.db);
    if (w.text != NULL)
        fclose(w.text);
    free(w.json);
    if (!ok)
        unlink(file);
    return ok;
}
