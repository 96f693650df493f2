#include "front_batch.h"

#include <string.h>

enum { SETS = 3 };

static _Alignas(8) uint8_t bytes[1 << 16];

static uint32_t add_brokers(const struct front_batch *spec, uint32_t at)
{
    struct sm_broker broker = {.endpoint_count = 1};
    broker.endpoint[0] = (struct sm_endpoint){"PLAINTEXT", "PLAINTEXT", "h", 1};
    for (uint32_t i = 0; i < 2; i++) {
        broker.id = spec->first_broker + (int32_t)i;
        wire_broker_encode((struct wire_broker *)(void *)(bytes + at), i, spec->broker_epoch,
                           &broker);
        at += wire_broker_size(&broker);
    }
    return at;
}

static uint32_t add_record(const struct front_batch *spec, uint8_t kind, uint32_t at)
{
    struct wire_record *r = (struct wire_record *)(void *)(bytes + at);
    uint32_t end = at + (uint32_t)sizeof *r;
    *r = (struct wire_record){.kind = kind,
                              .isr_count = spec->count,
                              .replica_count = spec->count,
                              .topic_size = (uint16_t)(strlen(spec->topic) + 1),
                              .partition = spec->partition,
                              .controller_epoch = spec->controller_epoch,
                              .leader = spec->leader};
    if (kind != WIRE_RECORD_UPDATE_METADATA) { /* to both, flagged for none */
        bytes[end] = 3;
        end += 2 * sizeof(uint64_t);
    }
    for (int list = 0; list < 2; list++, end += spec->count * 4u)
        memcpy(bytes + end, spec->ids, spec->count * 4u);
    strcpy((char *)bytes + end, spec->topic);
    r->size = (end + r->topic_size - at + 7) & ~7u;
    return at + r->size;
}

const struct wire_batch *front_batch_of(const struct front_batch *spec)
{
    struct wire_batch *b = (struct wire_batch *)(void *)bytes;
    uint8_t kind = spec->kind == 0 ? WIRE_RECORD_UPDATE_METADATA : spec->kind;
    memset(bytes, 0, sizeof bytes);
    *b = (struct wire_batch){.broker_count = 2,
                             .set_words = 1,
                             .controller_id = spec->first_broker,
                             .controller_epoch = spec->controller_epoch,
                             .sets = sizeof *b};
    b->brokers = b->sets + SETS * sizeof(uint64_t);
    for (uint32_t i = 0; i < SETS; i++)
        bytes[b->sets + i * sizeof(uint64_t)] = 3;
    b->records = add_brokers(spec, b->brokers);
    b->size = add_record(spec, kind, b->records);
    b->record_bytes = b->size - b->records;
    b->count[kind - WIRE_RECORD_LEADER_AND_ISR] = 1;
    return b;
}
