/*
 * What a controller says, a line a thing: requests with the records that each broker gets, writes,
 * answers to calls, and what it refused.
 */
#include "desk_parts.h"

#include "controller/state.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the controller's outputs as a story ---- */

const char *desk_text_of(const struct sm_list *l)
{
    static char out[4][256];
    static int turn;
    char *text = out[turn++ % 4];
    int at = 0;
    text[0] = '\0';
    for (int32_t i = 0; i < l->count; i++) {
        at += sprintf(text + at, "%s%d", i ? "," : "", l->id[i]);
    }
    return text;
}

static void brokers_with(struct desk *d, const struct wire_batch *b, const uint64_t *set)
{
    const struct wire_broker *w = NULL;
    const char *separator = "";
    while ((w = wire_batch_next_broker(b, w)) != NULL) {
        if (set[w->index / 64] >> w->index % 64 & 1) {
            desk_say(d, "%s%d", separator, w->id);
            separator = ",";
        }
    }
}

static const char *prefix_of(int who)
{
    return who == 0 ? "" : "[2] ";
}

static void say_batch(struct desk *d, int who, const struct wire_batch *b)
{
    struct wire_record_view v = {0};
    const struct wire_broker *w = NULL;
    const char *separator = "";

    while (wire_batch_next(b, WIRE_RECORD_LEADER_AND_ISR, &v)) {
        struct sm_list isr = sm_list_of(v.isr, v.record->isr_count);
        struct sm_list replicas = sm_list_of(v.replicas, v.record->replica_count);
        struct sm_list adding = sm_list_of(v.adding, v.record->adding_count);
        struct sm_list removing = sm_list_of(v.removing, v.record->removing_count);
        desk_say(d, "%sLeaderAndIsr -> ", prefix_of(who));
        brokers_with(d, b, v.to);
        desk_say(d, ": %s-%d leader=%d epoch=%d isr=%s v%d replicas=%s", v.topic,
                 v.record->partition, v.record->leader, v.record->leader_epoch, desk_text_of(&isr),
                 v.record->zk_version, desk_text_of(&replicas));
        if (adding.count > 0) {
            desk_say(d, " +%s", desk_text_of(&adding));
        }
        if (removing.count > 0) {
            desk_say(d, " -%s", desk_text_of(&removing));
        }
        bool any = false;
        for (uint32_t i = 0; i < b->set_words; i++) {
            any = any || v.flag[i] != 0;
        }
        if (any) {
            desk_say(d, " [new ");
            brokers_with(d, b, v.flag);
            desk_say(d, "]");
        }
        desk_say(d, "\n");
    }
    bool metadata = false;
    while ((w = wire_batch_next_broker(b, w)) != NULL) {
        if (wire_batch_is_for(b, WIRE_RECORD_UPDATE_METADATA, w->index)) {
            desk_say(d, "%s%s%d", metadata ? "" : prefix_of(who),
                     metadata ? "," : "UpdateMetadata -> ", w->id);
            metadata = true;
        }
    }
    if (metadata) {
        desk_say(d, ": live ");
        w = NULL;
        while ((w = wire_batch_next_broker(b, w)) != NULL) {
            desk_say(d, "%s%d", separator, w->id);
            separator = ",";
        }
        memset(&v, 0, sizeof v);
        while (wire_batch_next(b, WIRE_RECORD_UPDATE_METADATA, &v)) {
            struct sm_list isr = sm_list_of(v.isr, v.record->isr_count);
            struct sm_list offline = sm_list_of(v.offline, v.record->offline_count);
            desk_say(d, "; %s-%d leader=%d epoch=%d isr=%s", v.topic, v.record->partition,
                     v.record->leader, v.record->leader_epoch, desk_text_of(&isr));
            if (offline.count > 0) {
                desk_say(d, " offline=%s", desk_text_of(&offline));
            }
        }
        desk_say(d, "\n");
    }
    memset(&v, 0, sizeof v);
    while (wire_batch_next(b, WIRE_RECORD_STOP_REPLICA, &v)) {
        desk_say(d, "%sStopReplica -> ", prefix_of(who));
        brokers_with(d, b, v.to);
        bool any = false;
        for (uint32_t i = 0; i < b->set_words; i++) {
            any = any || v.flag[i] != 0;
        }
        desk_say(d, ": %s-%d epoch=%d%s\n", v.topic, v.record->partition, v.record->leader_epoch,
                 any ? " delete" : "");
    }
}

static void say_answer(struct desk *d, const struct wire_call *call)
{
    desk_say(d, "answer %s error=%s", wire_api_name(call->api), wire_error_name(call->error));
    for (struct wire_call_view v = {0}; wire_call_next(call, &v);) {
        struct sm_list replicas = sm_list_of(v.replicas, v.item->replica_count);
        struct sm_list adding = sm_list_of(v.adding, v.item->adding_count);
        struct sm_list removing = sm_list_of(v.removing, v.item->removing_count);
        desk_say(d, " %s-%d=%s", v.topic, v.item->partition, wire_error_name(v.item->error));
        if (replicas.count > 0) {
            desk_say(d, "(%s", desk_text_of(&replicas));
            desk_say(d, " +%s -%s)", desk_text_of(&adding), desk_text_of(&removing));
        }
    }
    desk_say(d, "\n");
}

static void keep_refusal(struct desk *d, const struct kc_output *o)
{
    size_t at = strlen(d->refusals);
    const char *from = o->machine == KC_MACHINE_PARTITION ? sm_partition_state_name(o->from)
                                                          : sm_replica_state_name(o->from);
    const char *to = o->machine == KC_MACHINE_PARTITION ? sm_partition_state_name(o->to)
                                                        : sm_replica_state_name(o->to);

    d->refused++;
    if (o->machine == KC_MACHINE_PARTITION) {
        snprintf(d->refusals + at, sizeof d->refusals - at, "%s-%d %s -> %s\n", o->topic,
                 o->partition, from, to);
    } else {
        snprintf(d->refusals + at, sizeof d->refusals - at, "%s-%d on %d %s -> %s\n", o->topic,
                 o->partition, o->broker_id, from, to);
    }
}

/* No two writes of one fence are about the same znode, and the window is kept. */
static void take_request(struct desk *d, int who, const struct wire_zk_request *r)
{
    bool is_fenced = false;
    int operations = 0;

    for (struct wire_zk_op_view v = {0}; wire_zk_op_next(r, &v);) {
        struct wire_zk_op_view other = v;
        is_fenced = is_fenced || v.op->opcode == WIRE_ZK_CHECK;
        operations += v.op->opcode != WIRE_ZK_CHECK;
        while (is_fenced && wire_zk_op_next(r, &other)) {
            ck_assert_str_ne(v.path, other.path);
        }
    }
    d->largest_group = operations > d->largest_group ? operations : d->largest_group;
    d->peer[who].in_flight++;
    ck_assert_uint_le(d->peer[who].in_flight,
                      kc_controller_limits(d->peer[who].c)->window + d->peer[who].beside);
    desk_push(d, ZK_REQUEST, who)->bytes = desk_copy(r, r->size);
}

uint64_t desk_from_controller(void *context, const struct kc_output *o)
{
    struct desk *d = ((struct turn *)context)->d;
    int who = ((struct turn *)context)->who;

    switch ((enum kc_output_kind)o->kind) {
    case KC_OUT_ZK:
        take_request(d, who, o->request);
        break;
    case KC_OUT_BATCH:
        say_batch(d, who, o->batch);
        break;
    case KC_OUT_SEND:
        desk_push(d, BROKER_REQUEST, who)->request = (struct held){
            o->correlation, o->broker_id, o->api, who, desk_copy(o->batch, o->batch->size)};
        break;
    case KC_OUT_REPLY:
        say_answer(d, o->call);
        break;
    case KC_OUT_MOVE:
        if (!o->ok) {
            keep_refusal(d, o);
        }
        break;
    case KC_OUT_LOG:
        if (d->log_size > TEXT - 65536) { /* keep the newer half */
            memmove(d->log, d->log + d->log_size / 2, d->log_size - d->log_size / 2 + 1);
            d->log_size -= d->log_size / 2;
        }
        d->log_size += (size_t)snprintf(d->log + d->log_size, TEXT - d->log_size, "%s\n", o->text);
        break;
    case KC_OUT_EXPIRE_STARTED:
        d->peer[who].expired = false;
        d->peer[who].waits = true;
        desk_push(d, SESSION, who);
        break;
    case KC_OUT_FATAL:
        desk_say(d, "fatal\n");
        break;
    case KC_OUT_TIMER:
        if (o->timer == DESK_TIMER_BALANCE) {
            d->peer[who].balance_due = o->due_us;
        } else if (o->due_us >= 0) { /* a sender's pause: over at once */
            desk_push(d, TIMER, who)->type = o->timer;
        }
        break;
    case KC_OUT_NONE:
    case KC_OUT_CLOSE:
    case KC_OUT_QUEUE:
    case KC_OUT_FLOW:
    case KC_OUT_DECIDE:
    case KC_OUT_FACT:
        break;
    }
    return 0;
}

static uint32_t *limit_named(struct kc_limits *l, const char *name)
{
    const struct {
        const char *name;
        uint32_t *field;
    } all[] = {{"brokers", &l->brokers},         {"topics", &l->topics},
               {"partitions", &l->partitions},   {"replicas", &l->replicas},
               {"topic_name", &l->topic_name},   {"events", &l->events},
               {"event_bytes", &l->event_bytes}, {"scratch_bytes", &l->scratch_bytes},
               {"batch_bytes", &l->batch_bytes}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return all[i].field;
        }
    }
    ck_abort_msg("unknown limit %s", name);
}

void *desk_block_of(const struct kc_limits *l)
{
    return calloc(1, kc_controller_size(l));
}

static void grow(struct desk *d, int who, const char *name)
{
    struct kc_limits l = *kc_controller_limits(d->peer[who].c);
    uint32_t *field = limit_named(&l, name);

    if (field == &l.replicas) {
        *field = *field * 2 > SM_REPLICAS_MAX ? SM_REPLICAS_MAX : *field * 2;
    } else {
        *field *= 2;
    }
    struct kc_controller *grown = desk_block_of(&l);
    uint64_t before = kc_controller_digest(d->peer[who].c);
    kc_controller_grow(d->peer[who].c, grown, &l);
    free(d->peer[who].c);
    d->peer[who].c = grown;
    ck_assert_uint_eq(kc_controller_digest(grown), before);
    d->grown++;
}

void desk_to_controller(struct desk *d, int who, struct kc_input *in)
{
    struct turn turn = {d, who};
    struct kc_input more = {.kind = KC_IN_MORE};

    if (!d->peer[who].alive) {
        return;
    }
    for (;;) {
        struct kc_outputs out = {.put = desk_from_controller, .context = &turn};
        if (kc_controller_step(d->peer[who].c, d->now, in, &out) == SM_ERR_LIMIT) {
            grow(d, who, out.short_of);
            continue;
        }
        kc_controller_check(d->peer[who].c);
        if (!out.more) {
            return;
        }
        in = &more;
    }
}

void desk_say_writes(struct desk *d, int who, const struct wire_zk_request *r)
{
    for (struct wire_zk_op_view v = {0}; wire_zk_op_next(r, &v);) {
        struct sm_leader_and_isr li;
        const char *verb = v.op->opcode == WIRE_ZK_CREATE     ? "create"
                           : v.op->opcode == WIRE_ZK_SET_DATA ? "set"
                           : v.op->opcode == WIRE_ZK_DELETE   ? "delete"
                                                              : NULL;
        if (verb == NULL) {
            continue;
        }
        if (d->write_act != NULL && strcmp(d->write_path, v.path) == 0 && --d->write_nth == 0) {
            void (*act)(struct desk *) = d->write_act;
            d->write_act = NULL;
            act(d);
        }
        if (strncmp(v.path, "/brokers/ids", 12) == 0) {
            continue;
        }
        desk_say(d, "%s%s %s", prefix_of(who), verb, v.path);
        if (v.op->opcode != WIRE_ZK_DELETE && strstr(v.path, "/state") != NULL &&
            sm_znode_decode_state((const char *)v.data, v.op->data_size, 0, &li) == SM_ERR_OK) {
            desk_say(d, " leader=%d epoch=%d isr=%s", li.leader, li.leader_epoch,
                     desk_text_of(&li.isr));
        }
        desk_say(d, "\n");
    }
}
