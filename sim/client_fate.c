/*
 * What has become of acknowledged records, and why: see client_report.h.
 *
 * The present log of a partition is that of the leader with the highest epoch among living brokers;
 * where nobody leads, the disk of the first member of the ISR in ZooKeeper. A record is kept where
 * that log has the same batch at the same offset (for batches whose handle is not known: the same
 * value).
 */
#include <stdio.h>
#include <string.h>

#include "sim/allocate.h"
#include "sim/client_report.h"
#include "sim/client_state.h"
#include "sim/narrate.h"

/* ---- what brokers note, as the run goes on ---- */

void sim_clients_replica(struct sim_world *w, int32_t broker_id, const struct kb_output *o,
                         uint64_t record)
{
    struct sim_clients *k = w->clients;
    struct kb_partition_view view;
    if (k != NULL && o->kind == KB_OUT_HW && w->trace->on &&
        sim_client_view(w, broker_id, o->topic, o->partition, &view))
        sim_client_marks_add(k, broker_id, o->topic, o->partition, o->offset, view.last_stable,
                             record);
    if (k == NULL || o->kind != KB_OUT_FACT || o->what != KB_FACT_LEADER)
        return;
    if (k->lead_count == k->lead_capacity) {
        k->lead_capacity = k->lead_capacity * 2 + 64;
        k->leads = sim_realloc(k->leads, k->lead_capacity * sizeof(*k->leads));
    }
    k->leads[k->lead_count++] =
        (struct sim_client_lead){.topic = sim_client_book_topic(k, o->topic),
                                 .partition = o->partition,
                                 .broker = broker_id,
                                 .epoch = o->value,
                                 .start = o->offset,
                                 .time_us = w->now_us,
                                 .record = record};
}

/* ---- where a partition's records are now ---- */

enum fate { KEPT, LOST, DELETED, UNDECIDED };

struct log {
    int32_t topic, partition;
    enum fate without; /* what a record is that it does not have */
    struct kb_partition_view view;
};

static const struct sim_process *present_leader(const struct sim_world *w, const char *topic,
                                                int32_t partition)
{
    const struct sim_process *leader = NULL;
    int32_t epoch = -1;
    for (uint32_t i = 0; i < w->process_count; i++) {
        const struct sim_process *p = w->processes[i];
        struct kb_partition_view view;
        if (p->life != SIM_DOWN && p->replicas != NULL &&
            kb_is_leader(p->replicas, topic, partition) &&
            kb_partition(p->replicas, topic, partition, &view) && view.leader_epoch > epoch) {
            leader = p;
            epoch = view.leader_epoch;
        }
    }
    return leader;
}

static const struct sim_process *last_in_sync(const struct sim_world *w, const char *topic,
                                              int32_t partition)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    struct sm_leader_and_isr li;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    sm_path_partition_state(path, topic, partition);
    if (!kz_server_get(w->zk, path, &stat, &data, &size, &has_data) ||
        sm_znode_decode_state((const char *)data, size, stat.version, &li) != SM_ERR_OK ||
        li.isr.count == 0)
        return NULL;
    return sim_find(w, li.leader >= 0 ? li.leader : li.isr.id[0]);
}

static bool is_deleted(const struct sim_world *w, const char *topic)
{
    char path[SM_PATH_MAX];
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    sm_path_topic(path, topic);
    return !kz_server_get(w->zk, path, &stat, &data, &size, &has_data);
}

bool sim_client_present_log(const struct sim_world *w, const char *topic, int32_t partition,
                            struct kb_partition_view *view)
{
    const struct sim_process *p = present_leader(w, topic, partition);
    if (p == NULL)
        p = last_in_sync(w, topic, partition);
    return p != NULL && p->replicas != NULL && kb_partition(p->replicas, topic, partition, view);
}

static struct log present_log(const struct sim_world *w, int32_t topic, int32_t partition)
{
    const char *name = sim_client_topic(w, topic);
    struct log log = {.topic = topic, .partition = partition, .without = UNDECIDED};
    if (is_deleted(w, name))
        log.without = DELETED;
    else if (sim_client_present_log(w, name, partition, &log.view))
        log.without = LOST;
    return log;
}

static enum fate fate_in(const struct sim_world *w, const struct log *log,
                         const struct sim_acked *a)
{
    if (log->without != LOST)
        return log->without;
    const struct kb_batch *b = sim_client_batch_at(&log->view, a->offset);
    if (b == NULL)
        return a->offset < log->view.log_start ? DELETED : LOST;
    if (a->payload != 0)
        return b->payload == a->payload && a->offset - b->base_offset == a->delta ? KEPT : LOST;
    struct sim_value_name held = sim_client_value_in(w, b, a->offset);
    return held.number == a->value.number && held.producer == a->value.producer ? KEPT : LOST;
}

/* ---- why a record is gone ---- */

/* The fault that the chain of causes ends at. */
static void find_fault(struct sim_world *w, struct sim_lost *l)
{
    struct sim_record r;
    uint64_t n = l->taken_record;
    for (; n != 0 && sim_trace_get(w->trace, n, &r); n = r.mute != 0 ? r.mute : r.by)
        if (r.kind == SIM_K_FAULT) {
            l->fault_record = n;
            sim_narrate(&r, l->fault, sizeof(l->fault));
            return;
        }
}

/* The last election of the partition before its new leader heard of it. */
static void find_election(struct sim_world *w, struct sim_lost *l)
{
    char partition[SM_TOPIC_NAME_MAX + 16];
    struct sim_record r;
    snprintf(partition, sizeof(partition), "%s-%d", l->topic, l->partition);
    for (uint64_t n = l->taken_record; n > l->acked_record && sim_trace_get(w->trace, n, &r); n--) {
        const char *of = r.kind == SIM_K_DECIDE ? sim_record_text(&r, SIM_F_PARTITION) : NULL;
        if (of == NULL || strcmp(of, partition) != 0 ||
            sim_record_int(&r, SIM_F_CHOSEN, -1) != l->taker)
            continue;
        l->decided_record = n;
        l->unclean = sim_record_int(&r, SIM_F_UNCLEAN, 0) != 0;
        return;
    }
}

/* The first later leader that began behind an end before the record. */
static void find_taker(struct sim_world *w, const struct sim_acked *a, struct sim_lost *l)
{
    const struct sim_clients *k = w->clients;
    for (uint64_t i = 0; i < k->lead_count; i++) {
        const struct sim_client_lead *lead = &k->leads[i];
        bool is_later =
            a->leader_epoch >= 0 ? lead->epoch > a->leader_epoch : lead->time_us >= a->time_us;
        if (lead->topic != a->topic || lead->partition != a->partition || !is_later ||
            lead->start > a->offset)
            continue;
        l->taker = lead->broker;
        l->taker_epoch = lead->epoch;
        l->taker_start = lead->start;
        l->taken_us = lead->time_us;
        l->taken_record = lead->record;
        find_fault(w, l);
        find_election(w, l);
        return;
    }
}

static bool continues(const struct sim_lost *l, const struct sim_world *w,
                      const struct sim_acked *a)
{
    return l->topic == sim_client_topic(w, a->topic) && l->partition == a->partition &&
           l->offset + l->count == a->offset && l->leader == a->leader &&
           l->to.producer == a->value.producer && l->acks == a->acks;
}

static void add_lost(struct sim_world *w, struct sim_client_report *r, const struct sim_acked *a,
                     uint32_t *last)
{
    if (*last != UINT32_MAX && continues(&r->lost[*last], w, a)) {
        r->lost[*last].count++;
        r->lost[*last].to = a->value;
        return;
    }
    r->lost = sim_realloc(r->lost, (r->lost_count + 1) * sizeof(*r->lost));
    struct sim_lost *l = &r->lost[r->lost_count];
    *last = r->lost_count++;
    *l = (struct sim_lost){.topic = sim_client_topic(w, a->topic),
                           .partition = a->partition,
                           .offset = a->offset,
                           .count = 1,
                           .from = a->value,
                           .to = a->value,
                           .acks = a->acks,
                           .acked_us = a->time_us,
                           .acked_record = a->record,
                           .leader = a->leader,
                           .leader_epoch = a->leader_epoch,
                           .taker = -1,
                           .taker_epoch = -1,
                           .unclean = -1};
    find_taker(w, a, l);
}

/* ---- all of them ---- */

struct logs {
    struct log *log;
    uint32_t *last; /* [log]: run of lost records that the next may continue */
    uint32_t count, hint;
};

/* Partitions are few beside records, and records come in runs. */
static uint32_t log_of(const struct sim_world *w, struct logs *logs, const struct sim_acked *a)
{
    for (uint32_t i = 0; i < logs->count; i++) {
        uint32_t at = (logs->hint + i) % logs->count;
        if (logs->log[at].topic == a->topic && logs->log[at].partition == a->partition) {
            logs->hint = at;
            return at;
        }
    }
    logs->log = sim_realloc(logs->log, (logs->count + 1) * sizeof(*logs->log));
    logs->last = sim_realloc(logs->last, (logs->count + 1) * sizeof(*logs->last));
    logs->log[logs->count] = present_log(w, a->topic, a->partition);
    logs->last[logs->count] = UINT32_MAX;
    return logs->hint = logs->count++;
}

static bool was_promised(const struct sim_world *w, const struct sim_acked *a)
{
    return a->offset >= 0 &&
           (!a->transactional ||
            sim_client_txn_end(w, a->value.producer, a->transaction) == SIM_TXN_COMMITTED);
}

void sim_client_report_fates(struct sim_world *w, struct sim_client_report *r)
{
    const struct sim_clients *k = w->clients;
    struct logs logs = {0};
    for (uint64_t i = 0; i < k->acked_count; i++) {
        const struct sim_acked *a = &k->acked[i];
        if (!was_promised(w, a))
            continue;
        uint32_t at = log_of(w, &logs, a);
        r->acknowledged++;
        switch (fate_in(w, &logs.log[at], a)) {
        case KEPT:
            r->kept++;
            break;
        case LOST:
            r->gone++;
            add_lost(w, r, a, &logs.last[at]);
            break;
        case DELETED:
            r->deleted++;
            break;
        case UNDECIDED:
            r->undecided++;
            break;
        }
    }
    sim_free(logs.log);
    sim_free(logs.last);
}

uint64_t sim_client_fates_of(struct sim_world *w, uint32_t index, bool kept)
{
    const struct sim_clients *k = w->clients;
    struct logs logs = {0};
    uint64_t count = 0;
    for (uint64_t i = 0; i < k->acked_count; i++) {
        const struct sim_acked *a = &k->acked[i];
        if (a->value.producer != (int32_t)index || !was_promised(w, a))
            continue;
        uint32_t at = log_of(w, &logs, a);
        count += fate_in(w, &logs.log[at], a) == (kept ? KEPT : LOST);
    }
    sim_free(logs.log);
    sim_free(logs.last);
    return count;
}

/* Records that the log of the present leader has for this consumer, and it has not been handed. */
uint64_t sim_client_unread(struct sim_world *w, uint32_t index)
{
    const struct sim_clients *k = w->clients;
    struct logs logs = {0};
    uint64_t count = 0;
    for (uint64_t i = 0; i < k->acked_count; i++) {
        const struct sim_acked *a = &k->acked[i];
        if (!was_promised(w, a) || !sim_client_reads_topic(k->client[index], w, a->topic) ||
            sim_client_has_seen(w, index, a->value))
            continue;
        uint32_t at = log_of(w, &logs, a);
        count += fate_in(w, &logs.log[at], a) == KEPT;
    }
    sim_free(logs.log);
    sim_free(logs.last);
    return count;
}
