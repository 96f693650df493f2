/*
 * Writing a trace. See trace_store.h for the bytes.
 *
 * A record grows in a frame and is appended to the store when it ends. Frames nest: the inner
 * record has the higher number, so when it ends it waits in `pending` until the outer one has been
 * appended. Numbers are thus given when records begin and are dense all the same.
 */
#include "sim/trace_store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "sim/allocate.h"

enum { DIGEST_ALIGN = 64 }; /* of XXH3_state_t */
enum { TAG_NULL, TAG_INT, TAG_TEXT, TAG_LIST, TAG_OBJECT };

/* ---- bytes ---- */

static uint8_t *extend(struct sim_bytes *b, size_t size)
{
    b->at = sim_grow(b->at, &b->capacity, b->size + size, 1);
    uint8_t *at = b->at + b->size;
    b->size += size;
    return at;
}

static void add_byte(struct sim_bytes *b, uint8_t byte)
{
    *extend(b, 1) = byte;
}

static void add_varint(struct sim_bytes *b, uint64_t value)
{
    uint8_t digits[10];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        digits[size++] = (uint8_t)(value | 0x80);
    digits[size++] = (uint8_t)value;
    memcpy(extend(b, size), digits, size);
}

static void write_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void write_u64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* ---- a trace ---- */

struct sim_trace *sim_trace_new(const struct sim_trace_options *options)
{
    struct sim_trace *trace = sim_alloc(sizeof(*trace));
    struct sim_trace_store *s = sim_alloc(sizeof(*s));
    s->options = *options;
    s->digest_room = sim_alloc(sizeof(XXH3_state_t) + DIGEST_ALIGN);
    s->digest =
        (void *)(((uintptr_t)s->digest_room + DIGEST_ALIGN) & ~(uintptr_t)(DIGEST_ALIGN - 1));
    XXH3_64bits_reset(s->digest);
    for (int kind = 1; kind < SIM_K_END; kind++)
        for (int field = 1; field < SIM_F_END; field++)
            if (sim_kind_has((enum sim_kind)kind, (enum sim_field)field))
                s->allowed[kind][field / 64] |= (uint64_t)1 << (field % 64);
    *trace = (struct sim_trace){.on = options->mode != SIM_TRACE_OFF, .store = s};
    return trace;
}

void sim_trace_free(struct sim_trace *trace)
{
    if (trace == NULL)
        return;
    struct sim_trace_store *s = trace->store;
    for (int i = 0; i < SIM_FRAMES_MAX; i++) {
        sim_free(s->frame[i].payload.at);
        sim_free(s->frame[i].set.at);
    }
    sim_free(s->bytes.at);
    sim_free(s->offset);
    sim_free(s->pending.at);
    sim_keys_clear(&s->keys);
    sim_free(s->setter);
    sim_free(s->present);
    sim_free(s->batches);
    sim_free(s->pauses);
    sim_free(s->broker_of);
    sim_free(s->key.at);
    sim_free(s->digest_room);
    sim_free(s);
    sim_free(trace);
}

void sim_trace_listen(struct sim_trace *trace,
                      void (*function)(void *context, const struct sim_record *record),
                      void *context)
{
    trace->store->listener = function;
    trace->store->listener_context = context;
}

/* ---- begin and end ---- */

static void begin_frame(struct sim_trace_store *s, enum sim_kind kind, int64_t t, sim_lane at,
                        uint64_t by, uint64_t mute)
{
    uint64_t n = s->count + s->pending_count + (uint64_t)s->open_frames + 1;
    assert(s->open_frames < SIM_FRAMES_MAX && n < UINT32_MAX);
    assert(by < n && mute < n);
    assert(t >= s->last_t);
    s->last_t = t;
    struct sim_frame *f = &s->frame[s->open_frames++];
    f->kind = kind;
    f->t = t;
    f->at = at;
    f->by = by;
    f->mute = mute;
    f->n = n;
    f->payload.size = 0;
    f->set.size = 0;
    f->target = &f->payload;
    f->depth = 0;
    f->merging = false;
    extend(&f->payload, SIM_HEADER);
}

static void write_header(const struct sim_frame *f)
{
    uint8_t *h = f->payload.at;
    write_u64(h, (uint64_t)f->t);
    write_u64(h + 8, f->at);
    write_u32(h + 16, (uint32_t)f->by);
    write_u32(h + 20, (uint32_t)f->mute);
    write_u32(h + 24, (uint32_t)(f->payload.size - SIM_HEADER));
    write_u32(h + 28, f->kind);
}

static void append_sets(struct sim_frame *f)
{
    if (f->set.size == 0)
        return;
    add_byte(&f->payload, SIM_F_SET);
    add_byte(&f->payload, TAG_LIST);
    write_u32(extend(&f->payload, 4), (uint32_t)f->set.size);
    memcpy(extend(&f->payload, f->set.size), f->set.at, f->set.size);
}

/* Appends one finished record to the store. */
static void commit(struct sim_trace *trace, const uint8_t *record, size_t size)
{
    struct sim_trace_store *s = trace->store;
    if (s->options.mode == SIM_TRACE_DIGEST)
        s->bytes.size = 0;
    size_t offset = s->bytes.size;
    memcpy(extend(&s->bytes, size), record, size);
    XXH3_64bits_update(s->digest, record, size);
    s->counts[sim_read_u32(record + 28)]++;
    s->count++;
    if (s->options.mode == SIM_TRACE_KEEP) {
        s->offset = sim_grow(s->offset, &s->offset_capacity, s->count, sizeof(*s->offset));
        s->offset[s->count - 1] = offset;
    }
    if (s->listener != NULL) {
        struct sim_record view;
        sim_trace_get(trace, s->count, &view);
        s->listener(s->listener_context, &view);
    }
}

static void commit_pending(struct sim_trace *trace)
{
    struct sim_trace_store *s = trace->store;
    for (size_t at = 0; at < s->pending.size;) {
        size_t size = SIM_HEADER + sim_read_u32(s->pending.at + at + 24);
        commit(trace, s->pending.at + at, size);
        at += size;
    }
    s->pending.size = 0;
    s->pending_count = 0;
}

static uint64_t end_frame(struct sim_trace *trace)
{
    struct sim_trace_store *s = trace->store;
    assert(s->open_frames > 0);
    struct sim_frame *f = &s->frame[s->open_frames - 1];
    assert(f->depth == 0 && f->target == &f->payload);
    append_sets(f);
    write_header(f);
    s->open_frames--;
    if (s->open_frames > 0) {
        memcpy(extend(&s->pending, f->payload.size), f->payload.at, f->payload.size);
        s->pending_count++;
    } else {
        commit(trace, f->payload.at, f->payload.size);
        commit_pending(trace);
    }
    return f->n;
}

void sim_trace_settle(struct sim_trace_store *s)
{
    if (s->open_frames > 0 && s->frame[s->open_frames - 1].merging) {
        struct sim_trace trace = {.on = true, .store = s};
        end_frame(&trace);
    }
}

bool sim_trace_begin(struct sim_trace *trace, enum sim_kind kind, int64_t t, sim_lane at,
                     uint64_t by, uint64_t mute)
{
    if (!trace->on || (trace->store->options.without >> kind & 1u) != 0)
        return false;
    sim_trace_settle(trace->store);
    begin_frame(trace->store, kind, t, at, by, mute);
    return true;
}

uint64_t sim_trace_end(struct sim_trace *trace)
{
    sim_trace_settle(trace->store);
    return end_frame(trace);
}

uint64_t sim_trace_open_number(const struct sim_trace *trace)
{
    assert(trace->store->open_frames > 0);
    return sim_top(trace)->n;
}

bool sim_trace_learn(struct sim_trace *trace, int64_t t, sim_lane at, uint64_t by)
{
    struct sim_trace_store *s = trace->store;
    if (!trace->on || (s->options.without >> SIM_K_LEARN & 1u) != 0)
        return false;
    if (s->open_frames > 0) {
        struct sim_frame *f = sim_top(trace);
        if (f->merging && f->t == t && f->at == at && f->by == by)
            return true;
    }
    sim_trace_settle(s);
    begin_frame(s, SIM_K_LEARN, t, at, by, 0);
    sim_top(trace)->merging = true;
    return true;
}

/* ---- fields ---- */

/* Writes the field of a value, where it stands in a record or an object. */
static struct sim_bytes *add_field(struct sim_trace *trace, enum sim_field field)
{
    struct sim_frame *f = sim_top(trace);
    if (field != SIM_F_NONE) {
        assert(f->depth > 0 || f->target == &f->set ||
               (trace->store->allowed[f->kind][field / 64] >> (field % 64) & 1u) != 0);
        add_byte(f->target, (uint8_t)field);
    }
    return f->target;
}

void sim_trace_int(struct sim_trace *trace, enum sim_field field, int64_t value)
{
    struct sim_bytes *b = add_field(trace, field);
    add_byte(b, TAG_INT);
    add_varint(b, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void sim_trace_bytes(struct sim_trace *trace, enum sim_field field, const void *bytes, size_t size)
{
    struct sim_bytes *b = add_field(trace, field);
    add_byte(b, TAG_TEXT);
    add_varint(b, size);
    uint8_t *at = extend(b, size + 1);
    if (size > 0)
        memcpy(at, bytes, size);
    at[size] = '\0';
}

void sim_trace_text(struct sim_trace *trace, enum sim_field field, const char *text)
{
    sim_trace_bytes(trace, field, text, strlen(text));
}

void sim_trace_null(struct sim_trace *trace, enum sim_field field)
{
    add_byte(add_field(trace, field), TAG_NULL);
}

void sim_trace_lane(struct sim_trace *trace, enum sim_field field, sim_lane lane)
{
    char text[SIM_LANE_TEXT];
    sim_trace_text(trace, field, sim_lane_text(text, lane));
}

void sim_trace_partition(struct sim_trace *trace, enum sim_field field, const char *topic,
                         int32_t partition)
{
    char text[SM_TOPIC_NAME_MAX + 16];
    snprintf(text, sizeof(text), "%s-%" PRId32, topic, partition);
    sim_trace_text(trace, field, text);
}

static void open_container(struct sim_trace *trace, enum sim_field field, uint8_t tag)
{
    struct sim_bytes *b = add_field(trace, field);
    struct sim_frame *f = sim_top(trace);
    assert(f->depth < SIM_DEPTH_MAX);
    add_byte(b, tag);
    f->open[f->depth++] = b->size;
    extend(b, 4);
}

static void close_container(struct sim_trace *trace)
{
    struct sim_frame *f = sim_top(trace);
    assert(f->depth > 0);
    size_t at = f->open[--f->depth];
    write_u32(f->target->at + at, (uint32_t)(f->target->size - at - 4));
}

void sim_trace_list_begin(struct sim_trace *trace, enum sim_field field)
{
    open_container(trace, field, TAG_LIST);
}

void sim_trace_list_end(struct sim_trace *trace)
{
    close_container(trace);
}

void sim_trace_object_begin(struct sim_trace *trace, enum sim_field field)
{
    open_container(trace, field, TAG_OBJECT);
}

void sim_trace_object_end(struct sim_trace *trace)
{
    close_container(trace);
}

void sim_trace_ids(struct sim_trace *trace, enum sim_field field, const int32_t *ids, size_t count)
{
    sim_trace_list_begin(trace, field);
    for (size_t i = 0; i < count; i++)
        sim_trace_int(trace, SIM_F_NONE, ids[i]);
    sim_trace_list_end(trace);
}

/* ---- facts ---- */

static void remember_setter(struct sim_trace_store *s, const char *key, size_t size, uint64_t n,
                            bool present)
{
    uint32_t id = sim_keys_intern(&s->keys, key, size);
    s->setter = sim_grow(s->setter, &s->setter_capacity, (size_t)id + 1, sizeof(*s->setter));
    s->present = sim_grow(s->present, &s->present_capacity, (size_t)id + 1, sizeof(*s->present));
    s->setter[id] = (uint32_t)n;
    s->present[id] = present;
}

/* A pair [key, value]: the list stays open until set_end. */
static void open_set(struct sim_trace *trace, const char *key, bool present)
{
    struct sim_frame *f = sim_top(trace);
    assert(f->depth == 0 && f->target == &f->payload);
    remember_setter(trace->store, key, strlen(key), f->n, present);
    f->target = &f->set;
    sim_trace_list_begin(trace, SIM_F_NONE);
    sim_trace_text(trace, SIM_F_NONE, key);
}

void sim_trace_set_begin(struct sim_trace *trace, const char *key)
{
    open_set(trace, key, true);
}

void sim_trace_set_end(struct sim_trace *trace)
{
    sim_trace_list_end(trace);
    struct sim_frame *f = sim_top(trace);
    assert(f->depth == 0 && f->target == &f->set);
    f->target = &f->payload;
}

void sim_trace_set_int(struct sim_trace *trace, const char *key, int64_t value)
{
    open_set(trace, key, true);
    sim_trace_int(trace, SIM_F_NONE, value);
    sim_trace_set_end(trace);
}

void sim_trace_set_text(struct sim_trace *trace, const char *key, const char *text)
{
    open_set(trace, key, true);
    sim_trace_text(trace, SIM_F_NONE, text);
    sim_trace_set_end(trace);
}

void sim_trace_set_ids(struct sim_trace *trace, const char *key, const int32_t *ids, size_t count)
{
    open_set(trace, key, true);
    sim_trace_ids(trace, SIM_F_NONE, ids, count);
    sim_trace_set_end(trace);
}

void sim_trace_set_null(struct sim_trace *trace, const char *key)
{
    open_set(trace, key, false);
    sim_trace_null(trace, SIM_F_NONE);
    sim_trace_set_end(trace);
}

void sim_trace_set_znode(struct sim_trace *trace, const char *path, const void *data, size_t size,
                         const struct wire_zk_stat *stat)
{
    const char *key = sim_trace_key(trace, "zn:%s", path);
    if (stat == NULL) {
        sim_trace_set_null(trace, key);
        return;
    }
    sim_trace_set_begin(trace, key);
    sim_trace_object_begin(trace, SIM_F_NONE);
    if (data != NULL)
        sim_trace_bytes(trace, SIM_F_DATA, data, size);
    else
        sim_trace_null(trace, SIM_F_DATA);
    sim_trace_int(trace, SIM_F_VERSION, stat->version);
    sim_trace_int(trace, SIM_F_CZXID, stat->czxid);
    sim_trace_int(trace, SIM_F_MZXID, stat->mzxid);
    sim_trace_int(trace, SIM_F_PZXID, stat->pzxid);
    sim_trace_int(trace, SIM_F_CTIME, stat->ctime);
    sim_trace_int(trace, SIM_F_MTIME, stat->mtime);
    sim_trace_int(trace, SIM_F_CVERSION, stat->cversion);
    sim_trace_int(trace, SIM_F_OWNER, stat->ephemeral_owner);
    sim_trace_object_end(trace);
    sim_trace_set_end(trace);
}

const char *sim_trace_key(struct sim_trace *trace, const char *format, ...)
{
    struct sim_bytes *b = &trace->store->key;
    for (size_t need = 512;;) {
        b->at = sim_grow(b->at, &b->capacity, need, 1);
        va_list arguments;
        va_start(arguments, format);
        int size = vsnprintf((char *)b->at, b->capacity, format, arguments);
        va_end(arguments);
        assert(size >= 0);
        if ((size_t)size < b->capacity)
            return (const char *)b->at;
        need = (size_t)size + 1;
    }
}

uint64_t sim_trace_last_setter(const struct sim_trace *trace, const char *key)
{
    const struct sim_trace_store *s = trace->store;
    uint32_t id = sim_keys_find(&s->keys, key, strlen(key));
    return id == SIM_NO_KEY ? 0 : s->setter[id];
}

void sim_trace_refs_begin(struct sim_trace *trace)
{
    trace->store->ref_count = 0;
    sim_trace_list_begin(trace, SIM_F_REFS);
}

void sim_trace_ref(struct sim_trace *trace, uint64_t n)
{
    struct sim_trace_store *s = trace->store;
    if (n == 0)
        return;
    for (size_t i = 0; i < s->ref_count; i++)
        if (s->refs[i] == n)
            return;
    if (s->ref_count < sizeof(s->refs) / sizeof(s->refs[0]))
        s->refs[s->ref_count++] = n;
    sim_trace_int(trace, SIM_F_NONE, (int64_t)n);
}

void sim_trace_refs_end(struct sim_trace *trace)
{
    sim_trace_list_end(trace);
}

/* ---- a node that goes ---- */

/* Whether the key is memory of the process: gone when it dies. What brokers keep on disk stays. */
static bool is_memory_of(const char *key, int32_t node)
{
    static const char *const prefixes[] = {"ctx.%d.", "role.%d", "bel.%d.",
                                           "ps.%d.",  "rs.%d.",  "b.%d."};
    static const char *const disk[] = {".leo", ".hw", ".lso", ".start"};
    for (size_t i = 0; i < sizeof(disk) / sizeof(disk[0]); i++) {
        size_t size = strlen(key), tail = strlen(disk[i]);
        if (size > tail && strcmp(key + size - tail, disk[i]) == 0)
            return false;
    }
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        char prefix[32];
        int size = snprintf(prefix, sizeof(prefix), prefixes[i], (int)node);
        bool exact = prefix[size - 1] != '.';
        if (exact ? strcmp(key, prefix) == 0 : strncmp(key, prefix, (size_t)size) == 0)
            return true;
    }
    return false;
}

uint64_t sim_trace_pause_of(const struct sim_trace *trace, int32_t node)
{
    const struct sim_trace_store *s = trace->store;
    for (size_t i = 0; i < s->pause_count; i++)
        if (s->pauses[i].node == node)
            return s->pauses[i].n;
    return 0;
}

static void note_pause(struct sim_trace_store *s, int32_t node, uint64_t n)
{
    size_t i = 0;
    while (i < s->pause_count && s->pauses[i].node != node)
        i++;
    if (i == s->pause_count) {
        s->pauses = sim_grow(s->pauses, &s->pause_capacity, i + 1, sizeof(*s->pauses));
        s->pause_count++;
    }
    s->pauses[i] = (struct sim_pause_note){.node = node, .n = n};
}

void sim_trace_set_client(struct sim_trace *trace, sim_lane client, const char *state,
                          int32_t incarnation)
{
    char lane[SIM_LANE_TEXT];
    sim_trace_set_begin(trace, sim_trace_key(trace, "node.%s", sim_lane_text(lane, client)));
    sim_trace_object_begin(trace, SIM_F_NONE);
    sim_trace_text(trace, SIM_F_STATE, state);
    sim_trace_int(trace, SIM_F_INCARNATION, incarnation);
    sim_trace_object_end(trace);
    sim_trace_set_end(trace);
}

void sim_trace_set_node(struct sim_trace *trace, int32_t node, const char *state,
                        int32_t incarnation)
{
    if (sim_id_is_client(node)) {
        sim_trace_set_client(trace, sim_client_lane(node), state, incarnation);
        return;
    }
    sim_trace_set_begin(trace, sim_trace_key(trace, "node.%" PRId32, node));
    sim_trace_object_begin(trace, SIM_F_NONE);
    sim_trace_text(trace, SIM_F_STATE, state);
    sim_trace_int(trace, SIM_F_INCARNATION, incarnation);
    sim_trace_object_end(trace);
    sim_trace_set_end(trace);
    if (strcmp(state, "paused") == 0)
        note_pause(trace->store, node, sim_top(trace)->n);
    if (strcmp(state, "down") != 0)
        return;
    const struct sim_trace_store *s = trace->store;
    for (uint32_t id = 0; id < s->keys.count; id++)
        if (s->present[id] && is_memory_of(sim_keys_name(&s->keys, id), node))
            sim_trace_set_null(trace, sim_trace_key(trace, "%s", sim_keys_name(&s->keys, id)));
}

/* ---- digest ---- */

uint64_t sim_trace_digest(const struct sim_trace *trace)
{
    sim_trace_settle(trace->store);
    return XXH3_64bits_digest(trace->store->digest);
}

bool sim_trace_finish_begin(struct sim_trace *trace, int64_t t, const char *verdict,
                            uint64_t *digest)
{
    *digest = 0;
    if (!trace->on)
        return false;
    struct sim_trace_store *s = trace->store;
    *digest = sim_trace_digest(trace);
    if (!sim_trace_begin(trace, SIM_K_FINISH, t, SIM_LANE_WORLD, 0, 0))
        return false;
    sim_trace_text(trace, SIM_F_VERDICT, verdict);
    sim_trace_int(trace, SIM_F_RECORDS, (int64_t)s->count + 1);
    sim_trace_list_begin(trace, SIM_F_COUNTS);
    for (int kind = 1; kind < SIM_K_END; kind++) {
        if (s->counts[kind] == 0)
            continue;
        sim_trace_list_begin(trace, SIM_F_NONE);
        sim_trace_text(trace, SIM_F_NONE, sim_kind_name((enum sim_kind)kind));
        sim_trace_int(trace, SIM_F_NONE, (int64_t)s->counts[kind]);
        sim_trace_list_end(trace);
    }
    sim_trace_list_end(trace);
    char text[17];
    snprintf(text, sizeof(text), "%016" PRIx64, *digest);
    sim_trace_text(trace, SIM_F_DIGEST, text);
    return true;
}

uint64_t sim_trace_finish(struct sim_trace *trace, int64_t t, const char *verdict)
{
    uint64_t digest;
    if (sim_trace_finish_begin(trace, t, verdict, &digest))
        sim_trace_end(trace);
    return digest;
}
