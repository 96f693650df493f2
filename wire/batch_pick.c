/*
 * What a request out of a batch has: its records, and what its version knows.
 *
 * Source: wire/batch_codec.h; SecurityProtocol of Kafka.
 */
#include "wire/batch_pick.h"

#include <string.h>

static const struct {
    enum wire_api api;
    int16_t newest, epoch_since, grouped_since;
} kinds[] = {
    [WIRE_RECORD_LEADER_AND_ISR] = {WIRE_API_LEADER_AND_ISR, 4, 2, 2},
    [WIRE_RECORD_UPDATE_METADATA] = {WIRE_API_UPDATE_METADATA, 6, 5, 5},
    [WIRE_RECORD_STOP_REPLICA] = {WIRE_API_STOP_REPLICA, 3, 1, 1},
};

enum wire_api wire_pick_api(enum wire_record_kind kind)
{
    return kinds[kind].api;
}

bool wire_pick_has_version(const struct wire_batch_request *q)
{
    return q->kind != WIRE_RECORD_DEAD && q->version >= 0 && q->version <= kinds[q->kind].newest;
}

bool wire_pick_has_epoch(const struct wire_batch_request *q)
{
    return q->version >= kinds[q->kind].epoch_since;
}

bool wire_pick_is_grouped(const struct wire_batch_request *q)
{
    return q->version >= kinds[q->kind].grouped_since;
}

bool wire_pick_is_flexible(const struct wire_batch_request *q)
{
    return q->version >= wire_api_info((int16_t)wire_pick_api(q->kind))->flexible;
}

bool wire_pick_flag(const struct wire_batch_request *q, const struct wire_record_view *v)
{
    return v->flag != NULL && q->index / 64 < q->batch->set_words &&
           (v->flag[q->index / 64] >> q->index % 64 & 1) != 0;
}

bool wire_pick_next(const struct wire_batch_request *q, struct wire_record_view *v)
{
    bool split = q->kind == WIRE_RECORD_STOP_REPLICA && q->version < 3;
    while (wire_batch_next_for(q->batch, q->kind, q->index, v))
        if (!split || wire_pick_flag(q, v) == q->deletes)
            return true;
    return false;
}

/* FNV-1a, then its high bits over the low ones. */
uint32_t wire_pick_hash_of(const void *topic, size_t size, int32_t partition)
{
    const uint8_t *at = topic;
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++)
        h = (h ^ at[i]) * 0x100000001b3;
    h = (h ^ (uint32_t)partition) * 0x9e3779b97f4a7c15;
    return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

uint32_t wire_pick_hash(const struct wire_record_view *v, int32_t partition)
{
    return wire_pick_hash_of(v->topic, (size_t)v->record->topic_size - 1, partition);
}

const char *const wire_security_protocols[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL",
                                               NULL};

int16_t wire_security_protocol(const char *name)
{
    for (int16_t i = 0; wire_security_protocols[i] != NULL; i++)
        if (strcmp(wire_security_protocols[i], name) == 0)
            return i;
    return -1;
}
