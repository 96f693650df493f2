/*
 * Hashes of records without the numbers that count what came before. Facts are a set: their hashes
 * are added, so that their order does not matter.
 */
#include "sim/align_same.h"

#include <string.h>

#include <xxhash.h>

static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    return XXH3_64bits_withSeed(bytes, size, hash);
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    return mix(hash, &number, sizeof(number));
}

/* ---- texts ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether the number at `at` is one of those that move, by what stands before it in a log line or
   in the data of a znode. */
static bool follows_counter(const char *text, size_t at)
{
    static const char *const before[] = {"-> ", "(broker epoch): ", "correlation id ",
                                         "correlationId=", "\"timestamp\":\""};
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        size_t size = strlen(before[i]);
        if (at >= size && memcmp(text + at - size, before[i], size) == 0)
            return true;
    }
    return false;
}

static uint64_t mix_text(uint64_t hash, const struct sim_value *v)
{
    enum { COUNTER_DIGITS = 10 };
    size_t done = 0;
    for (size_t i = 0; i < v->size;) {
        size_t end = i;
        while (end < v->size && is_digit(v->text[end]))
            end++;
        if (end - i >= COUNTER_DIGITS || (end > i && follows_counter(v->text, i))) {
            hash = mix(hash, v->text + done, i - done);
            done = end;
        }
        i = end > i ? end : i + 1;
    }
    return mix(mix_number(hash, v->size - done), v->text + done, v->size - done);
}

/* Lines are told apart by their letters: numbers and lists of brokers are what they say. */
static uint64_t mix_letters(uint64_t hash, const struct sim_value *v)
{
    char letters[256];
    size_t count = 0;
    for (size_t i = 0; i < v->size && count < sizeof(letters); i++)
        if ((v->text[i] | 0x20) >= 'a' && (v->text[i] | 0x20) <= 'z')
            letters[count++] = v->text[i];
    return mix(hash, letters, count);
}

/* ---- values ---- */

/* Numbers and times that move, wherever they stand. */
static bool is_counter(enum sim_field field)
{
    static const uint8_t counters[] = {
        SIM_F_M,       SIM_F_RE,     SIM_F_REFS,  SIM_F_BATCH,  SIM_F_RECORD,  SIM_F_RECORDS,
        SIM_F_STEP,    SIM_F_CORR,   SIM_F_BE,    SIM_F_ZXID,   SIM_F_CZXID,   SIM_F_MZXID,
        SIM_F_PZXID,   SIM_F_CTIME,  SIM_F_MTIME, SIM_F_OWNER,  SIM_F_SESSION, SIM_F_DUE,
        SIM_F_UNTIL,   SIM_F_WAITED, SIM_F_DEPTH, SIM_F_COUNTS, SIM_F_DIGEST,  SIM_F_WALL,
        SIM_F_BATCHES, SIM_F_LOST,
    };
    for (size_t i = 0; i < sizeof(counters); i++)
        if (counters[i] == field)
            return true;
    return false;
}

static uint64_t mix_value(uint64_t hash, const struct sim_value *v, bool with_id)
{
    struct sim_walk walk = {0};
    struct sim_value item;
    enum sim_field field;
    hash = mix_number(hash, v->type);
    switch ((enum sim_value_type)v->type) {
    case SIM_V_NULL:
        break;
    case SIM_V_INT:
        hash = mix_number(hash, (uint64_t)v->number);
        break;
    case SIM_V_TEXT:
        hash = mix_text(hash, v);
        break;
    case SIM_V_LIST:
        while (sim_list_next(v, &walk, &item))
            hash = mix_value(hash, &item, with_id);
        break;
    case SIM_V_OBJECT:
        while (sim_object_next(v, &walk, &field, &item))
            if (!is_counter(field) && (with_id || field != SIM_F_ID))
                hash = mix_value(mix_number(hash, field), &item, with_id);
        break;
    }
    return mix_number(hash,
                      SIM_V_OBJECT + 1); /* an end, so that nested lists differ from flat ones */
}

static bool is_session(const char *key)
{
    return key != NULL && strncmp(key, "sess.", 5) == 0;
}

bool sim_align_equal(const char *key, const struct sim_value *a, const struct sim_value *b)
{
    bool with_id = !is_session(key);
    return mix_value(0, a, with_id) == mix_value(0, b, with_id);
}

/* ---- records ---- */

bool sim_align_has_field(enum sim_kind kind, enum sim_field field)
{
    bool own_id =
        kind == SIM_K_QUEUE || kind == SIM_K_TIMER || kind == SIM_K_BATCH || kind == SIM_K_SESSION;
    return field != SIM_F_SET && !is_counter(field) && !(field == SIM_F_ID && own_id);
}

bool sim_align_has_fact(enum sim_kind kind, const char *key, const struct sim_value *value)
{
    size_t size = strlen(key);
    if (kind == SIM_K_FAULT && value->type == SIM_V_NULL)
        return false; /* what its victim had in memory: told when it came there */
    if (strncmp(key, "sess.x", 6) == 0)
        return false;
    return strncmp(key, "b.", 2) != 0 || strcmp(key + size - 3, ".be") != 0;
}

static bool is_subject(enum sim_kind kind, enum sim_field field)
{
    static const uint8_t subjects[] = {
        SIM_F_VERB,      SIM_F_TARGET,  SIM_F_API,     SIM_F_FRM,   SIM_F_OP,
        SIM_F_PATH,      SIM_F_WHAT,    SIM_F_NAME,    SIM_F_ROW,   SIM_F_TYPE,
        SIM_F_PARTITION, SIM_F_REPLICA, SIM_F_MACHINE, SIM_F_EVENT, SIM_F_SEEN,
        SIM_F_NODE,      SIM_F_STREAM,  SIM_F_WHO,     SIM_F_TO,
    };
    if (kind == SIM_K_MOVE && field == SIM_F_TO)
        return false; /* a state: what it came to */
    if (kind == SIM_K_MARK)
        return field == SIM_F_LABEL || field == SIM_F_TEXT;
    for (size_t i = 0; i < sizeof(subjects); i++)
        if (subjects[i] == field)
            return true;
    return false;
}

uint64_t sim_align_subject(const struct sim_record *r)
{
    struct sim_walk walk = {0};
    struct sim_value v;
    enum sim_field field;
    uint64_t hash = mix_number(mix_number(0, r->kind), r->at);
    while (sim_record_next(r, &walk, &field, &v)) {
        if (field == SIM_F_RE) /* an answer is no request */
            hash = mix_number(hash, field);
        else if (r->kind == SIM_K_LOG && field == SIM_F_TEXT)
            hash = mix_letters(mix_number(hash, field), &v);
        else if (is_subject(r->kind, field))
            hash = mix_value(mix_number(hash, field), &v, true);
    }
    return hash;
}

uint64_t sim_align_content(const struct sim_record *r, int64_t delay_us)
{
    struct sim_walk walk = {0}, facts = {0};
    struct sim_value v;
    enum sim_field field;
    const char *key;
    uint64_t hash = 0, sum = 0;
    if (r->kind == SIM_K_FAULT && sim_record_int(r, SIM_F_INFERRED, 0) == 0)
        hash = mix_number(hash, (uint64_t)delay_us);
    while (sim_record_next(r, &walk, &field, &v))
        if (sim_align_has_field(r->kind, field))
            hash = mix_value(mix_number(hash, field), &v, true);
    while (sim_record_next_set(r, &facts, &key, &v))
        if (sim_align_has_fact(r->kind, key, &v))
            sum += mix_value(mix(0, key, strlen(key)), &v, !is_session(key));
    return mix_number(hash, sum);
}
