/*
 * What tests ask of the desk, and what must hold between brokers after every event.
 */
#include "tests/broker/net_parts.h"

#include <stdio.h>
#include <string.h>

/* ---- looking ---- */

int64_t net_now(const struct net *n)
{
    return n->now;
}

uint64_t net_events(const struct net *n)
{
    return n->events;
}

const struct kb_replicas *net_replicas(const struct net *n, int broker)
{
    return n->m[broker].r;
}

bool net_has(const struct net *n, int broker, const char *topic, int32_t partition)
{
    struct kb_partition_view v;
    return kb_partition(n->m[broker].r, topic, partition, &v);
}

struct kb_partition_view net_view(const struct net *n, int broker, const char *topic,
                                  int32_t partition)
{
    struct kb_partition_view v;
    ck_assert(kb_partition(n->m[broker].r, topic, partition, &v));
    return v;
}

const char *net_log(const struct net *n, int broker, const char *topic, int32_t partition)
{
    static char text[4096];
    struct kb_partition_view v = net_view(n, broker, topic, partition);
    size_t at = 0;
    for (uint32_t i = 0; i < v.batch_count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%c@%lld ", (int)v.batches[i].payload,
                               (long long)v.batches[i].base_offset);
    }
    at += (size_t)snprintf(text + at, sizeof text - at, "| hw %lld end %lld |", (long long)v.hw,
                           (long long)v.log_end);
    for (uint32_t i = 0; i < v.epoch_count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, " %d:%lld", v.epochs[i].epoch,
                               (long long)v.epochs[i].start_offset);
    }
    return text;
}

const char *net_state(const struct net *n, const char *topic, int32_t partition)
{
    static char text[256];
    struct sm_leader_and_isr li;
    size_t at;
    ck_assert(net_zk_state(n, topic, partition, &li));
    at = (size_t)snprintf(text, sizeof text, "leader %d epoch %d isr ", li.leader, li.leader_epoch);
    for (int i = 0; i < li.isr.count; i++) {
        at +=
            (size_t)snprintf(text + at, sizeof text - at, "%s%d", i == 0 ? "" : ",", li.isr.id[i]);
    }
    snprintf(text + at, sizeof text - at, " version %d", li.zk_version);
    return text;
}

bool net_get_state(const struct net *n, const char *topic, int32_t partition,
                   struct sm_leader_and_isr *li)
{
    return net_zk_state(n, topic, partition, li);
}

uint64_t net_facts(const struct net *n, enum kb_fact fact)
{
    return n->facts[fact];
}

int net_notifications(const struct net *n, const char *parent)
{
    char buffer[KZ_PATH_MAX];
    const char *path = NULL;
    int count = 0;
    while ((path = kz_server_next_child(n->z, parent, path, buffer, sizeof buffer)) != NULL) {
        count++;
    }
    return count;
}

uint32_t net_acked(const struct net *n)
{
    return n->acked_count;
}

int64_t net_references(const struct net *n)
{
    return n->references;
}

/* ---- invariants between brokers ---- */

static const struct kb_batch *batch_at(const struct kb_partition_view *v, int64_t offset)
{
    uint32_t low = 0, high = v->batch_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct kb_batch *b = &v->batches[middle];
        if (b->base_offset + b->last_offset_delta < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < v->batch_count && v->batches[low].base_offset <= offset ? &v->batches[low] : NULL;
}

/* From the newest batch down; two equal ones are enough, for then all before them are equal. Full
   walks are left to the end of a test. */
static void check_matching(const struct net *n, const struct kb_partition_view *a,
                           const struct kb_partition_view *b, int64_t committed, bool whole)
{
    (void)n;
    for (uint32_t i = a->batch_count; i > 0; i--) {
        const struct kb_batch *x = &a->batches[i - 1];
        const struct kb_batch *y = batch_at(b, x->base_offset);
        bool below =
            x->base_offset + x->last_offset_delta < committed && x->base_offset >= b->log_start;
        if (below) {
            ck_assert_msg(y != NULL, "a committed record is missing at %lld",
                          (long long)x->base_offset);
        }
        if (y == NULL || (x->leader_epoch != y->leader_epoch && !below)) {
            continue;
        }
        ck_assert_msg(x->payload == y->payload, "different records at %lld: %llu and %llu",
                      (long long)x->base_offset, (unsigned long long)x->payload,
                      (unsigned long long)y->payload);
        if (!whole) {
            return;
        }
    }
}

static void check_acked(const struct net *n, const struct partition *p, int leader, bool whole)
{
    struct kb_partition_view v = net_view(n, leader, p->topic, p->partition);
    uint32_t from = whole || n->acked_count < 8 ? 0 : n->acked_count - 8;
    for (uint32_t i = from; i < n->acked_count; i++) {
        const struct acked *a = &n->acked[i];
        const struct kb_batch *b;
        if (strcmp(a->topic, p->topic) != 0 || a->partition != p->partition ||
            a->offset < v.log_start) {
            continue;
        }
        b = batch_at(&v, a->offset);
        ck_assert_msg(b != NULL && b->payload == a->payload,
                      "acknowledged record %llu of %s-%d at %lld is lost on leader %d",
                      (unsigned long long)a->payload, p->topic, p->partition, (long long)a->offset,
                      leader);
    }
}

static void check_isr(const struct net *n, const struct partition *p, int leader)
{
    struct kb_partition_view v = net_view(n, leader, p->topic, p->partition);
    for (int i = 0; i < v.maximal_isr.count; i++) {
        int id = v.maximal_isr.id[i];
        struct kb_partition_view f;
        if (id == leader || !n->m[id].alive ||
            !kb_partition(n->m[id].r, p->topic, p->partition, &f) ||
            f.leader_epoch != v.leader_epoch || f.fetch_state != KB_FETCHING) {
            continue;
        }
        ck_assert_msg(f.log_end >= v.hw, "%s-%d: ISR member %d ends at %lld, below %lld", p->topic,
                      p->partition, id, (long long)f.log_end, (long long)v.hw);
    }
}

static void check_partition(const struct net *n, const struct partition *p, bool whole)
{
    struct sm_leader_and_isr li;
    int leader = -1;
    if (net_zk_state(n, p->topic, p->partition, &li) && li.leader > 0 && n->m[li.leader].alive &&
        kb_is_leader(n->m[li.leader].r, p->topic, p->partition) &&
        net_view(n, li.leader, p->topic, p->partition).leader_epoch == li.leader_epoch) {
        leader = li.leader;
    }
    for (int a = 1; a <= n->count; a++) {
        struct kb_partition_view x, y;
        if (!kb_partition(n->m[a].r, p->topic, p->partition, &x) || !x.has_log) {
            continue;
        }
        for (int b = a + 1; b <= n->count; b++) {
            if (kb_partition(n->m[b].r, p->topic, p->partition, &y) && y.has_log) {
                check_matching(n, &x, &y, -1, whole);
            }
        }
        if (leader != -1 && a != leader && n->m[a].alive && x.fetch_state == KB_FETCHING &&
            x.leader_epoch == li.leader_epoch) {
            y = net_view(n, leader, p->topic, p->partition);
            check_matching(n, &x, &y, x.hw < y.hw ? x.hw : y.hw, whole);
        }
    }
    if (leader != -1) {
        check_isr(n, p, leader);
        if (n->check_acked) {
            check_acked(n, p, leader, whole);
        }
    }
}

static uint64_t look(const struct net *n, const struct partition *p)
{
    struct sm_leader_and_isr li = {0};
    uint64_t h = 1;
    (void)net_zk_state(n, p->topic, p->partition, &li);
    h = h * 31 + (uint64_t)li.zk_version;
    for (int b = 1; b <= n->count; b++) {
        struct kb_partition_view v;
        h = h * 31 + (uint64_t)n->m[b].life;
        if (kb_partition(n->m[b].r, p->topic, p->partition, &v)) {
            h = h * 1000003 + (uint64_t)v.log_end;
            h = h * 1000003 + (uint64_t)v.hw;
            h = h * 1000003 + (uint64_t)v.log_start;
            h = h * 1000003 + (uint64_t)(v.leader_epoch + 2);
            h = h * 31 + (uint64_t)v.fetch_state;
            h = h * 31 + (uint64_t)v.maximal_isr.count;
            h = h * 31 + (v.batch_count == 0 ? 0 : v.batches[v.batch_count - 1].payload);
        }
    }
    return h;
}

/* A partition is looked at when something of it has changed; every 64th event, wholly. */
void net_check(struct net *n)
{
    bool whole = n->events % 64 == 0;
    for (int i = 1; i <= n->count; i++) {
        if (whole || i == n->stepped) {
            kb_replicas_check(n->m[i].r);
        }
    }
    for (int i = 0; i < n->part_count && !n->diverges; i++) {
        uint64_t now = look(n, &n->part[i]);
        if (now != n->looked_at[i]) {
            check_partition(n, &n->part[i], whole);
            n->looked_at[i] = now;
        }
    }
}
