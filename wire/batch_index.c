/*
 * Making the index of a batch.
 *
 *     one walk measures: recipients, records of metadata, their ids
 *     one walk fills the lists of recipients, and notes {topic, partition, offset} of the metadata
 *     the notes are sorted by (topic, partition): radix, stable, eleven bits a turn
 *     the entries are written in that order
 *
 * Topics are numbered in the order in which they come, through a hash over their names; the table
 * is in the scratch and gone afterwards.
 */
#include "wire/batch_index.h"

#include <assert.h>
#include <string.h>

#include "wire/batch_pick.h"

enum {
    WORTH_IT = 32, /* live records: fewer are walked as fast */
    PARTITION_BITS = 22,
    RADIX_BITS = 11,
    RADIX = 1 << RADIX_BITS,
};

_Static_assert(sizeof(struct wire_batch_index) % 8 == 0, "what follows the head is aligned");

struct note {
    uint32_t topic, partition, record;
};

struct measure {
    uint64_t recipients, metadata, ids;
};

static uint64_t up8(uint64_t n)
{
    return (n + 7) / 8 * 8;
}

static uint8_t *bytes_at(struct wire_batch *b, uint64_t offset)
{
    return (uint8_t *)(void *)b + offset;
}

/* Whether every record could be read; only then is what a walk saw all there is. */
static bool measure(const struct wire_batch *b, struct measure *m)
{
    struct wire_record_view v = {0};
    uint64_t live = 0;
    *m = (struct measure){0};
    while (wire_batch_next(b, WIRE_RECORD_DEAD, &v)) {
        const struct wire_record *r = v.record;
        live++;
        if (r->kind == WIRE_RECORD_UPDATE_METADATA) {
            m->metadata++;
            m->ids += 0u + r->isr_count + r->replica_count + r->offline_count;
        } else {
            for (uint32_t i = 0; i < b->set_words; i++)
                m->recipients += (uint64_t)__builtin_popcountll(v.to[i]);
        }
    }
    return live == (uint64_t)b->count[0] + b->count[1] + b->count[2];
}

static uint64_t buckets_for(uint64_t metadata)
{
    uint64_t n = 64;
    while (n < 2 * metadata)
        n *= 2;
    return n;
}

/* Offsets of the parts, and the end. */
static struct wire_batch_index lay_out(const struct wire_batch *b, const struct measure *m,
                                       uint64_t topics, uint64_t *end)
{
    uint64_t lists = 2ull * b->set_words * 64;
    uint64_t starts = up8(b->size) + sizeof(struct wire_batch_index);
    uint64_t offsets = starts + 4 * (lists + 1);
    uint64_t topics_at = up8(offsets + 4 * m->recipients);
    *end = up8(topics_at + topics * sizeof(struct wire_batch_topic) +
               m->metadata * sizeof(struct wire_batch_entry) + 4 * m->ids);
    return (struct wire_batch_index){.brokers = b->set_words * 64,
                                     .starts = (uint32_t)starts,
                                     .offsets = (uint32_t)offsets,
                                     .topics = (uint32_t)topics_at};
}

struct wire_batch_index_room wire_batch_index_room(const struct wire_batch *b)
{
    struct measure m;
    uint64_t end;
    if ((uint64_t)b->count[0] + b->count[1] + b->count[2] < WORTH_IT || b->index != 0 ||
        !measure(b, &m))
        return (struct wire_batch_index_room){0};
    lay_out(b, &m, m.metadata, &end);
    if (end > UINT32_MAX)
        return (struct wire_batch_index_room){0};
    return (struct wire_batch_index_room){.index = end - b->size,
                                          .scratch = up8(2 * m.metadata * sizeof(struct note)) +
                                                     4 * buckets_for(m.metadata)};
}

/* ---- recipients ---- */

static uint32_t list_of(const struct wire_record *r, uint32_t broker)
{
    return 2 * broker + (r->kind == WIRE_RECORD_STOP_REPLICA ? 1 : 0);
}

/* Counts, then makes beginnings of them; filling moves each to its end, which is the next one's
   beginning. */
static void fill_lists(struct wire_batch *b, const struct wire_batch_index *x)
{
    uint32_t *starts = (void *)bytes_at(b, x->starts), *offsets = (void *)bytes_at(b, x->offsets);
    uint32_t lists = 2 * x->brokers;
    memset(starts, 0, 4ull * (lists + 1));
    for (int turn = 0; turn < 2; turn++) {
        for (struct wire_record_view v = {0}; wire_batch_next(b, WIRE_RECORD_DEAD, &v);)
            for (uint32_t i = 0; v.to != NULL && i < b->set_words; i++)
                for (uint64_t left = v.to[i]; left != 0; left &= left - 1) {
                    uint32_t list = list_of(v.record, 64 * i + (uint32_t)__builtin_ctzll(left));
                    if (turn == 0)
                        starts[list]++;
                    else
                        offsets[starts[list]++] = v.offset;
                }
        if (turn == 0) { /* counts become beginnings */
            uint32_t sum = 0;
            for (uint32_t i = 0; i <= lists; i++) {
                uint32_t count = starts[i];
                starts[i] = sum;
                sum += count;
            }
        }
    }
    memmove(starts + 1, starts, 4ull * lists); /* each has come to its end: the next one's start */
    starts[0] = 0;
}

/* ---- metadata ---- */

struct topics {
    struct wire_batch_topic *list;
    uint32_t count;
    uint32_t *buckets, mask; /* number + 1 */
};

static uint32_t topic_of(const struct wire_batch *b, struct topics *t,
                         const struct wire_record_view *v)
{
    uint32_t size = (uint32_t)v->record->topic_size - 1u;
    const uint8_t *bytes = (const void *)b;
    uint32_t slot = wire_pick_hash(v, 0) & t->mask;
    for (; t->buckets[slot] != 0; slot = (slot + 1) & t->mask) {
        const struct wire_batch_topic *have = &t->list[t->buckets[slot] - 1];
        if (have->name_size == size && memcmp(bytes + have->name, v->topic, size) == 0)
            return t->buckets[slot] - 1;
    }
    uint32_t name = (uint32_t)((const uint8_t *)(const void *)v->topic - bytes);
    t->list[t->count] = (struct wire_batch_topic){.name = name, .name_size = size};
    t->buckets[slot] = ++t->count;
    return t->count - 1;
}

static void sort_by(const struct note *from, struct note *to, uint32_t count, bool topic,
                    uint32_t shift)
{
    uint32_t starts[RADIX + 1] = {0};
    for (uint32_t i = 0; i < count; i++)
        starts[((topic ? from[i].topic : from[i].partition) >> shift & (RADIX - 1)) + 1]++;
    for (uint32_t i = 0; i < RADIX; i++)
        starts[i + 1] += starts[i];
    for (uint32_t i = 0; i < count; i++)
        to[starts[(topic ? from[i].topic : from[i].partition) >> shift & (RADIX - 1)]++] = from[i];
}

/* The notes in order; they end where they began. */
static void sort(struct note *notes, struct note *other, uint32_t count, uint32_t topics)
{
    struct note *in = notes, *out = other;
    for (uint32_t turn = 0; turn < 5; turn++) {
        bool topic = turn >= 2;
        uint32_t shift = RADIX_BITS * (topic ? turn - 2 : turn);
        if (topic && (topics - 1) >> shift == 0)
            break;
        sort_by(in, out, count, topic, shift);
        struct note *swap = in;
        in = out;
        out = swap;
    }
    if (in != notes)
        memcpy(notes, in, count * sizeof(*notes));
}

static bool note_all(const struct wire_batch *b, struct topics *t, struct note *notes,
                     uint32_t *count)
{
    for (struct wire_record_view v = {0}; wire_batch_next(b, WIRE_RECORD_UPDATE_METADATA, &v);) {
        if (v.record->partition < 0 || v.record->partition >> PARTITION_BITS != 0)
            return false;
        notes[(*count)++] = (struct note){.topic = topic_of(b, t, &v),
                                          .partition = (uint32_t)v.record->partition,
                                          .record = v.offset};
    }
    return true;
}

static struct wire_batch_entry *write_entry(struct wire_batch_entry *e,
                                            const struct wire_record_view *v)
{
    const struct wire_record *r = v->record;
    int32_t *ids = (void *)(e + 1);
    *e = (struct wire_batch_entry){.partition = r->partition,
                                   .leader = r->leader,
                                   .leader_epoch = r->leader_epoch,
                                   .replica_count = r->replica_count,
                                   .isr_count = r->isr_count,
                                   .offline_count = r->offline_count,
                                   .is_whole = r->isr_count == r->replica_count &&
                                               memcmp(v->isr, v->replicas, 4u * r->isr_count) == 0};
    memcpy(ids, v->replicas, 4u * r->replica_count);
    memcpy(ids += r->replica_count, v->isr, 4u * r->isr_count);
    memcpy(ids + r->isr_count, v->offline, 4u * r->offline_count);
    return (void *)(ids + r->isr_count + r->offline_count);
}

/* Returns where the entries end. */
static uint8_t *write_entries(struct wire_batch *b, struct wire_batch_index *x, struct topics *t,
                              const struct note *notes, uint32_t count)
{
    struct wire_batch_entry *e = (void *)(t->list + t->count);
    for (uint32_t i = 0; i < count; i++) {
        struct wire_record_view v = {0};
        struct wire_batch_topic *topic = &t->list[notes[i].topic];
        bool fits = wire_batch_at(b, notes[i].record, &v);
        assert(fits);
        if (topic->count++ == 0)
            topic->first = (uint32_t)((uint8_t *)e - bytes_at(b, 0));
        x->removes |= v.record->leader == SM_LEADER_DURING_DELETE;
        e = write_entry(e, &v);
    }
    x->topic_count = t->count;
    return (void *)e;
}

static bool has_twins(const struct note *notes, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (notes[i].topic == notes[i - 1].topic && notes[i].partition == notes[i - 1].partition)
            return true;
    return false;
}

void wire_batch_index_make(struct wire_batch *b, void *scratch)
{
    struct measure m;
    uint64_t end;
    uint32_t count = 0;
    bool fits = measure(b, &m);
    assert(fits);
    assert(b->index == 0);
    struct wire_batch_index x = lay_out(b, &m, m.metadata, &end);
    struct note *notes = scratch;
    uint8_t *buckets = (uint8_t *)scratch + up8(2 * m.metadata * sizeof(*notes));
    struct topics t = {.list = (void *)bytes_at(b, x.topics),
                       .buckets = (void *)buckets,
                       .mask = (uint32_t)buckets_for(m.metadata) - 1};
    memset(bytes_at(b, b->size), 0, x.topics - b->size);
    memset(buckets, 0, 4ull * (t.mask + 1));
    fill_lists(b, &x);
    uint8_t *last = (void *)t.list;
    if (m.metadata > 0 && note_all(b, &t, notes, &count)) {
        sort(notes, notes + m.metadata, count, t.count);
        if (!has_twins(notes, count))
            last = write_entries(b, &x, &t, notes, count);
    }
    uint32_t at = (uint32_t)up8(b->size), size = (uint32_t)up8((uint64_t)(last - bytes_at(b, 0)));
    memset(last, 0, size - (size_t)(last - bytes_at(b, 0)));
    memcpy(bytes_at(b, at), &x, sizeof x);
    b->index = at;
    b->size = size;
}
