/*
 * Inside a trace: bytes of records, and the record being written. Internal to sim/trace*.c.
 *
 *   record  = header (32 bytes, little endian) | payload
 *   payload = (field u8, value)*       the field `set`, where there is one, is the last
 *   value   = 0 null | 1 zigzag varint | 2 varint size, bytes, NUL | 3 u32 size, value*
 *           | 4 u32 size, (field u8, value)*
 *
 * These bytes are what the digest covers, so they depend on nothing but the calls: no table of
 * names, no address, no byte order of the machine.
 */
#ifndef SIM_TRACE_STORE_H
#define SIM_TRACE_STORE_H

#include "sim/keys.h"
#include "sim/trace.h"

enum { SIM_HEADER = 32, SIM_DEPTH_MAX = 16, SIM_FRAMES_MAX = 3 };

struct sim_bytes {
    uint8_t *at;
    size_t size, capacity;
};

/* A record being written. */
struct sim_frame {
    enum sim_kind kind;
    int64_t t;
    sim_lane at;
    uint64_t by, mute, n;
    struct sim_bytes payload, set;
    struct sim_bytes *target;   /* payload, or set while a fact is being written */
    size_t open[SIM_DEPTH_MAX]; /* where the sizes of open lists and objects stand */
    int depth;
    bool merging; /* a `learn` that the next fact may join; ends by itself */
};

struct sim_batch_note {
    sim_lane lane;
    uint64_t id, n;
};

struct sim_pause_note {
    int32_t node;
    uint64_t n;
};

struct sim_trace_store {
    struct sim_trace_options options;
    struct sim_bytes bytes; /* complete records */
    size_t *offset;         /* [n - 1] */
    size_t offset_capacity;
    uint64_t count, counts[SIM_K_END];
    int64_t last_t;

    struct sim_frame frame[SIM_FRAMES_MAX];
    int open_frames;
    uint64_t allowed[SIM_K_END][(SIM_F_END + 63) / 64]; /* sim_kind_has, as bits */
    struct sim_bytes pending; /* nested records that ended before the outer one */
    uint64_t pending_count;

    struct sim_keys keys;
    uint32_t *setter; /* [key] record that set it last */
    bool *present;    /* [key] its value is not null */
    size_t setter_capacity, present_capacity;

    struct sim_pause_note *pauses; /* per node that ever stood still: the last record of it */
    size_t pause_count, pause_capacity;
    struct sim_batch_note *batches;
    size_t batch_count, batch_capacity;
    int32_t *broker_of; /* [index of the batch at hand] */
    size_t broker_of_capacity;

    uint64_t refs[32];
    size_t ref_count;
    struct sim_bytes key; /* of sim_trace_key */
    void *digest;         /* XXH3_state_t, in digest_room */
    void *digest_room;
    void (*listener)(void *context, const struct sim_record *record);
    void *listener_context;
};

static inline struct sim_frame *sim_top(const struct sim_trace *trace)
{
    struct sim_trace_store *s = trace->store;
    return &s->frame[s->open_frames - 1];
}

/* Returns the record since which `node` stood still the last time, 0 none. */
uint64_t sim_trace_pause_of(const struct sim_trace *trace, int32_t node);
/* Ends a `learn` that waits for more facts. */
void sim_trace_settle(struct sim_trace_store *s);
/* As sim_trace_begin for a `learn`, joining the open one where t, at and by are the same. */
bool sim_trace_learn(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by);
/* Decodes one value at `at` (before `end`); returns what follows it. */
const uint8_t *sim_value_decode(const uint8_t *at, const uint8_t *end, struct sim_value *value);
uint32_t sim_read_u32(const uint8_t *at);

#endif
