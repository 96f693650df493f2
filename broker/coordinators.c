/*
 * The queue between replicas and coordinators, the list of loads, and the table of coordinators.
 *
 *     queue   | first … | a ring of limits.events
 *     loads   | the one being read | next | …      one per partition at most
 *
 * Source: see broker/coordinators.h.
 */
#include "broker/coordinators.h"

#include <assert.h>
#include <string.h>

static const struct kb_coordinator_row *const rows[KB_COORDINATORS] = {
    [KB_COORDINATOR_GROUPS] = &kb_groups_row,
    [KB_COORDINATOR_TXNS] = &kb_txns_row,
};

const char *kb_coordinator_topic(enum kb_coordinator c)
{
    return rows[c]->topic;
}

int32_t kb_coordinator_partitions(const struct kb_broker *b, enum kb_coordinator c)
{
    return (int32_t)rows[c]->partitions(b);
}

/* ---- the queue ---- */

static struct kb_event *event_at(const struct kb_broker *b, uint32_t i)
{
    struct kb_event *ring = (struct kb_event *)(void *)kb_region(b, b->events_at);
    return &ring[(b->first_event + i) % b->limits.events];
}

void kb_event_put(struct kb_broker *b, const struct kb_event *e)
{
    assert(b->event_count < b->limits.events);
    *event_at(b, b->event_count++) = *e;
}

static void event_pop(struct kb_broker *b)
{
    memset(event_at(b, 0), 0, sizeof(struct kb_event));
    b->first_event = (b->first_event + 1) % b->limits.events;
    b->event_count--;
}

bool kb_coordinators_lack_room(struct kb_turn *t)
{
    struct kb_broker *b = t->b;
    uint32_t most = 8, told = b->data_call_count + b->waiting + 8;
    if (!kb_hosts(t))
        return false;
    for (int c = 0; c < KB_COORDINATORS; c++) {
        most += rows[c]->most(b);
        told += 2 * (uint32_t)kb_coordinator_partitions(b, c);
    }
    if (b->limits.events - b->event_count >= (most > told ? most : told))
        return false;
    t->out->short_of = "events";
    return true;
}

size_t kb_coordinators_scratch(const struct kb_broker *b)
{
    size_t most = 0;
    for (int c = 0; c < KB_COORDINATORS; c++) {
        size_t size = rows[c]->scratch(b);
        most = size > most ? size : most;
    }
    return most;
}

void kb_coordinators_on_leadership(struct kb_turn *t, const struct kb_output *o)
{
    for (int c = 0; c < KB_COORDINATORS; c++)
        if (strcmp(o->topic, rows[c]->topic) == 0 &&
            o->partition < kb_coordinator_partitions(t->b, c))
            kb_event_put(t->b,
                         &(struct kb_event){.kind = o->what == KB_ROLE_LEADER ? KB_EVENT_ELECTED
                                                                              : KB_EVENT_RESIGNED,
                                            .coordinator = c,
                                            .partition = o->partition,
                                            .epoch = o->value});
}

void kb_coordinators_on_marker(struct kb_turn *t, const char *topic, int32_t partition,
                               int64_t producer_id, bool commit)
{
    for (int c = 0; c < KB_COORDINATORS; c++)
        if (strcmp(topic, rows[c]->topic) == 0 && partition < kb_coordinator_partitions(t->b, c))
            kb_event_put(t->b, &(struct kb_event){.kind = KB_EVENT_MARKER,
                                                  .coordinator = c,
                                                  .partition = partition,
                                                  .producer_id = producer_id,
                                                  .commit = commit});
}

void kb_coordinators_on_metadata(struct kb_turn *t)
{
    kb_event_put(t->b,
                 &(struct kb_event){.kind = KB_EVENT_METADATA, .coordinator = KB_COORDINATOR_TXNS});
}

void kb_coordinators_on_waiter(struct kb_turn *t, const struct kb_slot *s)
{
    kb_event_put(t->b, &(struct kb_event){.kind = KB_EVENT_WAITER,
                                          .coordinator = KB_COORDINATOR_TXNS,
                                          .append_id = s->order});
}

/* ---- loads ---- */

static struct kb_load *loads(const struct kb_broker *b)
{
    return (struct kb_load *)(void *)kb_region(b, b->loads_at);
}

static void load_drop(struct kb_broker *b, uint32_t i)
{
    memmove(loads(b) + i, loads(b) + i + 1, (--b->load_count - i) * sizeof(struct kb_load));
    memset(loads(b) + b->load_count, 0, sizeof(struct kb_load));
}

static void load_forget(struct kb_broker *b, int32_t coordinator, int32_t partition)
{
    for (uint32_t i = b->load_count; i > 0; i--)
        if (loads(b)[i - 1].coordinator == coordinator && loads(b)[i - 1].partition == partition)
            load_drop(b, i - 1);
}

void kb_coordinator_load(struct kb_turn *t, enum kb_coordinator c, int32_t partition)
{
    load_forget(t->b, (int32_t)c, partition);
    loads(t->b)[t->b->load_count++] =
        (struct kb_load){.coordinator = (int32_t)c, .partition = partition};
}

static enum sm_err on_load_timer(struct kb_turn *t)
{
    struct kb_broker *b = t->b;
    bool is_done = false;
    if (b->load_count == 0)
        return SM_ERR_OK;
    struct kb_load *load = loads(b);
    int32_t coordinator = load->coordinator, partition = load->partition;
    enum sm_err err = kb_load_slice(t, rows[coordinator], load, &is_done);
    if (err != SM_ERR_OK)
        return err;
    b->loads_are_armed = 0;
    if (is_done)
        err = rows[coordinator]->hear(t, &(struct kb_event){.kind = KB_EVENT_LOADED,
                                                            .coordinator = coordinator,
                                                            .partition = partition});
    if (is_done && err == SM_ERR_OK)
        load_drop(b, 0);
    return err;
}

static void arm_loads(struct kb_turn *t)
{
    if (t->b->load_count == 0 || t->b->loads_are_armed)
        return;
    t->b->loads_are_armed = 1;
    t->out->put(t->out->context, &(struct kb_broker_output){.kind = KB_BROKER_OUT_TIMER,
                                                            .by = t->in->record,
                                                            .timer = KB_BROKER_TIMER_LOAD,
                                                            .due_us = t->now_us});
}

/* ---- steps ---- */

const char *kb_coordinator_limit(const char *const *names, size_t count, const char *short_of)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(strchr(names[i], '.') + 1, short_of) == 0)
            return names[i];
    return short_of;
}

void kb_coordinator_arm(struct kb_turn *t, enum kb_coordinator c, int64_t due_us)
{
    t->out->put(t->out->context,
                &(struct kb_broker_output){.kind = KB_BROKER_OUT_TIMER,
                                           .by = t->in->record,
                                           .timer = KB_BROKER_TIMER_COORDINATOR + (uint32_t)c,
                                           .due_us = due_us});
}

static const struct kb_coordinator_row *server_of(int32_t api, int32_t version)
{
    for (int c = 0; c < KB_COORDINATORS; c++)
        if (rows[c]->serves(api, version))
            return rows[c];
    return NULL;
}

bool kb_coordinators_serve(int32_t api, int32_t version)
{
    return server_of(api, version) != NULL;
}

enum sm_err kb_coordinators_request(struct kb_turn *t)
{
    return server_of(t->in->api, t->in->version)->request(t);
}

enum sm_err kb_coordinators_start(struct kb_turn *t)
{
    enum sm_err err = SM_ERR_OK;
    for (int c = 0; c < KB_COORDINATORS && err == SM_ERR_OK; c++)
        err = rows[c]->start(t);
    return err;
}

enum sm_err kb_coordinators_timer(struct kb_turn *t)
{
    uint32_t c = t->in->timer - KB_BROKER_TIMER_COORDINATOR;
    if (t->in->timer == KB_BROKER_TIMER_LOAD)
        return on_load_timer(t);
    return c < KB_COORDINATORS ? rows[c]->timer(t) : SM_ERR_OK;
}

static enum sm_err work_off(struct kb_turn *t, const struct kb_event *e)
{
    if (e->kind == KB_EVENT_RESIGNED)
        load_forget(t->b, e->coordinator, e->partition);
    if (e->kind == KB_EVENT_MARKERS_WRITE)
        return kb_markers_write(t, e);
    if (e->kind == KB_EVENT_MARKERS_WRITTEN) {
        kb_markers_written(t, e);
        return SM_ERR_OK;
    }
    if (e->kind != KB_EVENT_APPEND)
        return rows[e->coordinator]->hear(t, e);
    enum sm_err err = kb_data_append(t, e);
    if (err == SM_ERR_OK) /* the log has it now, or nobody does */
        t->out->payloads->refer(t->out->payloads->context, e->batch.payload, -1);
    return err;
}

enum sm_err kb_coordinators_run(struct kb_turn *t)
{
    while (t->b->event_count > 0) {
        if (kb_coordinators_lack_room(t))
            return SM_ERR_LIMIT;
        struct kb_event e = *event_at(t->b, 0);
        t->scratch_used = 0;
        enum sm_err err = work_off(t, &e);
        if (err != SM_ERR_OK)
            return err;
        event_pop(t->b);
    }
    arm_loads(t);
    return SM_ERR_OK;
}

bool kb_coordinators_are_quiet(const struct kb_broker *b)
{
    return b->event_count == 0 && b->load_count == 0;
}
