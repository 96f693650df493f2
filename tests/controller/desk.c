/*
 * The desk's loop: one message after another goes to the server, a broker or a controller, and what
 * they say goes to the end of the queue. Nothing takes time.
 */
#include "desk_parts.h"

#include "controller/state.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void desk_say(struct desk *d, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    d->story_size += (size_t)vsnprintf(d->story + d->story_size, TEXT - d->story_size, format, a);
    va_end(a);
    ck_assert_uint_lt(d->story_size, TEXT - 4096);
}

struct message *desk_push(struct desk *d, enum kind kind, int who)
{
    if (d->count == d->capacity) {
        d->capacity = d->capacity ? d->capacity * 2 : 256;
        d->queue = realloc(d->queue, d->capacity * sizeof *d->queue);
    }
    struct message *m = &d->queue[d->count++];
    *m = (struct message){.kind = kind, .who = who};
    return m;
}

void *desk_copy(const void *bytes, size_t size)
{
    void *out = aligned_alloc(8, (size + 7) & ~(size_t)7);
    memcpy(out, bytes, size);
    return out;
}

/* ---- answers of brokers ---- */

void desk_answers(struct desk *d, const struct held *r)
{
    struct wire_answer_item items[64];
    struct wire_answer a = {.items = items};
    const struct behaviour *b = &d->behaviour[r->broker % BROKERS][r->api % 8];
    const struct wire_broker *w = wire_batch_broker(r->batch, r->broker);
    struct wire_record_view v = {0};
    enum wire_record_kind kind =
        r->api == WIRE_API_LEADER_AND_ISR ? WIRE_RECORD_LEADER_AND_ISR : WIRE_RECORD_STOP_REPLICA;
    a.error = b->error;
    while (b->partition_error != 0 && wire_batch_next_for(r->batch, kind, w->index, &v)) {
        char name[300];
        snprintf(name, sizeof name, "%s-%d", v.topic, v.record->partition);
        if (b->partition[0] == '\0' || strcmp(b->partition, name) == 0) {
            items[a.count++] = (struct wire_answer_item){v.offset, b->partition_error};
        }
    }
    desk_to_controller(d, r->who,
                       &(struct kc_input){.kind = KC_IN_ANSWER,
                                          .broker_id = r->broker,
                                          .correlation = r->correlation,
                                          .answer = &a});
}

static void to_broker(struct desk *d, const struct held *r)
{
    struct behaviour *b = &d->behaviour[r->broker % BROKERS][0];
    size_t at = strlen(d->sent[r->broker % BROKERS]);

    snprintf(d->sent[r->broker % BROKERS] + at, SENT - at, "%s%s", at > 0 ? " " : "",
             wire_api_name(r->api));

    if (b->held) {
        ck_assert_uint_lt(d->held_count, HELD_MAX);
        d->held[d->held_count++] = *r;
        return;
    }
    if (b->breaks > 0) {
        b->breaks--;
        desk_say(d, "%s -> %d: connection broke\n", wire_api_name(r->api), r->broker);
        desk_to_controller(d, r->who,
                           &(struct kc_input){.kind = KC_IN_SEND_FAILED,
                                              .broker_id = r->broker,
                                              .correlation = r->correlation});
    } else {
        desk_answers(d, r);
    }
    free(r->batch);
}

/* ---- ZooKeeper as seen from a controller's session ---- */

static void *refused_reply(uint32_t xid, bool multi)
{
    void *bytes = aligned_alloc(8, 256);
    struct wire_zk_builder b;

    wire_zk_reply_begin(&b, bytes, 256, xid, multi, 0);
    ck_assert_ptr_nonnull(wire_zk_reply_end(&b, WIRE_ZK_SESSION_EXPIRED));
    return bytes;
}

static void ask_server(struct desk *d, const struct message *m)
{
    const struct wire_zk_request *r = m->bytes;

    if (d->peer[m->who].expired) {
        desk_push(d, ZK_REPLY, m->who)->bytes = refused_reply(r->xid, r->multi);
        return;
    }
    if (m->who == 0 && ++d->peer[0].asked == d->kill_at) {
        if (d->kill_served) {
            desk_say_writes(d, m->who, r);
            desk_to_server(d, &(struct kz_input){.kind = KZ_IN_REQUEST,
                                                 .conn = desk_conn_of(m->who),
                                                 .request = r});
        }
        desk_kill_controller(d);
        return;
    }
    desk_say_writes(d, m->who, r);
    if (++d->requests == d->lose_at) { /* the first answer is lost, the client asks again */
        size_t before = d->count;
        desk_to_server(d, &(struct kz_input){
                              .kind = KZ_IN_REQUEST, .conn = desk_conn_of(m->who), .request = r});
        for (size_t i = before; i < d->count; i++) {
            if (d->queue[i].kind == ZK_REPLY) {
                free(d->queue[i].bytes);
                memmove(&d->queue[i], &d->queue[i + 1], (--d->count - i) * sizeof *d->queue);
                break;
            }
        }
    }
    desk_to_server(
        d, &(struct kz_input){.kind = KZ_IN_REQUEST, .conn = desk_conn_of(m->who), .request = r});
}

/* What was in flight comes back as refused; watches of the old session are gone. */
static void refuse_in_flight(struct desk *d, int who)
{
    size_t kept = d->head;

    for (size_t i = d->head; i < d->count; i++) {
        struct message m = d->queue[i];
        if (m.who == who && m.kind == ZK_EVENT) {
            free(m.bytes);
            continue;
        }
        if (m.who == who && m.kind == ZK_REPLY) {
            const struct wire_zk_reply *r = m.bytes;
            void *refused = refused_reply(r->xid, r->multi);
            free(m.bytes);
            m.bytes = refused;
        }
        d->queue[kept++] = m;
    }
    d->count = kept;
}

/* `leaves`: the server forgets to delete the ephemerals of the session (ZOOKEEPER-2985). */
static void expire(struct desk *d, int who, bool leaves)
{
    if (d->peer[who].expired || d->peer[who].waits) {
        return;
    }
    if (leaves) {
        desk_to_server(d, &(struct kz_input){.kind = KZ_IN_DISCONNECT, .conn = desk_conn_of(who)});
    } else {
        desk_to_server(
            d, &(struct kz_input){.kind = KZ_IN_EXPIRE, .session = d->session[desk_conn_of(who)]});
    }
    refuse_in_flight(d, who);
    d->peer[who].expired = true;
    desk_to_controller(d, who, &(struct kc_input){.kind = KC_IN_SESSION_EXPIRED});
}

static void new_session(struct desk *d, int who)
{
    d->peer[who].waits = false;
    desk_connect(d, desk_conn_of(who));
    desk_to_controller(d, who,
                       &(struct kc_input){.kind = KC_IN_SESSION_CREATED,
                                          .session = d->session[desk_conn_of(who)]});
}

static void deliver(struct desk *d, struct message *m)
{
    switch (m->kind) {
    case ZK_REQUEST:
        ask_server(d, m);
        break;
    case BROKER_REQUEST:
        to_broker(d, &m->request);
        break;
    case ZK_REPLY:
        if (!d->peer[m->who].expired && ++d->replies == d->expire_at) {
            d->head--; /* this one, too, comes back as refused */
            expire(d, m->who, false);
            return;
        }
        d->peer[m->who].in_flight--;
        desk_to_controller(d, m->who,
                           &(struct kc_input){.kind = KC_IN_ZK_REPLY, .reply = m->bytes});
        break;
    case ZK_EVENT:
        desk_to_controller(
            d, m->who,
            &(struct kc_input){.kind = KC_IN_ZK_EVENT, .event_type = m->type, .path = m->bytes});
        break;
    case SESSION:
        new_session(d, m->who);
        break;
    case TIMER:
        desk_to_controller(d, m->who, &(struct kc_input){.kind = KC_IN_TIMER, .timer = m->type});
        break;
    }
    free(m->bytes);
}

bool desk_step(struct desk *d)
{
    if (d->head == d->count) {
        d->head = d->count = 0;
        return false;
    }
    struct message m = d->queue[d->head++];
    d->now += 100;
    deliver(d, &m);
    return true;
}

void desk_run(struct desk *d)
{
    size_t steps = 0;

    while (desk_step(d)) {
        ck_assert_msg(++steps < 2000000, "the desk does not come to rest");
    }
}

bool desk_run_until(struct desk *d, const char *part)
{
    size_t steps = 0;

    while (strstr(d->story, part) == NULL) {
        if (!desk_step(d)) {
            return false;
        }
        ck_assert_msg(++steps < 2000000, "the desk does not come to rest");
    }
    return true;
}

/* ---- the controller's life ---- */

static void start(struct desk *d, int who)
{
    d->peer[who].alive = true;
    desk_connect(d, desk_conn_of(who));
    desk_to_controller(
        d, who, &(struct kc_input){.kind = KC_IN_START, .session = d->session[desk_conn_of(who)]});
}

void desk_start(struct desk *d)
{
    start(d, 0);
}

void desk_second(struct desk *d, const struct kc_config *config)
{
    struct kc_limits l = kc_limits_default();

    kc_limits_in_flight(&l, l.window, config);
    d->peer[1].c = desk_block_of(&l);
    kc_controller_init(d->peer[1].c, &l, config);
    start(d, 1);
}

void desk_kill_controller(struct desk *d)
{
    d->peer[0].alive = false;
    desk_to_server(d, &(struct kz_input){.kind = KZ_IN_CLOSE, .conn = desk_conn_of(0)});
    for (size_t i = d->head; i < d->count; i++) {
        if (d->queue[i].who == 0 && d->queue[i].kind == ZK_REQUEST) {
            free(d->queue[i].bytes); /* never left the process */
            memmove(&d->queue[i], &d->queue[i + 1], (--d->count - i) * sizeof *d->queue);
            i--;
        }
    }
}

void desk_expire(struct desk *d)
{
    expire(d, 0, false);
}

void desk_expire_leaving(struct desk *d)
{
    expire(d, 0, true);
}

void desk_expire_at(struct desk *d, long n)
{
    d->expire_at = n == 0 ? 0 : d->replies + n;
}

void desk_lose_at(struct desk *d, long n)
{
    d->lose_at = n == 0 ? 0 : d->requests + n;
}

void desk_kill_at(struct desk *d, long n, bool served)
{
    d->kill_at = d->peer[0].asked + n;
    d->kill_served = served;
}

int desk_largest_group(const struct desk *d)
{
    return d->largest_group;
}

long desk_replies(const struct desk *d)
{
    return d->replies;
}

long desk_requests(const struct desk *d)
{
    return d->requests;
}

void desk_call(struct desk *d, const struct wire_call *call)
{
    desk_to_controller(
        d, 0, &(struct kc_input){.kind = KC_IN_CALL, .call_id = ++d->call_id, .call = call});
}

void desk_timer(struct desk *d, uint32_t timer)
{
    desk_to_controller(d, 0, &(struct kc_input){.kind = KC_IN_TIMER, .timer = timer});
}

int64_t desk_balance_due(const struct desk *d)
{
    return d->peer[0].balance_due < 0 ? -1 : d->peer[0].balance_due - d->now;
}

void desk_unclean(struct desk *d, const char *topic)
{
    desk_to_controller(d, 0, &(struct kc_input){.kind = KC_IN_UNCLEAN_ENABLED, .path = topic});
}

void desk_shutdown(struct desk *d)
{
    desk_to_controller(d, 0, &(struct kc_input){.kind = KC_IN_SHUTDOWN});
}

void desk_block(struct desk *d, bool on)
{
    desk_to_controller(d, 0, &(struct kc_input){.kind = KC_IN_BLOCK, .on = on});
}

void desk_answer(struct desk *d, int32_t broker, int32_t api, int32_t error,
                 int32_t partition_error, const char *partition)
{
    struct behaviour *b = &d->behaviour[broker % BROKERS][api % 8];

    b->error = error;
    b->partition_error = partition_error;
    snprintf(b->partition, sizeof b->partition, "%s", partition == NULL ? "" : partition);
}

void desk_break(struct desk *d, int32_t broker, int times)
{
    d->behaviour[broker % BROKERS][0].breaks = times;
}

void desk_hold(struct desk *d, int32_t broker, bool on)
{
    size_t count = d->held_count;

    d->behaviour[broker % BROKERS][0].held = on;
    if (on) {
        return;
    }
    d->held_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct held r = d->held[i];
        if (r.broker != broker) {
            d->held[d->held_count++] = r;
            continue;
        }
        desk_answers(d, &r);
        free(r.batch);
    }
}

void desk_before_write(struct desk *d, const char *path, int nth, void (*act)(struct desk *))
{
    snprintf(d->write_path, sizeof d->write_path, "%s", path);
    d->write_nth = nth;
    d->write_act = act;
}

/* ---- making and freeing ---- */

struct desk *desk_new_within(const struct kc_config *config, const struct kc_limits *limits)
{
    struct desk *d = calloc(1, sizeof *d);
    struct kz_limits z = {.nodes = 512, .bytes = 1 << 17, .watches = 256, .sessions = 80};

    d->scratch_size = 1 << 16;
    d->scratch = aligned_alloc(8, d->scratch_size);
    d->story = calloc(1, TEXT);
    d->log = calloc(1, TEXT);
    d->out = calloc(1, TEXT);
    d->z = aligned_alloc(8, (kz_server_size(&z) + 7) & ~7ul);
    kz_server_init(d->z, &z, 1000000);
    d->peer[0].c = desk_block_of(limits);
    d->peer[0].alive = true;
    d->peer[0].balance_due = -1;
    d->peer[0].beside = sm_defect_on(&config->profile, SM_DEFECT_LISTED_AT_WATCH);
    kc_controller_init(d->peer[0].c, limits, config);
    desk_connect(d, CONN_OUTSIDE);
    for (size_t i = 0; sm_persistent_paths[i] != NULL; i++) {
        desk_create(d, sm_persistent_paths[i], NULL);
    }
    return d;
}

struct desk *desk_new_with(const struct kc_config *config)
{
    struct kc_limits l = kc_limits_default();

    kc_limits_in_flight(&l, l.window, config);
    return desk_new_within(config, &l);
}

struct kc_config desk_config(enum sm_version version, int32_t id)
{
    struct kc_config config = kc_config_default(sm_profile_of(version), id);

    config.register_broker = 0;
    config.auto_leader_rebalance = 0;
    config.delete_topic = 1;
    return config;
}

struct desk *desk_new(enum sm_version version)
{
    struct kc_config config = desk_config(version, 100);

    return desk_new_with(&config);
}

struct desk *desk_running(enum sm_version version, int32_t brokers)
{
    struct desk *d = desk_new(version);

    for (int32_t id = 1; id <= brokers; id++) {
        desk_broker(d, id);
    }
    desk_start(d);
    desk_run(d);
    desk_story(d);
    return d;
}

void desk_with_topic(struct desk *d, const char *topic, const char *assignment)
{
    desk_topic(d, topic, assignment);
    desk_run(d);
    desk_story(d);
}

int desk_suite(const char *name, const TTest *const *tests, size_t count)
{
    Suite *s = suite_create(name);
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 60);
    for (size_t i = 0; i < count; i++) {
        tcase_add_test(tc, tests[i]);
    }
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

void desk_free(struct desk *d)
{
    for (size_t i = d->head; i < d->count; i++) {
        free(d->queue[i].bytes);
        free(d->queue[i].request.batch);
    }
    for (size_t i = 0; i < d->held_count; i++) {
        free(d->held[i].batch);
    }
    free(d->queue);
    free(d->scratch);
    free(d->story);
    free(d->log);
    free(d->out);
    free(d->z);
    free(d->peer[0].c);
    free(d->peer[1].c);
    free(d);
}
