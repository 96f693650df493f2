/*
 * Checks on what controllers send and brokers do with it: S6, S14, S16, S17.
 *
 * A request to a full broker is shown before it is handled, and again with its answer: what was
 * answered without error has been followed, and must not have been stale.
 */
#include "sim/check_state.h"
#include "wire/batch_index.h"

/* ---- at the controller: batches and sends ---- */

/* S17: the epochs in a batch are those of registrations. */
static void check_brokers(struct sim_checks *c, const struct wire_batch *batch)
{
    const struct wire_broker *b = NULL;
    char object[32];
    while ((b = wire_batch_next_broker(batch, b)) != NULL) {
        const struct check_process *p = check_process_of(c, b->id);
        bool known = p == NULL || p->registrations[0] == 0 || b->epoch < 0;
        for (int i = 0; !known && i < CHECK_REGISTRATIONS; i++)
            known = p->registrations[i] == b->epoch ||
                    (i == CHECK_REGISTRATIONS - 1 && p->registrations[i] != 0);
        if (known || b->epoch < p->first_registration)
            continue;
        snprintf(object, sizeof(object), "broker %d", b->id);
        check_fail(c, SIM_CHECK_S17, object,
                   "a request names its epoch %lld, and it registered at %lld", (long long)b->epoch,
                   (long long)p->registrations[0]);
    }
}

/* S16; S3 in what brokers are told. */
static void check_records(struct sim_checks *c, const struct wire_batch *batch)
{
    enum { MANY = 4096 }; /* larger batches are those of a failover: each partition once, by walk */
    struct wire_record_view v = {0};
    uint64_t serial = ++c->batch_serial;
    if (batch->count[0] + batch->count[1] + batch->count[2] > MANY)
        return;
    while (wire_batch_next(batch, WIRE_RECORD_DEAD, &v)) {
        struct check_row *row = check_row_of(c, v.topic, v.record->partition);
        uint32_t kind = v.record->kind - WIRE_RECORD_LEADER_AND_ISR;
        if (row->batch_mark[kind] == serial && kind != 2)
            check_fail_row(c, SIM_CHECK_S16, row, "a batch of controller %d names it twice",
                           batch->controller_id);
        row->batch_mark[kind] = serial;
        if (kind != 0 || v.record->leader < 0 || batch->controller_epoch < c->controller_epoch)
            continue; /* who is deposed may have read half of a topic and half of its namesake */
        struct sm_list isr = sm_list_of(v.isr, v.record->isr_count);
        struct sm_list replicas = sm_list_of(v.replicas, v.record->replica_count);
        char a[CHECK_LIST_TEXT], b[CHECK_LIST_TEXT];
        if (!sm_list_subset(&isr, &replicas))
            check_fail_row(c, SIM_CHECK_S3, row,
                           "brokers are told the ISR %s, and it is not within the replicas %s",
                           check_list(a, &isr), check_list(b, &replicas));
    }
}

static struct check_place place_of(const struct wire_batch *batch)
{
    return (struct check_place){.epoch = batch->controller_epoch, .id = batch->id};
}

void check_batch(struct sim_checks *c, const struct wire_batch *batch)
{
    if (check_is_later(place_of(batch), c->last_batch))
        c->last_batch = place_of(batch);
    check_brokers(c, batch);
    check_records(c, batch);
}

static uint64_t order_of(int32_t api)
{
    return api == WIRE_API_LEADER_AND_ISR ? 1 : api == WIRE_API_UPDATE_METADATA ? 2 : 3;
}

/* S16: batches in their order, and of one batch its requests in theirs. */
void check_send(struct sim_checks *c, struct check_process *p, const struct kc_output *o)
{
    const struct sim_process *to = sim_find(c->w, o->broker_id);
    char object[48];
    if (to == NULL || o->batch == NULL)
        return;
    if (to->index >= p->sent_count) {
        p->sent = sim_realloc(p->sent, (to->index + 1) * sizeof(*p->sent));
        memset(p->sent + p->sent_count, 0, (to->index + 1 - p->sent_count) * sizeof(*p->sent));
        p->sent_count = to->index + 1;
    }
    uint64_t place = o->batch->id * 4 + order_of(o->api);
    if (place < p->sent[to->index]) {
        snprintf(object, sizeof(object), "controller %d to broker %d", p->id, o->broker_id);
        check_fail(c, SIM_CHECK_S16, object,
                   "%s of batch %llu is sent after a request of batch %llu",
                   wire_api_name((enum wire_api)o->api), (unsigned long long)o->batch->id,
                   (unsigned long long)(p->sent[to->index] / 4));
    }
    p->sent[to->index] = place;
}

/* ---- at the broker ---- */

/* Whether no partition of the batch breaks `breaks`, told by its index: most batches break nothing,
   and are then not walked record by record. False where that has to be done. */
static bool none_breaks(const struct kb_cache *cache, const struct wire_batch *batch,
                        bool (*breaks)(const struct kb_partition *have,
                                       const struct wire_batch_entry *said))
{
    static const struct kb_partition none = {.leader = KB_NO_PARTITION};
    const struct wire_batch_index *x = wire_batch_index(batch);
    if (x == NULL || x->topic_count == 0)
        return batch->count[1] == 0;
    const struct wire_batch_topic *t = wire_batch_topics(batch, x);
    for (uint32_t i = 0; i < x->topic_count; i++) {
        const struct wire_batch_entry *e = wire_batch_first(batch, &t[i]);
        uint32_t size = 0,
                 topic = kb_cache_topic(cache, wire_batch_topic_name(batch, &t[i]), t[i].name_size);
        const struct kb_partition *rows =
            topic == KB_NO_TOPIC ? NULL : kb_cache_extent(cache, topic, &size);
        for (uint32_t k = 0; k < t[i].count; k++, e = wire_batch_entry_next(e))
            if (breaks((uint32_t)e->partition < size ? &rows[e->partition] : &none, e))
                return false;
    }
    return true;
}

static bool is_older(const struct kb_partition *have, const struct wire_batch_entry *said)
{
    return have->leader != KB_NO_PARTITION && said->leader != SM_LEADER_DURING_DELETE &&
           said->leader_epoch < have->leader_epoch;
}

static bool is_not_there(const struct kb_partition *have, const struct wire_batch_entry *said)
{
    bool gone = said->leader == SM_LEADER_DURING_DELETE;
    return gone != (have->leader == KB_NO_PARTITION) ||
           (!gone && (have->leader != said->leader || have->leader_epoch != said->leader_epoch));
}

/* S14: what is in the cache is not replaced by what is older. A broker that has just started may
   hear a deposed controller first, and of states that its successor, who spoke before, had not
   read. */
static void check_older(struct sim_checks *c, struct check_process *p,
                        const struct wire_batch *batch)
{
    const struct kb_cache *cache =
        p->process->node.broker == NULL ? NULL : kb_broker_cache(p->process->node.broker);
    struct wire_record_view v = {0};
    uint32_t topic = KB_NO_TOPIC;
    p->older[0] = '\0';
    if (cache == NULL || p->misled || none_breaks(cache, batch, is_older))
        return;
    while (wire_batch_next(batch, WIRE_RECORD_UPDATE_METADATA, &v)) {
        topic = kb_cache_topic_again(cache, topic, v.topic, strlen(v.topic));
        const struct kb_partition *have =
            topic == KB_NO_TOPIC ? NULL : kb_cache_partition(cache, topic, v.record->partition);
        if (have == NULL || v.record->leader == SM_LEADER_DURING_DELETE ||
            v.record->leader_epoch >= have->leader_epoch)
            continue;
        const struct check_topic *t = check_topic_find(c, v.topic);
        if (t != NULL && t->incarnation > 0)
            continue; /* what is there may be of a namesake */
        snprintf(p->older, sizeof(p->older), "leader epoch %d of %.40s-%d is replaced by %d",
                 have->leader_epoch, v.topic, v.record->partition, v.record->leader_epoch);
        return;
    }
}

void sim_checks_request(struct sim_checks *c, int32_t id, enum wire_api api,
                        const struct wire_batch *batch)
{
    struct check_process *p = check_process_of(c, id);
    p->handles = place_of(batch);
    p->seen_controller_epoch =
        p->process->replicas == NULL ? 0 : kb_controller_epoch(p->process->replicas);
    if (api == WIRE_API_UPDATE_METADATA)
        check_older(c, p, batch);
}

/* S14: what was said is there. */
static void check_cache(struct sim_checks *c, const struct check_process *p,
                        const struct wire_batch *batch)
{
    const struct kb_cache *cache = kb_broker_cache(p->process->node.broker);
    struct wire_record_view v = {0};
    uint32_t topic = KB_NO_TOPIC;
    char object[64];
    if (none_breaks(cache, batch, is_not_there))
        return;
    while (wire_batch_next(batch, WIRE_RECORD_UPDATE_METADATA, &v)) {
        topic = kb_cache_topic_again(cache, topic, v.topic, strlen(v.topic));
        const struct kb_partition *have =
            topic == KB_NO_TOPIC ? NULL : kb_cache_partition(cache, topic, v.record->partition);
        bool gone = v.record->leader == SM_LEADER_DURING_DELETE;
        if (gone == (have == NULL) && (gone || (have->leader == v.record->leader &&
                                                have->leader_epoch == v.record->leader_epoch)))
            continue;
        snprintf(object, sizeof(object), "%.40s-%d", v.topic, v.record->partition);
        check_fail(c, SIM_CHECK_S14, object,
                   "broker %d was told leader %d in epoch %d, and its cache says otherwise", p->id,
                   v.record->leader, v.record->leader_epoch);
        return;
    }
}

/* S6 */
static void check_followed(struct sim_checks *c, const struct check_process *p, enum wire_api api,
                           const struct wire_batch *batch)
{
    const struct wire_broker *own = wire_batch_broker(batch, p->id);
    char object[32];
    snprintf(object, sizeof(object), "broker %d", p->id);
    if (batch->controller_epoch < p->seen_controller_epoch)
        check_fail(c, SIM_CHECK_S6, object, "it follows %s of controller epoch %d after epoch %d",
                   wire_api_name(api), batch->controller_epoch, p->seen_controller_epoch);
    if (own != NULL && own->epoch >= 0 && own->epoch < p->life_epoch)
        check_fail(c, SIM_CHECK_S6, object,
                   "it follows %s for its broker epoch %lld, and this life began with %lld",
                   wire_api_name(api), (long long)own->epoch, (long long)p->life_epoch);
}

/* S13: who is told by the newest controller to delete what is not assigned to it does so. */
static void check_strays(struct sim_checks *c, const struct check_process *p,
                         const struct wire_batch *batch)
{
    struct wire_record_view v = {0};
    struct kb_partition_view view;
    const struct wire_broker *own = wire_batch_broker(batch, p->id);
    uint32_t index = own == NULL ? 0 : own->index;
    if (own == NULL || batch->controller_epoch != c->controller_epoch)
        return;
    while (wire_batch_next_for(batch, WIRE_RECORD_STOP_REPLICA, index, &v)) {
        const struct check_row *row = check_row_of(c, v.topic, v.record->partition);
        bool deletes = (v.flag[index / 64] >> (index % 64) & 1) != 0;
        if (deletes && row->assigned && !sm_list_has(&row->a.replicas, p->id) &&
            check_view(c, row, p->id, &view) && view.hosted == KB_ONLINE)
            check_fail_row(
                c, SIM_CHECK_S13, row,
                "broker %d is no replica of it, was told to delete its log, and keeps it", p->id);
    }
}

static bool is_stale(int32_t error)
{
    return error == WIRE_ERROR_STALE_CONTROLLER_EPOCH || error == WIRE_ERROR_STALE_BROKER_EPOCH ||
           error == WIRE_ERROR_FENCED_LEADER_EPOCH;
}

void sim_checks_answered(struct sim_checks *c, int32_t id, enum wire_api api,
                         const struct wire_batch *batch, const struct wire_answer *answer)
{
    struct check_process *p = check_process_of(c, id);
    p->handles = (struct check_place){0};
    char object[32];
    bool stale = is_stale(answer->error) || is_stale(answer->partition_error);
    for (uint32_t i = 0; !stale && i < answer->count; i++)
        stale = is_stale(answer->items[i].error);
    if (stale)
        check_seen(c, SIM_SOMETIMES_DUPLICATE_IGNORED);
    if (answer->error != WIRE_ERROR_NONE)
        return;
    check_followed(c, p, api, batch);
    if (api == WIRE_API_STOP_REPLICA)
        check_strays(c, p, batch);
    if (api != WIRE_API_UPDATE_METADATA)
        return;
    p->misled |= batch->controller_epoch < c->controller_epoch;
    snprintf(object, sizeof(object), "broker %d", id);
    if (p->older[0] != '\0')
        check_fail(c, SIM_CHECK_S14, object, "its cache grows older: %s", p->older);
    if (p->process->node.broker != NULL)
        check_cache(c, p, batch);
}

/* ---- life ---- */

void sim_checks_life(struct sim_checks *c, int32_t id, bool up)
{
    struct check_process *p = check_process_of(c, id);
    if (p == NULL || !up)
        return;
    p->lives++;
    p->misled = false;
    p->life_epoch = 0;
    p->puts = p->starts = 0;
    if (p->sent_count > 0)
        memset(p->sent, 0, p->sent_count * sizeof(*p->sent));
}

void sim_checks_machine_lost(struct sim_checks *c, int32_t id)
{
    struct check_process *p = check_process_of(c, id);
    if (p != NULL)
        p->disk_lost = true;
}
