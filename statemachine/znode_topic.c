/*
 * The assignment of a topic: three maps from partition to replicas, in one znode.
 *
 * A topic may have a hundred thousand partitions, so nothing is built. sm_topic_open checks the
 * whole text once and remembers where the maps begin; sm_topic_next then walks the partitions map,
 * and looks each partition up in the other two. Those two are usually empty. Where all maps ascend,
 * the lookups are a merge: a map's position only moves forward.
 *
 * Source: Kafka kafka.zk.TopicZNode, org.apache.kafka.common.Uuid.
 */
#include "statemachine/znode.h"

#include <assert.h>
#include <string.h>

#include "statemachine/json.h"
#include "statemachine/text.h"

/* ---- reading ---- */

/* Consumes a key that is a partition. */
static bool partition_of(struct sm_json *j, const struct sm_span *key, int32_t *partition)
{
    char digits[16];
    size_t size;
    bool is_plain = !key->escaped && key->size < sizeof digits;
    enum sm_err err = is_plain ? SM_ERR_OK : sm_span_copy(key, digits, sizeof digits, &size);
    if (err == SM_ERR_OK)
        err = is_plain ? sm_parse_int32(key->at, key->size, partition)
                       : sm_parse_int32(digits, size, partition);
    if (err == SM_ERR_LIMIT)
        err = SM_ERR_SYNTAX; /* too long to be a number: no limit of ours that could be raised */
    if (err == SM_ERR_OK && *partition < 0)
        err = SM_ERR_RANGE;
    return err == SM_ERR_OK || sm_json_fail(j, err);
}

/* Consumes a map from partition to replicas. Stores the position inside it, and clears *ordered
   where its partitions do not ascend. */
static void check_map(struct sm_json *j, const char *bytes, size_t *position, bool *ordered)
{
    struct sm_span key;
    struct sm_list replicas;
    int32_t last = -1, partition;
    if (sm_json_object(j))
        *position = (size_t)(j->at - bytes);
    while (sm_json_member(j, &key) && partition_of(j, &key, &partition)) {
        sm_json_list(j, &replicas);
        if (partition <= last)
            *ordered = false;
        last = partition;
    }
}

enum { TOPIC_ID_CHARS = 22 };

/* Returns the 6 bits of a character of URL-safe base64, or -1. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

static const char base64_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Decodes 22 characters into 16 bytes; the 4 bits left over must be zero. */
static bool decode_topic_id(const char *text, uint8_t id[16])
{
    uint32_t bits = 0;
    int bit_count = 0, used = 0;
    for (int i = 0; i < TOPIC_ID_CHARS; i++) {
        int value = base64_value(text[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffff;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            id[used++] = (uint8_t)(bits >> bit_count);
        }
    }
    assert(used == 16);
    return (bits & 15) == 0;
}

static void encode_topic_id(const uint8_t id[16], char text[TOPIC_ID_CHARS])
{
    for (int i = 0; i < TOPIC_ID_CHARS; i++) {
        int byte = i * 6 / 8, shift = 10 - i * 6 % 8;
        uint32_t pair = (uint32_t)id[byte] << 8 | (byte + 1 < 16 ? id[byte + 1] : 0u);
        text[i] = base64_chars[pair >> shift & 63];
    }
}

static void read_topic_id(struct sm_json *j, struct sm_topic_reader *r)
{
    struct sm_span value;
    char text[TOPIC_ID_CHARS + 3];
    size_t size;
    if (!sm_json_string(j, &value))
        return;
    bool fits = sm_span_copy(&value, text, sizeof text, &size) == SM_ERR_OK;
    bool padded = fits && size == TOPIC_ID_CHARS + 2 && memcmp(text + TOPIC_ID_CHARS, "==", 2) == 0;
    bool sized = padded || (fits && size == TOPIC_ID_CHARS);
    if (!sized || !decode_topic_id(text, r->topic_id))
        sm_json_fail(j, SM_ERR_SYNTAX);
    r->has_topic_id = true;
}

enum sm_err sm_topic_open(struct sm_topic_reader *r, const char *bytes, size_t size)
{
    struct sm_json j = sm_json_begin(bytes, size);
    struct sm_span key;
    *r = (struct sm_topic_reader){.bytes = bytes, .size = size, .ordered = true};
    for (sm_json_object(&j); sm_json_member(&j, &key);) {
        if (sm_span_is(&key, "partitions"))
            check_map(&j, bytes, &r->at, &r->ordered);
        else if (sm_span_is(&key, "adding_replicas"))
            check_map(&j, bytes, &r->adding, &r->ordered);
        else if (sm_span_is(&key, "removing_replicas"))
            check_map(&j, bytes, &r->removing, &r->ordered);
        else if (sm_span_is(&key, "topic_id"))
            read_topic_id(&j, r);
        else
            sm_json_skip(&j);
    }
    return sm_json_end(&j);
}

/* Stands on a member of a map that was checked, or at its end. A comma in front of the member is
   skipped: a position is remembered behind a value, or behind the opening bracket. */
static struct sm_json resume(const struct sm_topic_reader *r, size_t position)
{
    struct sm_json j = sm_json_begin(r->bytes + position, r->size - position);
    if (sm_json_peek(&j) == ',')
        j.at++;
    j.depth = 1;
    j.first = true;
    return j;
}

/* Reads the member at *position and moves it behind; false at the end of the map. */
static bool next_member(const struct sm_topic_reader *r, size_t *position, int32_t *partition,
                        struct sm_list *replicas)
{
    struct sm_json j = resume(r, *position);
    struct sm_span key;
    if (!sm_json_member(&j, &key))
        return false;
    partition_of(&j, &key, partition);
    sm_json_list(&j, replicas);
    assert(j.err == SM_ERR_OK);
    *position = (size_t)(j.at - r->bytes);
    return true;
}

/* Looks a partition up in a map of which *position is the first member not passed yet. */
static struct sm_list look_up(const struct sm_topic_reader *r, size_t *position, int32_t partition)
{
    struct sm_list found = {0}, replicas;
    size_t at = *position;
    int32_t candidate;
    while (at != 0 && next_member(r, &at, &candidate, &replicas)) {
        if (r->ordered && candidate > partition)
            break;
        if (candidate == partition)
            found = replicas; /* the last one counts */
        if (r->ordered)
            *position = at;
    }
    return found;
}

bool sm_topic_next(struct sm_topic_reader *r, int32_t *partition, struct sm_assignment *out)
{
    struct sm_assignment a;
    if (r->at == 0 || !next_member(r, &r->at, partition, &a.replicas))
        return false;
    a.adding = look_up(r, &r->adding, *partition);
    a.removing = look_up(r, &r->removing, *partition);
    *out = a;
    return true;
}

/* ---- writing ---- */

enum { PARTITIONS, ADDING, REMOVING };

static struct sm_text resume_text(const struct sm_topic_writer *w)
{
    return (struct sm_text){
        .out = w->out, .capacity = w->capacity, .size = w->size, .overflow = w->overflow};
}

static void keep_text(struct sm_topic_writer *w, const struct sm_text *t)
{
    w->size = t->size;
    w->overflow = t->overflow;
}

void sm_topic_writer_begin(struct sm_topic_writer *w, char *out, size_t capacity)
{
    struct sm_text t = sm_text_begin(out, capacity);
    *w = (struct sm_topic_writer){.out = out, .capacity = capacity, .section = PARTITIONS};
    SM_TEXT(&t, "{\"partitions\":{");
    keep_text(w, &t);
}

void sm_topic_writer_section(struct sm_topic_writer *w, int32_t section)
{
    assert(section >= w->section);
    assert(section <= REMOVING);
    struct sm_text t = resume_text(w);
    for (; w->section < section; w->section++) {
        SM_TEXT(&t, "}");
        if (w->section == PARTITIONS) {
            w->topic_id_at = t.size;
            SM_TEXT(&t, ",\"adding_replicas\":{");
        } else {
            SM_TEXT(&t, ",\"removing_replicas\":{");
        }
        w->count = 0;
    }
    keep_text(w, &t);
}

static void append_list(struct sm_text *t, const struct sm_list *list)
{
    SM_TEXT(t, "[");
    for (int32_t i = 0; i < list->count; i++) {
        if (i > 0)
            SM_TEXT(t, ",");
        sm_text_int(t, list->id[i]);
    }
    SM_TEXT(t, "]");
}

void sm_topic_writer_partition(struct sm_topic_writer *w, int32_t partition,
                               const struct sm_assignment *a)
{
    const struct sm_list *list = w->section == PARTITIONS ? &a->replicas
                                 : w->section == ADDING   ? &a->adding
                                                          : &a->removing;
    if (w->section != PARTITIONS && list->count == 0)
        return;
    struct sm_text t = resume_text(w);
    if (w->count++ > 0)
        SM_TEXT(&t, ",");
    SM_TEXT(&t, "\"");
    sm_text_int(&t, partition);
    SM_TEXT(&t, "\":");
    append_list(&t, list);
    keep_text(w, &t);
}

/* Opens a gap behind the partitions: the id is known only when the caller ends the text. */
static void insert_topic_id(struct sm_topic_writer *w, const uint8_t id[16])
{
    static const char label[] = ",\"topic_id\":\"";
    enum { LABEL = sizeof label - 1, SIZE = LABEL + TOPIC_ID_CHARS + 1 };
    if (w->overflow || w->capacity - w->size < SIZE) {
        w->overflow = true;
        return;
    }
    char *gap = w->out + w->topic_id_at;
    memmove(gap + SIZE, gap, w->size - w->topic_id_at);
    memcpy(gap, label, LABEL);
    encode_topic_id(id, gap + LABEL);
    gap[SIZE - 1] = '"';
    w->size += SIZE;
}

size_t sm_topic_writer_end(struct sm_topic_writer *w, const uint8_t *topic_id)
{
    sm_topic_writer_section(w, REMOVING);
    if (topic_id != NULL)
        insert_topic_id(w, topic_id);
    struct sm_text t = resume_text(w);
    SM_TEXT(&t, "},\"version\":3}");
    keep_text(w, &t);
    return sm_text_end(&t);
}
