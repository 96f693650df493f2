/* Batches by chance, laid out as messages.h says. */
#include "draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 2, BROKERS_MAX = 6 };

static uint64_t state = 1;

void draw_seed(uint64_t seed)
{
    state = seed * 0x9e3779b97f4a7c15 + 1;
}

uint64_t draw_bits(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1d;
}

uint32_t draw(uint32_t below)
{
    return (uint32_t)(draw_bits() >> 33) % below;
}

static struct sm_broker broker(int32_t id)
{
    static const char *const protocols[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
    struct sm_broker b = {.id = id, .endpoint_count = 1 + (int32_t)draw(3)};
    for (int32_t i = 0; i < b.endpoint_count; i++) {
        struct sm_endpoint *e = &b.endpoint[i];
        e->port = (int32_t)draw(65536);
        snprintf(e->listener, sizeof e->listener, "L%d", (int)i);
        snprintf(e->protocol, sizeof e->protocol, "%s", protocols[i == 0 ? 0 : draw(4)]);
        snprintf(e->host, sizeof e->host, "host-%d-%u", (int)id, draw(1000));
    }
    if (draw(2) == 0)
        snprintf(b.rack, sizeof b.rack, "rack-%u", draw(3));
    return b;
}

/* A bit that is not the id: 3, 16, 29, … */
static uint32_t bit_of(int32_t id)
{
    return (uint32_t)id * 13 % (WORDS * 64);
}

static void set(uint64_t *words, uint32_t bit)
{
    words[bit / 64] |= (uint64_t)1 << bit % 64;
}

static uint8_t draw_ids(uint8_t **to, int32_t brokers, uint32_t most)
{
    uint8_t count = (uint8_t)draw(most + 1);
    for (uint8_t i = 0; i < count; i++) {
        int32_t id = 1 + (int32_t)draw((uint32_t)brokers);
        memcpy(*to, &id, sizeof id);
        *to += sizeof id;
    }
    return count;
}

static size_t put_record(uint8_t *start, int32_t brokers, int32_t partition)
{
    struct wire_record *r = (struct wire_record *)(void *)start;
    r->kind = (uint8_t)(1 + draw(3));
    r->partition = partition;
    r->controller_epoch = (int32_t)draw(9);
    r->leader = draw(9) == 0 ? -1 : 1 + (int32_t)draw((uint32_t)brokers);
    r->leader_epoch = (int32_t)draw(100) - 2;
    r->zk_version = (int32_t)draw(100);
    uint8_t *at = start + sizeof *r;
    if (r->kind != WIRE_RECORD_UPDATE_METADATA) {
        uint64_t sets[2 * WORDS] = {0};
        for (int32_t id = 1; id <= brokers; id++) {
            if (draw(4) != 0)
                set(sets, bit_of(id));
            if (draw(2) == 0)
                set(sets + WORDS, bit_of(id));
        }
        memcpy(at, sets, sizeof sets);
        at += sizeof sets;
    }
    bool stop = r->kind == WIRE_RECORD_STOP_REPLICA, leads = r->kind == WIRE_RECORD_LEADER_AND_ISR;
    r->isr_count = stop ? 0 : draw_ids(&at, brokers, 3);
    r->replica_count = stop ? 0 : draw_ids(&at, brokers, 4);
    r->adding_count = leads ? draw_ids(&at, brokers, 2) : 0;
    r->removing_count = leads ? draw_ids(&at, brokers, 2) : 0;
    r->offline_count = stop || leads ? 0 : draw_ids(&at, brokers, 2);
    r->topic_size =
        (uint16_t)(1 + snprintf((char *)at, 32, draw(8) == 0 ? "rare-%u" : "t%u", draw(5)));
    size_t size = (size_t)(at - start) + r->topic_size;
    r->size = (uint32_t)((size + 7) / 8 * 8);
    return r->size;
}

struct wire_batch *draw_batch(uint32_t records)
{
    int32_t brokers = 1 + (int32_t)draw(BROKERS_MAX);
    size_t capacity = 8192 + (size_t)records * 256;
    uint8_t *bytes = calloc(1, capacity);
    if (bytes == NULL)
        abort();
    struct wire_batch *b = (struct wire_batch *)(void *)bytes;
    *b = (struct wire_batch){.broker_count = (uint32_t)brokers,
                             .set_words = WORDS,
                             .sets = sizeof *b,
                             .brokers = sizeof *b + 3 * WORDS * 8,
                             .controller_id = (int32_t)draw(9),
                             .controller_epoch = (int32_t)draw(99)};
    size_t used = b->brokers;
    for (int32_t id = 1; id <= brokers; id++) {
        struct sm_broker described = broker(id);
        for (uint32_t kind = 0; kind < 3; kind++)
            set((uint64_t *)(void *)(bytes + b->sets) + kind * WORDS, bit_of(id));
        wire_broker_encode((void *)(bytes + used), bit_of(id), (int64_t)draw_bits() >> draw(64),
                           &described);
        used += wire_broker_size(&described);
    }
    b->records = (uint32_t)used;
    for (uint32_t i = 0; i < records; i++) {
        struct wire_record *r = (void *)(bytes + used);
        used += put_record(bytes + used, brokers, (int32_t)i);
        if (draw(10) == 0)
            r->kind = WIRE_RECORD_DEAD;
        else
            b->count[r->kind - 1]++;
    }
    b->record_bytes = (uint32_t)used - b->records;
    b->size = (uint32_t)used;
    return b;
}
