/*
 * One process against a ZooKeeper server, without a world: messages go to and fro at once, time
 * moves when the test says so. What is looked at: the life of a process, expiry, the config watch.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/node.h"
#include "statemachine/znode.h"
#include "zookeeper/server.h"

#define SECOND ((int64_t)1000000)
enum { QUEUE_MAX = 4096, SCRATCH = 65536, CONN = 1, TOOL = 1000 };

struct item {
    bool to_server;
    uint32_t conn; /* to the node: over which connection */
    struct kz_input server;
    struct kn_input node;
    void *bytes;
};

static struct kn_node node;
static struct kz_server *zk;
static void *scratch;
static struct item queue[QUEUE_MAX];
static size_t head, tail;
static int64_t now;
static uint32_t conn, tools;
static bool cut; /* nothing passes to the server */
static bool stopped;
static char sessions[1024];

static void enqueue(struct item item)
{
    ck_assert_uint_lt(tail, QUEUE_MAX);
    queue[tail++] = item;
}

static void *copy(const void *bytes, size_t size)
{
    return memcpy(malloc(size), bytes, size);
}

static void zk_put(void *context, const struct kz_output *o)
{
    struct item item = {0};
    (void)context;
    if (o->conn != conn)
        return;
    if (o->kind == KZ_OUT_CONNECTED) {
        item.node = (struct kn_input){.kind = KN_IN_CONNECTED,
                                      .session = o->session,
                                      .password = o->password,
                                      .timeout_us = o->timeout_us};
    } else if (o->kind == KZ_OUT_REPLY) {
        item.bytes = copy(o->reply, o->reply->size);
        item.node = (struct kn_input){.kind = KN_IN_ZK_REPLY, .reply = item.bytes};
    } else if (o->kind == KZ_OUT_EVENT) {
        item.bytes = copy(o->path, strlen(o->path) + 1);
        item.node =
            (struct kn_input){.kind = KN_IN_ZK_EVENT, .event_type = o->type, .path = item.bytes};
    } else if (o->kind == KZ_OUT_CLOSED) {
        item.node = (struct kn_input){.kind = KN_IN_DISCONNECTED};
    } else {
        return;
    }
    item.conn = o->conn;
    enqueue(item);
}

static void zk_step(struct kz_input in)
{
    struct kz_outputs out = {.put = zk_put, .scratch = scratch, .scratch_size = SCRATCH};
    ck_assert_int_eq(kz_server_step(zk, now, &in, &out), SM_ERR_OK);
}

static uint64_t node_put(void *context, const struct kn_output *o)
{
    struct item item = {.to_server = true, .server = {.conn = conn}};
    (void)context;
    switch ((enum kn_output_kind)o->kind) {
    case KN_OUT_ZK_CONNECT:
        item.server = (struct kz_input){.kind = KZ_IN_CONNECT,
                                        .conn = ++conn,
                                        .session = o->session,
                                        .password = o->password,
                                        .timeout_us = o->timeout_us,
                                        .zxid = o->zxid};
        break;
    case KN_OUT_ZK_SEND:
        item.server.kind = KZ_IN_REQUEST;
        item.server.request = item.bytes = copy(o->request, o->request->size);
        break;
    case KN_OUT_ZK_PING:
        item.server.kind = KZ_IN_HEARTBEAT;
        break;
    case KN_OUT_ZK_CLOSE:
        item.server.kind = KZ_IN_CLOSE;
        break;
    case KN_OUT_ZK_HANG_UP:
        item.server.kind = KZ_IN_DISCONNECT;
        break;
    case KN_OUT_SESSION:
        snprintf(sessions + strlen(sessions), sizeof(sessions) - strlen(sessions), "%s ",
                 kn_session_what_name((enum kn_session_what)o->what));
        return 0;
    case KN_OUT_STOPPED:
        stopped = true;
        return 0;
    case KN_OUT_NONE:
    case KN_OUT_PEER_REQUEST:
    case KN_OUT_REPLICA:
    case KN_OUT_CONTROLLER:
    case KN_OUT_TIMER:
    case KN_OUT_RESPONSE:
    case KN_OUT_BATCH_ANSWER:
    case KN_OUT_LOG:
        return 0;
    }
    enqueue(item);
    return 0;
}

static bool grow(void *context, struct kn_node *n, enum kn_block block, const char *short_of)
{
    (void)context;
    (void)short_of;
    if (block == KN_BLOCK_SESSION) {
        struct kn_session_limits limits = *kn_session_limits_of(n->session);
        limits.request_bytes *= 2;
        struct kn_session *larger = malloc(kn_session_size(&limits));
        kn_session_grow(n->session, larger, &limits);
        free(n->session);
        n->session = larger;
        return true;
    }
    struct kc_limits limits = *kc_controller_limits(n->controller);
    uint32_t *each[] = {&limits.brokers,    &limits.topics,      &limits.partitions,
                        &limits.events,     &limits.event_bytes, &limits.scratch_bytes,
                        &limits.batch_bytes};
    for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
        *each[i] *= 2;
    struct kc_controller *larger = calloc(1, kc_controller_size(&limits));
    kc_controller_grow(n->controller, larger, &limits);
    free(n->controller);
    n->controller = larger;
    return true;
}

static void feed(struct kn_input in)
{
    struct kn_outputs out = {.put = node_put, .grow = grow};
    do {
        ck_assert_int_eq(kn_node_step(&node, now, &in, &out), SM_ERR_OK);
        kn_node_check(&node);
        in = (struct kn_input){.kind = KN_IN_MORE};
    } while (out.more);
}

static void run(void)
{
    while (head < tail) {
        struct item item = queue[head++];
        if (!item.to_server && item.conn == conn)
            feed(item.node);
        else if (item.to_server && !cut)
            zk_step(item.server);
        free(item.bytes);
    }
    head = tail = 0;
}

static int32_t tool(enum wire_zk_opcode opcode, uint32_t flags, const char *path, const char *data)
{
    _Alignas(8) uint8_t bytes[1024];
    struct wire_zk_builder b;
    uint32_t mine = TOOL + ++tools;
    size_t size = data == NULL ? 0 : strlen(data);
    wire_zk_begin(&b, bytes, sizeof(bytes), 1, false);
    wire_zk_add(&b,
                (struct wire_zk_op){.opcode = (uint8_t)opcode,
                                    .flags = (uint8_t)flags,
                                    .has_data = data != NULL,
                                    .version = WIRE_ZK_ANY_VERSION,
                                    .path_size = (uint32_t)strlen(path),
                                    .data_size = (uint32_t)size},
                path, data);
    zk_step((struct kz_input){.kind = KZ_IN_CONNECT, .conn = mine, .timeout_us = 6 * SECOND});
    zk_step((struct kz_input){.kind = KZ_IN_REQUEST, .conn = mine, .request = wire_zk_end(&b)});
    zk_step((struct kz_input){.kind = KZ_IN_CLOSE, .conn = mine});
    return 0;
}

static bool exists(const char *path)
{
    struct wire_zk_stat stat;
    const uint8_t *data;
    uint32_t size;
    bool has_data;
    return kz_server_get(zk, path, &stat, &data, &size, &has_data);
}

static void setup(void)
{
    struct kz_limits limits = {
        .nodes = 512, .bytes = 65536, .watches = 256, .sessions = 64, .history = 0};
    struct kn_session_limits session_limits = kn_session_limits_default();
    struct kn_session_config session_config = kn_session_config_default();
    struct kc_limits controller_limits = kc_limits_default();
    struct kc_config config = kc_config_default(sm_profile_of(SM_VERSION_2_8), 1);
    config.register_broker = 1;
    session_config.timeout_us = 6 * SECOND;
    zk = malloc(kz_server_size(&limits));
    kz_server_init(zk, &limits, 2 * SECOND);
    for (size_t i = 0; sm_persistent_paths[i] != NULL; i++)
        kz_server_put(zk, sm_persistent_paths[i], NULL, 0, NULL);
    scratch = malloc(SCRATCH);
    struct kn_session *session = malloc(kn_session_size(&session_limits));
    struct kc_controller *controller = calloc(1, kc_controller_size(&controller_limits));
    kn_session_init(session, &session_limits, &session_config);
    kc_controller_init(controller, &controller_limits, &config);
    kn_node_init(&node, 1, session, controller);
    head = tail = 0;
    now = 0;
    conn = tools = 0;
    cut = stopped = false;
    sessions[0] = '\0';
}

static void teardown(void)
{
    free(zk);
    free(scratch);
    free(node.session);
    free(node.controller);
}

static void start(void)
{
    feed((struct kn_input){.kind = KN_IN_START});
    run();
}

START_TEST(a_process_connects_registers_and_becomes_controller)
{
    ck_assert(!kn_node_is_running(&node));
    start();
    ck_assert_str_eq(sessions, "created ");
    ck_assert(kn_node_is_running(&node));
    ck_assert(exists("/brokers/ids/1"));
    ck_assert(exists("/controller"));
    ck_assert(kc_controller_is_active(node.controller));
}
END_TEST

START_TEST(a_clean_stop_resigns_and_closes_the_session)
{
    start();
    feed((struct kn_input){.kind = KN_IN_STOP});
    run();
    ck_assert(stopped);
    ck_assert_str_eq(sessions, "created closed ");
    ck_assert(!exists("/controller"));
    ck_assert(!exists("/brokers/ids/1"));
}
END_TEST

/* Goal: after an expiry the controller has resigned, then a new session is made, the broker
   registered again and the role won again, under the next epoch. */
START_TEST(an_expired_session_is_followed_by_a_new_one)
{
    start();
    int64_t old = kn_session_id(node.session);
    zk_step((struct kz_input){.kind = KZ_IN_EXPIRE, .session = old});
    run();
    ck_assert(!exists("/controller"));
    now += SECOND;
    feed((struct kn_input){.kind = KN_IN_TIMER, .timer = KN_TIMER_SESSION});
    run();
    ck_assert_str_eq(sessions, "created disconnected expired created ");
    ck_assert_int_ne(kn_session_id(node.session), old);
    ck_assert(exists("/brokers/ids/1"));
    ck_assert(kc_controller_is_active(node.controller));
    ck_assert_int_eq(kc_controller_epoch(node.controller), 2);
}
END_TEST

/* Goal: a lost connection is nobody's business but the session's. */
START_TEST(a_lost_connection_keeps_the_role)
{
    start();
    zk_step((struct kz_input){.kind = KZ_IN_DISCONNECT, .conn = conn});
    feed((struct kn_input){.kind = KN_IN_DISCONNECTED});
    now += SECOND;
    feed((struct kn_input){.kind = KN_IN_TIMER, .timer = KN_TIMER_SESSION});
    run();
    ck_assert_str_eq(sessions, "created disconnected connected ");
    ck_assert(kc_controller_is_active(node.controller));
    ck_assert_int_eq(kc_controller_epoch(node.controller), 1);
}
END_TEST

/* Goal: each notification is handled once, in order, and what concerns nobody is passed over. */
START_TEST(config_changes_are_read_once_and_in_order)
{
    start();
    tool(WIRE_ZK_CREATE, 0, "/config/topics/t",
         "{\"version\":1,\"config\":{\"unclean.leader.election.enable\":\"true\"}}");
    tool(WIRE_ZK_CREATE, WIRE_ZK_SEQUENTIAL, "/config/changes/config_change_",
         "{\"version\":2,\"entity_path\":\"clients/x\"}");
    tool(WIRE_ZK_CREATE, WIRE_ZK_SEQUENTIAL, "/config/changes/config_change_", "nonsense");
    tool(WIRE_ZK_CREATE, WIRE_ZK_SEQUENTIAL, "/config/changes/config_change_",
         "{\"version\":2,\"entity_path\":\"topics/t\"}");
    run();
    ck_assert_int_eq(node.config_watch.last, 2);
    ck_assert(kn_config_watch_is_idle(&node.config_watch));
    tool(WIRE_ZK_CREATE, WIRE_ZK_SEQUENTIAL, "/config/changes/config_change_",
         "{\"version\":2,\"entity_path\":\"topics/t\"}");
    run();
    ck_assert_int_eq(node.config_watch.last, 3);
}
END_TEST

START_TEST(many_config_changes_at_once_are_all_handled)
{
    start();
    for (int i = 0; i < 150; i++)
        tool(WIRE_ZK_CREATE, WIRE_ZK_SEQUENTIAL, "/config/changes/config_change_",
             "{\"version\":2,\"entity_path\":\"topics/none\"}");
    run();
    ck_assert_int_eq(node.config_watch.last, 149);
}
END_TEST

START_TEST(a_process_that_was_never_connected_stops_at_once)
{
    cut = true;
    start();
    feed((struct kn_input){.kind = KN_IN_STOP});
    ck_assert(stopped);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("node");
    TCase *tc = tcase_create("node");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_process_connects_registers_and_becomes_controller);
    tcase_add_test(tc, a_clean_stop_resigns_and_closes_the_session);
    tcase_add_test(tc, an_expired_session_is_followed_by_a_new_one);
    tcase_add_test(tc, a_lost_connection_keeps_the_role);
    tcase_add_test(tc, config_changes_are_read_once_and_in_order);
    tcase_add_test(tc, many_config_changes_at_once_are_all_handled);
    tcase_add_test(tc, a_process_that_was_never_connected_stops_at_once);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
