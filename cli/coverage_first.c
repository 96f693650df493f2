#include "cli/coverage_first.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { NAME = 192, LANES = 256 };

struct name {
    UT_hash_handle hh;
    uint32_t number;
    char text[];
};

struct pair {
    UT_hash_handle hh;
    uint64_t key; /* number of the earlier event << 32 | of the later */
};

struct cli_firsts {
    struct name *names;
    struct pair *pairs;
    uint32_t count;
};

/* The last event of each actor, while a trace is read. */
struct lanes {
    uint32_t count;
    sim_lane lane[LANES];
    uint32_t event[LANES];
};

struct cli_firsts *cli_firsts_new(void)
{
    struct cli_firsts *f = calloc(1, sizeof(*f));
    if (f == NULL)
        abort();
    return f;
}

void cli_firsts_free(struct cli_firsts *f)
{
    struct name *name, *next_name;
    struct pair *pair, *next_pair;
    HASH_ITER(hh, f->names, name, next_name)
    {
        HASH_DEL(f->names, name);
        free(name);
    }
    HASH_ITER(hh, f->pairs, pair, next_pair)
    {
        HASH_DEL(f->pairs, pair);
        free(pair);
    }
    free(f);
}

/* The number of a name, from 1 on. */
static uint32_t number_of(struct cli_firsts *f, const char *text, bool *is_new)
{
    struct name *name;
    const size_t size = strlen(text);
    HASH_FIND(hh, f->names, text, size, name);
    *is_new = name == NULL;
    if (name == NULL) {
        name = calloc(1, sizeof(*name) + size + 1);
        if (name == NULL)
            abort();
        memcpy(name->text, text, size);
        name->number = ++f->count;
        HASH_ADD_KEYPTR(hh, f->names, name->text, size, name);
    }
    return name->number;
}

bool cli_firsts_name(struct cli_firsts *f, const char *name)
{
    bool is_new;
    number_of(f, name, &is_new);
    return is_new;
}

static bool add_pair(struct cli_firsts *f, uint32_t before, uint32_t after)
{
    const uint64_t key = (uint64_t)before << 32 | after;
    struct pair *pair;
    HASH_FIND(hh, f->pairs, &key, sizeof(key), pair);
    if (pair != NULL)
        return false;
    pair = calloc(1, sizeof(*pair));
    if (pair == NULL)
        abort();
    pair->key = key;
    HASH_ADD(hh, f->pairs, key, sizeof(pair->key), pair);
    return true;
}

static bool is_event(enum sim_kind kind)
{
    static const enum sim_kind none[] = {SIM_K_META, SIM_K_FINISH, SIM_K_LOG,
                                         SIM_K_MARK, SIM_K_TIMER,  SIM_K_CHECK,
                                         SIM_K_HW,   SIM_K_CLOSE,  SIM_K_ZNODE};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        if (kind == none[i])
            return false;
    return true;
}

/* The first of these fields that the record has as text, or "". */
static const char *text_of(const struct sim_record *record, const enum sim_field *fields,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = sim_record_text(record, fields[i]);
        if (text != NULL)
            return text;
    }
    return "";
}
#define TEXT_OF(record, fields) text_of(record, fields, sizeof(fields) / sizeof((fields)[0]))

/* c move OnlineReplica replica 1 0: actor, kind, what it names, went well, error. */
static void name_event(char out[NAME], const struct sim_record *record)
{
    static const enum sim_field what[] = {SIM_F_WHAT, SIM_F_VERB, SIM_F_OP, SIM_F_EVENT};
    static const enum sim_field to[] = {SIM_F_TO};
    static const enum sim_field of[] = {SIM_F_API, SIM_F_MACHINE};
    static const enum sim_field name[] = {SIM_F_NAME};
    static const enum sim_field code[] = {SIM_F_CODE};
    const enum sim_kind kind = record->kind;
    snprintf(out, NAME, "%c %s %s %s %" PRId64 " %" PRId64 " %s", sim_lane_letter(record->at),
             sim_kind_name(kind), kind == SIM_K_MOVE ? TEXT_OF(record, to) : TEXT_OF(record, what),
             kind == SIM_K_QUEUE ? TEXT_OF(record, name) : TEXT_OF(record, of),
             sim_record_int(record, SIM_F_OK, -1), sim_record_int(record, SIM_F_ERROR, 0),
             TEXT_OF(record, code));
}

static void name_move(char out[NAME], const struct sim_record *record)
{
    static const enum sim_field machine[] = {SIM_F_MACHINE}, from[] = {SIM_F_FROM},
                                to[] = {SIM_F_TO};
    snprintf(out, NAME, "%s: %s -> %s", TEXT_OF(record, machine), TEXT_OF(record, from),
             TEXT_OF(record, to));
}

/* The place of the lane's last event; NULL where there are more lanes than anybody looks at. */
static uint32_t *last_of(struct lanes *l, sim_lane lane)
{
    uint32_t i = 0;
    while (i < l->count && l->lane[i] != lane)
        i++;
    if (i == LANES)
        return NULL;
    if (i == l->count) {
        l->lane[l->count] = lane;
        l->event[l->count++] = 0;
    }
    return &l->event[i];
}

struct cli_first cli_firsts_trace(struct cli_firsts *f, const struct sim_trace *trace)
{
    struct cli_first first = {0};
    struct lanes lanes = {0};
    struct sim_record record;
    char text[NAME];
    bool is_new;
    for (uint64_t n = 1; sim_trace_get(trace, n, &record); n++) {
        if (!is_event(record.kind))
            continue;
        if (record.kind == SIM_K_MOVE && sim_record_int(&record, SIM_F_DIRECT, 0) == 0) {
            name_move(text, &record);
            first.moves += cli_firsts_name(f, text);
        }
        uint32_t *last = last_of(&lanes, record.at);
        if (last == NULL)
            continue;
        name_event(text, &record);
        const uint32_t event = number_of(f, text, &is_new);
        first.pairs += *last != 0 && add_pair(f, *last, event);
        *last = event;
    }
    return first;
}
