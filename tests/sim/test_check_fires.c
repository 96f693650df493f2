/*
 * Every check can fail: a run of the world in which it does, and the same run in which it does not.
 *
 * What makes it fail is a defect that a scenario of the corpus switches on, or one call that is
 * sabotaged: the linker puts a function of this file before the real one (--wrap), which changes
 * what it says at one place and leaves the product as it is.
 *
 *     check ── scenario ── defect on ──────► violated; off: it holds
 *           └─ world ───── sabotage on ───► violated; off: it holds
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/replica_state.h"
#include "sim/check.h"
#include "sim/diagnostics.h"
#include "sim/scenario.h"
#include "sim/world.h"
#include "sim/world_state.h"

/* ---- sabotage ---- */

enum sabotage {
    NOTHING,
    EPOCH_IS_KEPT,    /* an election does not raise the leader epoch */
    ISR_IS_EMPTIED,   /* an ISR of one that shrinks is written empty */
    OUTSIDER_ELECTED, /* an election takes one that is not in the ISR */
    APPLIED_TWICE,    /* ZooKeeper tells changes with an older zxid */
    STATES_JUMP,      /* a note of a move tells another edge */
    ISR_FROM_AFAR,    /* the request of a leader's ISR write is said to come from another broker */
    LEADER_DOUBLED,   /* two brokers note that they lead in one epoch */
    HW_TOO_HIGH,      /* a replica's view has its mark beyond its log */
    RECORD_CHANGED,   /* a replica's view holds another record than its leader's */
    EVENT_LOST,       /* an event that is put into the queue is never taken out */
    CACHE_LIES,       /* a metadata cache tells another leader epoch */
    SENT_BACKWARDS,   /* a request of an older batch is sent behind a newer one's */
    EPOCH_INVENTED,   /* a batch names a broker epoch that nobody registered with */
    MIND_CHANGED,     /* the active controller tells other replicas than ZooKeeper has */
    PAYLOAD_LEAKS,    /* the keeper keeps one more batch than it should */
    NOBODY_ACTIVE,    /* no controller is found active */
    SHUTDOWN_REFUSED, /* the answer to a controlled shutdown never comes */
    ACKS_UNHEARD,     /* the leader's mark never rises: a produce with acks=all is never answered */
    READ_TOO_FAR,     /* a consumer is said to have read a record that comes later */
    DELETE_UNHEARD,   /* broker 3 finds nothing in a StopReplica that deletes, and answers it */
};
static enum sabotage sabotage;

struct sm_election __real_sm_elect(const struct sm_election_input *in);
struct sm_election __wrap_sm_elect(const struct sm_election_input *in);
struct sm_election __wrap_sm_elect(const struct sm_election_input *in)
{
    struct sm_election e = __real_sm_elect(in);
    if (e.verdict != SM_ELECTED)
        return e;
    if (sabotage == EPOCH_IS_KEPT)
        e.next.leader_epoch = in->current->leader_epoch;
    if (sabotage == OUTSIDER_ELECTED) {
        for (int32_t i = 0; i < in->assignment->replicas.count; i++)
            if (!sm_list_has(&in->current->isr, in->assignment->replicas.id[i]))
                e.next.leader = in->assignment->replicas.id[i];
        e.next.isr = sm_list_of(&e.next.leader, 1);
    }
    return e;
}

struct sm_leader_and_isr __real_sm_leader_and_isr_remove(const struct sm_leader_and_isr *from,
                                                         int32_t id, bool keep_last);
struct sm_leader_and_isr __wrap_sm_leader_and_isr_remove(const struct sm_leader_and_isr *from,
                                                         int32_t id, bool keep_last);
struct sm_leader_and_isr __wrap_sm_leader_and_isr_remove(const struct sm_leader_and_isr *from,
                                                         int32_t id, bool keep_last)
{
    struct sm_leader_and_isr li = __real_sm_leader_and_isr_remove(from, id, keep_last);
    if (sabotage == ISR_IS_EMPTIED)
        li.isr.count = 0;
    return li;
}

void __real_sim_checks_zk_says(struct sim_checks *c, const struct kz_output *o);
void __wrap_sim_checks_zk_says(struct sim_checks *c, const struct kz_output *o);
void __wrap_sim_checks_zk_says(struct sim_checks *c, const struct kz_output *o)
{
    struct kz_output copy = *o;
    if (sabotage == APPLIED_TWICE && o->kind == KZ_OUT_APPLIED && o->zxid % 7 == 0)
        copy.zxid -= 5;
    __real_sim_checks_zk_says(c, &copy);
}

void __real_sim_checks_zk_asks(struct sim_checks *c, int32_t id, int32_t epoch,
                               const struct wire_zk_request *request);
void __wrap_sim_checks_zk_asks(struct sim_checks *c, int32_t id, int32_t epoch,
                               const struct wire_zk_request *request);
void __wrap_sim_checks_zk_asks(struct sim_checks *c, int32_t id, int32_t epoch,
                               const struct wire_zk_request *request)
{
    if (sabotage == ISR_FROM_AFAR && epoch < 0 && id >= 0)
        id = id % 3 + 1;
    __real_sim_checks_zk_asks(c, id, epoch, request);
}

void __real_sim_checks_controller(struct sim_checks *c, int32_t id, const struct kc_output *o);
void __wrap_sim_checks_controller(struct sim_checks *c, int32_t id, const struct kc_output *o);
void __wrap_sim_checks_controller(struct sim_checks *c, int32_t id, const struct kc_output *o)
{
    struct kc_output copy = *o;
    if (sabotage == STATES_JUMP && o->kind == KC_OUT_MOVE && o->machine == KC_MACHINE_REPLICA)
        copy.from = SM_REPLICA_DELETION_STARTED;
    if (sabotage == EVENT_LOST && o->kind == KC_OUT_QUEUE && o->what == KC_QUEUE_START &&
        o->event_id == 3)
        return;
    __real_sim_checks_controller(c, id, &copy);
    if (sabotage == SENT_BACKWARDS && o->kind == KC_OUT_SEND && o->api == WIRE_API_STOP_REPLICA) {
        copy.api = WIRE_API_LEADER_AND_ISR;
        __real_sim_checks_controller(c, id, &copy);
    }
}

void __real_sim_checks_replica(struct sim_checks *c, int32_t id, const struct kb_output *o);
void __wrap_sim_checks_replica(struct sim_checks *c, int32_t id, const struct kb_output *o);
void __wrap_sim_checks_replica(struct sim_checks *c, int32_t id, const struct kb_output *o)
{
    struct kb_output copy = *o;
    if (sabotage == LEADER_DOUBLED && o->kind == KB_OUT_FACT && o->what == KB_FACT_FOLLOWER)
        copy.what = KB_FACT_LEADER;
    __real_sim_checks_replica(c, id, &copy);
}

bool __real_kb_partition(const struct kb_replicas *r, const char *topic, int32_t partition,
                         struct kb_partition_view *view);
bool __wrap_kb_partition(const struct kb_replicas *r, const char *topic, int32_t partition,
                         struct kb_partition_view *view);
bool __wrap_kb_partition(const struct kb_replicas *r, const char *topic, int32_t partition,
                         struct kb_partition_view *view)
{
    static struct kb_batch other;
    bool found = __real_kb_partition(r, topic, partition, view);
    if (found && sabotage == HW_TOO_HIGH)
        view->hw = view->log_end + 1;
    if (found && sabotage == RECORD_CHANGED && view->batch_count > 0 &&
        kb_replicas_config(r)->broker_id == 1) {
        other = view->batches[0];
        other.payload += 1000;
        view->batches = &other;
        view->batch_count = 1;
    }
    return found;
}

const struct kb_partition *__real_kb_cache_partition(const struct kb_cache *c, uint32_t topic,
                                                     int32_t partition);
const struct kb_partition *__wrap_kb_cache_partition(const struct kb_cache *c, uint32_t topic,
                                                     int32_t partition);
const struct kb_partition *__wrap_kb_cache_partition(const struct kb_cache *c, uint32_t topic,
                                                     int32_t partition)
{
    static struct kb_partition lie;
    const struct kb_partition *p = __real_kb_cache_partition(c, topic, partition);
    if (p == NULL || sabotage != CACHE_LIES)
        return p;
    lie = *p;
    lie.leader_epoch += 9;
    return &lie;
}

const struct wire_broker *__real_wire_batch_next_broker(const struct wire_batch *b,
                                                        const struct wire_broker *previous);
const struct wire_broker *__wrap_wire_batch_next_broker(const struct wire_batch *b,
                                                        const struct wire_broker *previous);
const struct wire_broker *__wrap_wire_batch_next_broker(const struct wire_batch *b,
                                                        const struct wire_broker *previous)
{
    static _Alignas(8) uint8_t bytes[4096]; /* the entry with its strings */
    static const struct wire_broker *real;
    struct wire_broker *invented = (void *)bytes;
    if (sabotage != EPOCH_INVENTED)
        return __real_wire_batch_next_broker(b, previous);
    real = __real_wire_batch_next_broker(b, previous == NULL ? NULL : real);
    if (real == NULL)
        return NULL;
    if (real->size > sizeof(bytes))
        abort();
    memcpy(bytes, real, real->size);
    invented->epoch += 1000;
    return invented;
}

bool __real_kc_assignment(const struct kc_controller *c, const char *topic, int32_t partition,
                          struct sm_assignment *a);
bool __wrap_kc_assignment(const struct kc_controller *c, const char *topic, int32_t partition,
                          struct sm_assignment *a);
bool __wrap_kc_assignment(const struct kc_controller *c, const char *topic, int32_t partition,
                          struct sm_assignment *a)
{
    bool found = __real_kc_assignment(c, topic, partition, a);
    if (found && sabotage == MIND_CHANGED)
        a->replicas.count--;
    return found;
}

uint64_t __real_sim_keeper_count(const struct sim_keeper *k);
uint64_t __wrap_sim_keeper_count(const struct sim_keeper *k);
uint64_t __wrap_sim_keeper_count(const struct sim_keeper *k)
{
    return __real_sim_keeper_count(k) + (sabotage == PAYLOAD_LEAKS ? 1000 : 0);
}

int32_t __real_sim_world_active(const struct sim_world *w);
int32_t __wrap_sim_world_active(const struct sim_world *w);
int32_t __wrap_sim_world_active(const struct sim_world *w)
{
    return sabotage == NOBODY_ACTIVE ? -1 : __real_sim_world_active(w);
}

void __real_sim_shutdown_answered(struct sim_world *w, uint64_t call,
                                  const struct wire_call *answer);
void __wrap_sim_shutdown_answered(struct sim_world *w, uint64_t call,
                                  const struct wire_call *answer);
void __wrap_sim_shutdown_answered(struct sim_world *w, uint64_t call,
                                  const struct wire_call *answer)
{
    if (sabotage != SHUTDOWN_REFUSED)
        __real_sim_shutdown_answered(w, call, answer);
}

void __real_kb_log_set_hw(const struct kb_step *s, struct kb_row *row, int64_t hw);
void __wrap_kb_log_set_hw(const struct kb_step *s, struct kb_row *row, int64_t hw);
void __wrap_kb_log_set_hw(const struct kb_step *s, struct kb_row *row, int64_t hw)
{
    if (sabotage != ACKS_UNHEARD || s->now_us < 100000000)
        __real_kb_log_set_hw(s, row, hw);
}

void __real_sim_checks_consumed(struct sim_checks *c, const char *topic, int32_t partition,
                                int64_t offset);
void __wrap_sim_checks_consumed(struct sim_checks *c, const char *topic, int32_t partition,
                                int64_t offset);
void __wrap_sim_checks_consumed(struct sim_checks *c, const char *topic, int32_t partition,
                                int64_t offset)
{
    __real_sim_checks_consumed(c, topic, partition, offset + (sabotage == READ_TOO_FAR ? 9 : 0));
}

bool __real_wire_batch_next_for(const struct wire_batch *b, enum wire_record_kind kind,
                                uint32_t index, struct wire_record_view *v);
bool __wrap_wire_batch_next_for(const struct wire_batch *b, enum wire_record_kind kind,
                                uint32_t index, struct wire_record_view *v);
bool __wrap_wire_batch_next_for(const struct wire_batch *b, enum wire_record_kind kind,
                                uint32_t index, struct wire_record_view *v)
{
    bool found = __real_wire_batch_next_for(b, kind, index, v);
    const struct wire_broker *broker = wire_batch_next_broker(b, NULL);
    if (sabotage != DELETE_UNHEARD || !found || kind != WIRE_RECORD_STOP_REPLICA)
        return found;
    for (uint32_t i = 0; i < index; i++)
        broker = wire_batch_next_broker(b, broker);
    return broker->id != 3 || v->flag[0] == 0;
}

/* ---- runs ---- */

static const char story[] =
    "title: t\nkafka: 2.8-fixed\n"
    "cluster: {nodes: [1, 2, 3], properties: {zookeeper.session.timeout.ms: 6000}}\n"
    "topics: {t: {assignment: {0: [1, 2, 3], 1: [2, 3, 1]}}, d: {assignment: {0: [1, 2]}}}\n"
    "clients:\n  - {produce: t, rate: 10/s, until: 50s}\n"
    "steps:\n"
    "  - {at: 5s, kill: 3}\n  - {at: 15s, restart: 3}\n"
    "  - {at: 30s, kill: 2}\n  - {at: 40s, restart: 2}\n"
    "  - {at: 60s, delete-topic: d}\n"
    "  - {at: 62s, kill: 3}\n  - {at: 70s, kill: 2}\n  - {at: 80s, kill: 1}\n"
    "  - {at: 90s, restart: 3}\n"
    "  - {at: 100s, restart: 1}\n  - {at: 101s, restart: 2}\n"
    "until: 130s\n";

/* Somebody reads. */
static const char reading[] =
    "title: t\nkafka: 2.8-fixed\ncluster: {nodes: [1, 2, 3]}\n"
    "topics: {t: {assignment: {0: [1, 2, 3]}}}\n"
    "clients:\n  - {produce: t, rate: 10/s, until: 5s}\n  - {consume: t}\n"
    "until: 10s\n";

/* The same cluster, healed: liveness is judged. */
static const char healed[] =
    "title: t\nkafka: 2.8-fixed\n"
    "cluster: {nodes: [1, 2, 3], properties: {zookeeper.session.timeout.ms: 6000}}\n"
    "topics: {t: {assignment: {0: [1, 2, 3], 1: [2, 3, 1]}}}\n"
    "clients:\n  - {produce: t, rate: 1/s, acks: all}\n"
    "steps:\n"
    "  - {at: 60s, kill: 3}\n  - {at: 105s, shutdown: 2}\n"
    "heal: {at: 106s}\n"
    "until: 1100s\n";

static struct sim_check_result play(struct sim_scenario *s)
{
    struct sim_world_options options = sim_world_options_default();
    options.seed = s->seed;
    options.checks = SIM_CHECKS_ON;
    options.trace = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    struct sim_world *w = sim_world_new(&options);
    sim_world_load(w, s);
    while (!(s->until_quiet && sim_world_is_over(w)) && sim_world_next(w) <= s->until_us &&
           sim_world_step(w)) {
    }
    sim_world_checks_end(w);
    struct sim_check_result r = *sim_world_checked(w);
    sim_world_free(w);
    sim_trace_free(options.trace);
    return r;
}

struct row {
    enum sim_check check;
    const char
        *scenario; /* under scenarios/; NULL: the story above, V: the healed one; or a text */
    const char *defect;
    enum sabotage sabotage;
    const char *says; /* in the detail; NULL: anything. For one part of a check */
};

static const struct row rows[] = {
    {SIM_CHECK_S1, NULL, NULL, LEADER_DOUBLED, NULL},
    {SIM_CHECK_S2, NULL, NULL, EPOCH_IS_KEPT, NULL},
    {SIM_CHECK_S3, "defects/KAFKA-9672-on.yaml", "KAFKA-9672", NOTHING, NULL},
    {SIM_CHECK_S3, NULL, NULL, ISR_IS_EMPTIED, NULL},
    {SIM_CHECK_S4, NULL, NULL, OUTSIDER_ELECTED, NULL},
    {SIM_CHECK_S5, "defects/KAFKA-6082-on.yaml", "KAFKA-6082", NOTHING, NULL},
    {SIM_CHECK_S6, "defects/KAFKA-2721-on.yaml", "KAFKA-2721", NOTHING, NULL},
    {SIM_CHECK_S7, "defects/KAFKA-1211-on.yaml", "KAFKA-1211", NOTHING, NULL},
    {SIM_CHECK_S8, NULL, NULL, HW_TOO_HIGH, NULL},
    {SIM_CHECK_S8, reading, NULL, READ_TOO_FAR, "no leader has committed beyond"},
    {SIM_CHECK_S9, NULL, NULL, RECORD_CHANGED, NULL},
    {SIM_CHECK_S10, NULL, NULL, ISR_FROM_AFAR, NULL},
    {SIM_CHECK_S11, NULL, NULL, STATES_JUMP, NULL},
    {SIM_CHECK_S12, "defects/kcsim-delete-while-reassigning-on.yaml",
     "kcsim-delete-while-reassigning", NOTHING, NULL},
    {SIM_CHECK_S12, "deletion/a-late-request-after-the-deletion.yaml", NULL, DELETE_UNHEARD,
     "broker 3 goes on with a log of it"},
    {SIM_CHECK_S3, "defects/KAFKA-14140-on.yaml", "KAFKA-14140", NOTHING, NULL},
    {SIM_CHECK_S9, "defects/KAFKA-6361-on.yaml", "KAFKA-6361", NOTHING, NULL},
    {SIM_CHECK_S10, "defects/KAFKA-7152-on.yaml", "KAFKA-7152", NOTHING, NULL},
    {SIM_CHECK_S11, "defects/KAFKA-13572-on.yaml", "KAFKA-13572", NOTHING, NULL},
    {SIM_CHECK_S12, "defects/KAFKA-6612-on.yaml", "KAFKA-6612", NOTHING, NULL},
    {SIM_CHECK_S13, "defects/KAFKA-13972-on.yaml", "KAFKA-13972", NOTHING, NULL},
    {SIM_CHECK_S13, "defects/KAFKA-5310-on.yaml", "KAFKA-5310", NOTHING, NULL},
    {SIM_CHECK_S14, NULL, NULL, CACHE_LIES, NULL},
    {SIM_CHECK_S15, "defects/KAFKA-9212-on.yaml", "KAFKA-9212", NOTHING, NULL},
    {SIM_CHECK_S15, NULL, NULL, MIND_CHANGED, NULL},
    {SIM_CHECK_S16, NULL, NULL, SENT_BACKWARDS, NULL},
    {SIM_CHECK_S17, NULL, NULL, EPOCH_INVENTED, NULL},
    {SIM_CHECK_S18, NULL, NULL, APPLIED_TWICE, NULL},
    {SIM_CHECK_S19, NULL, NULL, PAYLOAD_LEAKS, NULL},
    {SIM_CHECK_V1, NULL, NULL, NOBODY_ACTIVE, NULL},
    {SIM_CHECK_V2, "defects/KAFKA-3143-on.yaml", "KAFKA-3143", NOTHING, NULL},
    {SIM_CHECK_V3, "defects/KAFKA-12367-on.yaml", "KAFKA-12367", NOTHING, NULL},
    {SIM_CHECK_V3, "defects/KAFKA-5473-on.yaml", "KAFKA-5473", NOTHING, NULL},
    {SIM_CHECK_V4, "defects/KAFKA-13225-on.yaml", "KAFKA-13225", NOTHING, NULL},
    {SIM_CHECK_V5, "defects/KAFKA-6650-on.yaml", "KAFKA-6650", NOTHING, NULL},
    {SIM_CHECK_V6, "defects/KAFKA-9089-on.yaml", "KAFKA-9089", NOTHING, NULL},
    {SIM_CHECK_V6, "defects/KAFKA-6193-on.yaml", "KAFKA-6193", NOTHING, NULL},
    {SIM_CHECK_V7, "defects/KAFKA-9866-on.yaml", "KAFKA-9866", NOTHING, NULL},
    {SIM_CHECK_V8, NULL, NULL, SHUTDOWN_REFUSED, NULL},
    {SIM_CHECK_V9, NULL, NULL, ACKS_UNHEARD, NULL},
    {SIM_CHECK_V10, "defects/kcsim-poison-preferred-on.yaml", "kcsim-poison-preferred", NOTHING,
     NULL},
    {SIM_CHECK_V11, NULL, NULL, EVENT_LOST, NULL},
    {SIM_CHECK_V12, "defects/KAFKA-9198-on.yaml", "KAFKA-9198", NOTHING, NULL},
};

static struct sim_scenario *load(const struct row *row)
{
    struct sim_diagnostics d;
    char file[300];
    const char *text =
        sim_check_is_liveness(row->check) && row->check != SIM_CHECK_V11 ? healed : story;
    sim_diagnostics_init(&d);
    snprintf(file, sizeof(file), KC_SOURCE_DIR "/scenarios/%s", row->scenario);
    if (row->scenario == reading)
        text = reading;
    struct sim_scenario *s = row->scenario != NULL && row->scenario != reading
                                 ? sim_scenario_load(file, &d)
                                 : sim_scenario_parse("story.yaml", text, strlen(text), &d);
    if (s == NULL)
        sim_diagnostics_print(&d, stderr, false);
    sim_diagnostics_free(&d);
    return s;
}

static unsigned judge(const struct row *row)
{
    struct sim_scenario *s = load(row);
    if (s == NULL)
        return 1;
    sabotage = row->sabotage;
    struct sim_check_result with = play(s);
    sabotage = NOTHING;
    if (row->defect != NULL)
        s->profile.defects &= ~(UINT64_C(1) << sm_defect_named(row->defect));
    struct sim_check_result without = play(s);
    const struct sim_violation *v = &with.violations[row->check];
    bool good = v->count > 0 && without.violations[row->check].count == 0 &&
                (row->says == NULL || strstr(v->detail, row->says) != NULL);
    printf("%s %-28s %s%s: %s\n", good ? "ok  " : "FAIL", sim_check_name(row->check),
           row->defect != NULL ? row->defect : "sabotaged",
           good ? "" : " (did not fire, or without)", v->detail);
    if (without.violations[row->check].count > 0)
        printf("     without: %s\n", without.violations[row->check].detail);
    sim_scenario_free(s);
    return !good;
}

int main(void)
{
    unsigned bad = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        bad += judge(&rows[i]);
    return bad != 0;
}
