/*
 * The state of a partition: the znode that elections read and write, one for each partition, so
 * that a failover of a large cluster decodes a million of them.
 *
 * Kafka writes its fields always in one order and without blanks; a text like that is compared and
 * its numbers read. Any other goes through the scanner, with the same result.
 *
 * Source: Kafka kafka.zk.TopicPartitionStateZNode.
 */
#include "statemachine/znode.h"

#include <assert.h>
#include <string.h>

#include "statemachine/json.h"
#include "statemachine/text.h"

/* Fields that Kafka's reader insists on. */
enum { LEADER = 1, LEADER_EPOCH = 2, CONTROLLER_EPOCH = 4, ISR = 8, ALL_FIELDS = 15 };

/* Reads the value of `key` into *li; returns the field's bit, or 0 for a field of no interest. */
static int read_field(struct sm_json *j, const struct sm_span *key, struct sm_leader_and_isr *li)
{
    if (sm_span_is(key, "leader"))
        return sm_json_int32(j, &li->leader) ? LEADER : 0;
    if (sm_span_is(key, "leader_epoch"))
        return sm_json_int32(j, &li->leader_epoch) ? LEADER_EPOCH : 0;
    if (sm_span_is(key, "controller_epoch"))
        return sm_json_int32(j, &li->controller_epoch) ? CONTROLLER_EPOCH : 0;
    if (sm_span_is(key, "isr"))
        return sm_json_list(j, &li->isr) ? ISR : 0;
    sm_json_skip(j);
    return 0;
}

static bool take(const char **at, const char *end, const char *literal, size_t size)
{
    if ((size_t)(end - *at) < size || memcmp(*at, literal, size) != 0)
        return false;
    *at += size;
    return true;
}

#define TAKE(literal) take(&at, end, literal, sizeof(literal) - 1)

/* Reads a state as Kafka writes it; false for any other text. */
static bool read_as_written(const char *at, size_t size, struct sm_leader_and_isr *li)
{
    const char *end = at + size;
    return TAKE("{\"controller_epoch\":") && sm_json_plain_int32(&at, end, &li->controller_epoch) &&
           TAKE(",\"leader\":") && sm_json_plain_int32(&at, end, &li->leader) &&
           TAKE(",\"version\":1,\"leader_epoch\":") &&
           sm_json_plain_int32(&at, end, &li->leader_epoch) && TAKE(",\"isr\":") &&
           sm_json_plain_list(&at, end, &li->isr) && TAKE("}") && at == end;
}

enum sm_err sm_znode_decode_state(const char *bytes, size_t size, int32_t zk_version,
                                  struct sm_leader_and_isr *out)
{
    struct sm_leader_and_isr written = {.zk_version = zk_version};
    if (read_as_written(bytes, size, &written)) {
        *out = written;
        return SM_ERR_OK;
    }
    struct sm_json j = sm_json_begin(bytes, size);
    struct sm_leader_and_isr li = {.zk_version = zk_version};
    struct sm_span key;
    int seen = 0;
    for (sm_json_object(&j); sm_json_member(&j, &key);)
        seen |= read_field(&j, &key, &li);
    enum sm_err err = sm_json_end(&j);
    if (err != SM_ERR_OK)
        return err;
    if (seen != ALL_FIELDS)
        return SM_ERR_SYNTAX;
    *out = li;
    return SM_ERR_OK;
}

/* The order of fields is that of a Scala 2.13 immutable map of these five keys, as recorded from
   Kafka 2.8.2. */
size_t sm_znode_encode_state(char *out, const struct sm_leader_and_isr *li)
{
    struct sm_text t = sm_text_begin(out, SM_STATE_BYTES_MAX);
    SM_TEXT(&t, "{\"controller_epoch\":");
    sm_text_int(&t, li->controller_epoch);
    SM_TEXT(&t, ",\"leader\":");
    sm_text_int(&t, li->leader);
    SM_TEXT(&t, ",\"version\":1,\"leader_epoch\":");
    sm_text_int(&t, li->leader_epoch);
    SM_TEXT(&t, ",\"isr\":[");
    for (int32_t i = 0; i < li->isr.count; i++) {
        if (i > 0)
            SM_TEXT(&t, ",");
        sm_text_int(&t, li->isr.id[i]);
    }
    SM_TEXT(&t, "]}");
    assert(!t.overflow);
    return t.size;
}
