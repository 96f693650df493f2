/*
 * The book of clients: what was acknowledged, what was read, and what became of it.
 *
 *     DELIVERED ─► acked[]  with the batch that the leader has at that offset now
 *     RECORD    ─► reads[]  and the audience's bits: who has been handed which value
 *
 * Neighbouring records of one step are one run, which is recorded and told to checks once.
 *
 * The batch of an acknowledged record is looked up in the log of the broker that acknowledged it,
 * when the acknowledgement arrives. Exception: where that log has lost it meanwhile, or holds
 * another record there, the handle is 0.
 */
#include <assert.h>
#include <stdio.h>

#include "sim/client_state.h"
#include "sim/records.h"
#include "sim/trace_client.h"
#include "wire/errors.h"

/* ---- values ---- */

size_t sim_value_write(const struct sim_world *w, struct sim_value_name name, char *out)
{
    const struct sim_client *c = w->clients->client[name.producer];
    return (size_t)snprintf(out, SIM_VALUE_TEXT, "p%d#%lld", c->spec->number,
                            (long long)name.number);
}

static bool read_digits(const uint8_t **at, const uint8_t *end, int64_t *out)
{
    const uint8_t *begin = *at;
    int64_t number = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && number < INT64_MAX / 100; (*at)++)
        number = number * 10 + (**at - '0');
    *out = number;
    return *at > begin && *begin != '0';
}

struct sim_value_name sim_value_read(const struct sim_world *w, const void *bytes, size_t size)
{
    const struct sim_value_name none = {.producer = -1};
    const uint8_t *at = bytes, *end = at + size;
    int64_t lane, number;
    if (size < 4 || *at++ != 'p' || !read_digits(&at, end, &lane) || at == end || *at++ != '#' ||
        !read_digits(&at, end, &number) || (at < end && *at != '.'))
        return none;
    if (w->clients == NULL || lane > w->clients->count ||
        w->clients->producers[lane - 1] == UINT32_MAX)
        return none;
    return (struct sim_value_name){.number = number,
                                   .producer = (int32_t)w->clients->producers[lane - 1]};
}

/* ---- topics and audiences ---- */

int32_t sim_client_book_topic(struct sim_clients *k, const char *name)
{
    for (uint32_t i = 0; i < k->topic_count; i++)
        if (strcmp(k->topics[i], name) == 0)
            return (int32_t)i;
    k->topics = sim_realloc(k->topics, (k->topic_count + 1) * sizeof(*k->topics));
    k->topics[k->topic_count] = sim_copy(name, strlen(name) + 1);
    return (int32_t)k->topic_count++;
}

const char *sim_client_topic(const struct sim_world *w, int32_t topic)
{
    return w->clients->topics[topic];
}

struct sim_audience *sim_client_audience(struct sim_clients *k, const char *group)
{
    for (uint32_t i = 0; group != NULL && i < k->audience_count; i++)
        if (k->audiences[i]->group != NULL && strcmp(k->audiences[i]->group, group) == 0)
            return k->audiences[i];
    struct sim_audience *a = sim_alloc(sizeof(*a));
    a->group = group;
    a->seen = sim_alloc(k->count * sizeof(*a->seen));
    a->seen_size = sim_alloc(k->count * sizeof(*a->seen_size));
    k->audiences = sim_realloc(k->audiences, (k->audience_count + 1) * sizeof(*k->audiences));
    k->audiences[k->audience_count++] = a;
    return a;
}

static struct sim_client_place *place_of(struct sim_audience *a, int32_t topic, int32_t partition)
{
    for (uint32_t i = 0; i < a->place_count; i++) /* from where it was last: mostly the first */
        if (a->places[(a->place_hint + i) % a->place_count].topic == topic &&
            a->places[(a->place_hint + i) % a->place_count].partition == partition) {
            a->place_hint = (a->place_hint + i) % a->place_count;
            return &a->places[a->place_hint];
        }
    if (a->place_count == a->place_capacity) {
        a->place_capacity = a->place_capacity * 2 + 8;
        a->places = sim_realloc(a->places, a->place_capacity * sizeof(*a->places));
    }
    a->place_hint = a->place_count;
    a->places[a->place_count] =
        (struct sim_client_place){.topic = topic, .partition = partition, .next = -1};
    return &a->places[a->place_count++];
}

static bool has_seen(const struct sim_audience *a, struct sim_value_name v)
{
    return v.number < a->seen_size[v.producer] &&
           (a->seen[v.producer][v.number / 64] >> (v.number % 64) & 1) != 0;
}

/* Returns whether it had been seen before. */
static bool see(struct sim_audience *a, struct sim_value_name v)
{
    if (v.number >= a->seen_size[v.producer]) {
        int64_t size = (v.number * 2 + 1024) & ~INT64_C(63), old = a->seen_size[v.producer];
        uint64_t *bits = sim_realloc(a->seen[v.producer], (size_t)size / 8);
        memset(bits + old / 64, 0, (size_t)(size - old) / 8);
        a->seen[v.producer] = bits;
        a->seen_size[v.producer] = size;
    }
    bool before = has_seen(a, v);
    a->seen[v.producer][v.number / 64] |= UINT64_C(1) << (v.number % 64);
    return before;
}

/* ---- looking into logs ---- */

const struct kb_batch *sim_client_batch_at(const struct kb_partition_view *view, int64_t offset)
{
    uint32_t low = 0, high = view->batch_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (view->batches[middle].base_offset + view->batches[middle].last_offset_delta < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < view->batch_count && view->batches[low].base_offset <= offset ? &view->batches[low]
                                                                               : NULL;
}

/* The value of the record at `offset` in a batch; {0, -1} where it cannot be read. */
struct sim_value_name sim_client_value_in(const struct sim_world *w, const struct kb_batch *batch,
                                          int64_t offset)
{
    struct sim_value_name value = {.producer = -1};
    struct sim_records records;
    struct wire_log_record record;
    if ((batch->flags & KB_CONTROL) != 0 || !sim_records_open(w, batch, &records))
        return value;
    while (wire_log_record_next(&records.walk, &record) == SM_ERR_OK)
        if (record.offset - records.head.base_offset == offset - batch->base_offset) {
            if (record.value != NULL)
                value = sim_value_read(w, record.value, (size_t)record.value_size);
            break;
        }
    sim_records_close(&records);
    return value;
}

bool sim_client_view(const struct sim_world *w, int32_t broker_id, const char *topic,
                     int32_t partition, struct kb_partition_view *view)
{
    const struct sim_process *p = sim_find(w, broker_id);
    return p != NULL && p->replicas != NULL && kb_partition(p->replicas, topic, partition, view);
}

/* ---- runs ---- */

/* One record more: joins the run, or ends it and begins another. */
static void add_to_run(struct sim_client_turn *t, bool is_read, int32_t topic,
                       const struct kl_output *o, struct sim_value_name value, uint64_t at)
{
    struct sim_client_run *r = &t->run;
    bool joins = r->count > 0 && r->is_read == is_read && r->topic == topic &&
                 r->partition == o->partition && r->error == o->error &&
                 r->persisted == o->persisted &&
                 (o->offset < 0 ? r->first < 0 : r->first + r->count == o->offset) &&
                 value.producer == r->to.producer;
    if (!joins) {
        sim_client_book_run_ends(t);
        *r = (struct sim_client_run){.is_read = is_read,
                                     .topic = topic,
                                     .partition = o->partition,
                                     .error = o->error,
                                     .persisted = o->persisted,
                                     .first = o->offset,
                                     .from = value,
                                     .at = at};
    }
    r->count++;
    r->to = value;
}

void sim_client_book_run_ends(struct sim_client_turn *t)
{
    struct sim_client_run *r = &t->run;
    if (r->count == 0)
        return;
    struct sim_client_run run = *r;
    r->count = 0;
    r->batch = NULL;
    uint64_t cause =
        !run.is_read
            ? 0
            : sim_client_marks_find(t->w->clients, t->broker_id, sim_client_topic(t->w, run.topic),
                                    run.partition, run.first + run.count - 1,
                                    t->c->spec->config.isolation == KL_READ_COMMITTED);
    uint64_t record = sim_trace_client_run(t->w, t->c, cause != 0 ? cause : t->record, &run);
    sim_touch(run.is_read ? (void *)t->w->clients->reads : (void *)t->w->clients->acked);
    for (int64_t i = 0; run.is_read && i < run.count; i++)
        t->w->clients->reads[run.at + (uint64_t)i].record = record;
    for (int64_t i = 0; !run.is_read && run.error == 0 && i < run.count; i++)
        t->w->clients->acked[run.at + (uint64_t)i].record = record;
}

/* ---- delivered ---- */

/* The batch that holds a record acknowledged by the broker of this turn; NULL: not there. Of a run
   only the first record is compared with what the batch holds. */
static const struct kb_batch *acknowledged_batch(struct sim_client_turn *t,
                                                 const struct kl_output *o,
                                                 struct sim_value_name value)
{
    struct kb_partition_view view;
    const struct kb_batch *known = t->run.batch;
    if (known != NULL && t->run.count > 0 && t->run.partition == o->partition &&
        o->offset >= known->base_offset &&
        o->offset <= known->base_offset + known->last_offset_delta)
        return known;
    if (o->offset < 0 || t->broker_id < 0 ||
        !sim_client_view(t->w, t->broker_id, o->topic, o->partition, &view))
        return NULL;
    const struct kb_batch *batch = sim_client_batch_at(&view, o->offset);
    if (batch == NULL)
        return NULL;
    struct sim_value_name held = sim_client_value_in(t->w, batch, o->offset);
    return held.number == value.number && held.producer == value.producer ? batch : NULL;
}

static void add_acked(struct sim_client_turn *t, const struct kl_output *o, int32_t topic,
                      struct sim_value_name value, const struct kb_batch *batch)
{
    struct sim_clients *k = t->w->clients;
    const struct kl_config *config = &t->c->spec->config;
    if (k->acked_count == k->acked_capacity) {
        k->acked_capacity = k->acked_capacity * 2 + 256;
        k->acked = sim_block(sim_realloc(k->acked, k->acked_capacity * sizeof(*k->acked)));
    }
    sim_touch(k->acked);
    k->acked[k->acked_count++] =
        (struct sim_acked){.value = value,
                           .time_us = t->w->now_us,
                           .offset = o->offset,
                           .payload = batch == NULL ? 0 : batch->payload,
                           .topic = topic,
                           .partition = o->partition,
                           .leader = t->broker_id,
                           .leader_epoch = batch == NULL ? -1 : batch->leader_epoch,
                           .delta = batch == NULL ? 0 : (uint32_t)(o->offset - batch->base_offset),
                           .acks = (int16_t)config->acks,
                           .transactional = config->transactional_id != NULL,
                           .transaction = t->c->txn_count};
}

void sim_client_book_delivered(struct sim_client_turn *t, const struct kl_output *o)
{
    struct sim_client *c = t->c;
    struct sim_value_name value = {.number = (int64_t)o->tag, .producer = (int32_t)c->index};
    int32_t topic = sim_client_book_topic(t->w->clients, o->topic);
    assert(c->counts.open > 0);
    c->counts.open--;
    if (o->error == 0) {
        const struct kb_batch *batch = acknowledged_batch(t, o, value);
        c->counts.acked++;
        add_to_run(t, false, topic, o, value, t->w->clients->acked_count);
        t->run.batch = batch;
        add_acked(t, o, topic, value, batch);
        return;
    }
    if (o->persisted == KL_NOT_PERSISTED)
        c->counts.failed++;
    else
        c->counts.possibly++;
    add_to_run(t, false, topic, o, value, 0);
}

void sim_client_book_gone(struct sim_client *c)
{
    c->counts.possibly += c->counts.open;
    c->counts.open = 0;
}

/* ---- read ---- */

/* Offsets in [from, to) of the log it was read from that hold records it should have been handed:
   control records are nobody's, and of transactions only the broker knows which were aborted. */
static uint64_t missed(const struct sim_client_turn *t, const struct kl_output *o, int64_t from,
                       int64_t to)
{
    struct kb_partition_view view;
    uint64_t count = 0;
    bool committed = t->c->spec->config.isolation == KL_READ_COMMITTED;
    if (!sim_client_view(t->w, t->broker_id, o->topic, o->partition, &view))
        return 0;
    for (int64_t at = from > view.log_start ? from : view.log_start; at < to;) {
        const struct kb_batch *b = sim_client_batch_at(&view, at);
        if (b == NULL)
            break;
        int64_t end = b->base_offset + b->last_offset_delta + 1;
        bool counts =
            (b->flags & KB_CONTROL) == 0 && (!committed || (b->flags & KB_TRANSACTIONAL) == 0);
        count += counts ? (uint64_t)((end < to ? end : to) - at) : 0;
        at = end;
    }
    return count;
}

static void add_read(struct sim_client_turn *t, const struct kl_output *o, int32_t topic,
                     struct sim_value_name value)
{
    struct sim_clients *k = t->w->clients;
    if (k->read_count == k->read_capacity) {
        k->read_capacity = k->read_capacity * 2 + 256;
        k->reads = sim_block(sim_realloc(k->reads, k->read_capacity * sizeof(*k->reads)));
    }
    sim_touch(k->reads);
    k->reads[k->read_count++] =
        (struct sim_read){.value = value,
                          .time_us = t->w->now_us,
                          .offset = o->offset,
                          .topic = topic,
                          .partition = o->partition,
                          .client = (int32_t)t->c->index,
                          .leader = t->broker_id,
                          .leader_epoch = o->leader_epoch,
                          .committed = t->c->spec->config.isolation == KL_READ_COMMITTED};
}

void sim_client_book_read(struct sim_client_turn *t, const struct kl_output *o)
{
    struct sim_client *c = t->c;
    int32_t topic = sim_client_book_topic(t->w->clients, o->topic);
    struct sim_value_name value =
        sim_value_read(t->w, o->value, o->value_size < 0 ? 0 : (size_t)o->value_size);
    struct sim_client_place *place = place_of(c->audience, topic, o->partition);
    c->counts.read++;
    if (value.number > 0 && see(c->audience, value))
        c->counts.duplicates++;
    if (place->next >= 0 && o->offset > place->next)
        c->counts.gaps += missed(t, o, place->next, o->offset);
    if (o->offset >= place->next)
        place->next = o->offset + 1;
    add_to_run(t, true, topic, o, value, t->w->clients->read_count);
    add_read(t, o, topic, value);
    if (c->spec->transforms)
        sim_client_work_transforms(t, (struct sim_input){.value = value,
                                                         .offset = o->offset,
                                                         .read = t->w->clients->read_count - 1,
                                                         .topic = topic,
                                                         .partition = o->partition,
                                                         .leader_epoch = o->leader_epoch});
}

/* ---- looking ---- */

struct sim_ledger sim_world_ledger(const struct sim_world *w)
{
    const struct sim_clients *k = w->clients;
    if (k == NULL)
        return (struct sim_ledger){0};
    return (struct sim_ledger){.acked = k->acked,
                               .reads = k->reads,
                               .acked_count = k->acked_count,
                               .read_count = k->read_count};
}

struct sim_client_counts sim_client_counts(const struct sim_world *w, uint32_t index)
{
    return w->clients->client[index]->counts;
}

bool sim_client_has_seen(const struct sim_world *w, uint32_t index, struct sim_value_name value)
{
    return has_seen(w->clients->client[index]->audience, value);
}

bool sim_client_reads_topic(const struct sim_client *c, const struct sim_world *w, int32_t topic)
{
    for (uint32_t i = 0; i < c->spec->topic_count; i++)
        if (strcmp(c->spec->topics[i], w->clients->topics[topic]) == 0)
            return true;
    return false;
}

/* A partition counts where its leader lives and is known; what a leader has beyond its last stable
   offset nobody can be handed. One of its own whose position it still asks for counts, too: a
   consumer that has only just begun has read nothing. */
static bool is_behind(const struct sim_world *w, const struct sim_client *c, const char *topic,
                      int32_t partition, bool own)
{
    int64_t position = kl_client_position(c->kl, topic, partition);
    if (position < 0 && (!own || c->spec->config.auto_offset_reset == KL_RESET_NONE))
        return false;
    for (uint32_t i = 0; i < w->process_count; i++) {
        const struct sim_process *p = w->processes[i];
        struct kb_partition_view view;
        if (p->life == SIM_UP && p->replicas != NULL &&
            kb_is_leader(p->replicas, topic, partition) &&
            kb_partition(p->replicas, topic, partition, &view))
            return position <
                   (c->spec->config.isolation == KL_READ_COMMITTED ? view.last_stable : view.hw);
    }
    return false;
}

bool sim_client_book_has_caught_up(const struct sim_world *w, const struct sim_client *c)
{
    const struct sim_audience *a = c->audience;
    const char *topic;
    int32_t partition;
    uint32_t at = 0;
    while ((topic = kl_client_assigned_next(c->kl, &at, &partition)) != NULL)
        if (is_behind(w, c, topic, partition, true))
            return false;
    if (c->spec->config.group_id == NULL)
        return c->assigned_count > 0;
    if (kl_client_group_state(c->kl) != KL_GROUP_STABLE || c->rebalances)
        return false;
    for (uint32_t i = 0; i < a->place_count; i++)
        if (is_behind(w, c, w->clients->topics[a->places[i].topic], a->places[i].partition, false))
            return false;
    return true;
}

void sim_client_book_free(struct sim_clients *k)
{
    for (uint32_t i = 0; i < k->audience_count; i++) {
        struct sim_audience *a = k->audiences[i];
        for (uint32_t p = 0; p < k->count; p++)
            sim_free(a->seen[p]);
        sim_free(a->seen);
        sim_free(a->seen_size);
        sim_free(a->places);
        sim_free(a);
    }
    for (uint32_t i = 0; i < k->topic_count; i++)
        sim_free(k->topics[i]);
    sim_free(k->audiences);
    sim_free(k->topics);
    sim_client_marks_free(k);
    sim_free(k->leads);
    sim_free(k->acked);
    sim_free(k->reads);
    sim_free(k->padding);
}
