#define _POSIX_C_SOURCE 200809L /* open_memstream */

#include "hand.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/znode.h"

enum { SECOND = 1000000 };
static const char orders_state[] = "/brokers/topics/orders/partitions/0/state";

char *hand_text(const struct sim_trace *trace, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    assert(out != NULL);
    bool written = sim_trace_write(trace, out);
    assert(written);
    fclose(out);
    return text;
}

void hand_znode(struct sim_trace *trace, const char *path, const char *data, int64_t zxid,
                int64_t owner)
{
    struct wire_zk_stat stat = {
        .czxid = zxid, .mzxid = zxid, .pzxid = zxid, .ephemeral_owner = owner};
    sim_trace_set_znode(trace, path, data, data != NULL ? strlen(data) : 0, &stat);
}

static void put_broker(struct sim_trace *t, int32_t id, const char *registration)
{
    char path[SM_PATH_MAX];
    sm_path_broker(path, id);
    hand_znode(t, path, registration, 10 + id, 0x100 + id);
}

static void put_given(struct sim_trace *t)
{
    static const char *const plain[] = {
        "/admin",
        "/admin/delete_topics",
        "/brokers",
        "/brokers/ids",
        "/brokers/topics",
        "/brokers/topics/orders/partitions",
        "/brokers/topics/orders/partitions/0",
        "/brokers/topics/orders/partitions/1",
        "/config",
        "/config/topics",
    };
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        hand_znode(t, plain[i], NULL, 1, 0);
    for (int32_t id = 1; id <= 3; id++) {
        char registration[400];
        snprintf(registration, sizeof(registration),
                 "{\"listener_security_protocol_map\":{\"PLAINTEXT\":\"PLAINTEXT\"},\"endpoints\":"
                 "[\"PLAINTEXT://host%d:9092\"],\"jmx_port\":-1,\"host\":\"host%d\",\"timestamp\":"
                 "\"0\",\"port\":9092,\"version\":4}",
                 id, id);
        put_broker(t, id, registration);
    }
    hand_znode(t, "/controller", "{\"version\":1,\"brokerid\":2,\"timestamp\":\"0\"}", 20, 0x102);
    hand_znode(t, "/controller_epoch", "1", 21, 0);
    hand_znode(
        t, "/config/topics/orders",
        "{\"version\":1,\"config\":{\"min.insync.replicas\":\"2\",\"retention.ms\":\"1000\"}}", 22,
        0);
    hand_znode(t, "/brokers/topics/orders",
               "{\"version\":2,\"partitions\":{\"0\":[1,2,3],\"1\":[2,3,1]},\"adding_replicas\":{},"
               "\"removing_replicas\":{}}",
               23, 0);
    hand_znode(
        t, orders_state,
        "{\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":0,\"isr\":[1,2,3]}",
        24, 0);
    hand_znode(
        t, "/brokers/topics/orders/partitions/1/state",
        "{\"controller_epoch\":1,\"leader\":2,\"version\":1,\"leader_epoch\":0,\"isr\":[2,3,1]}",
        25, 0);
    sim_trace_set_text(t, "role.2", "active");
    sim_trace_set_text(t, "ps.2.orders-0", "OnlinePartition");
    sim_trace_set_text(t, "rs.2.orders-0.1", "OnlineReplica");
    sim_trace_set_text(t, "b.1.orders-0.leader", "1");
    for (int32_t id = 1; id <= 3; id++)
        sim_trace_set_node(t, id, "up", 1);
    const int32_t live[] = {1, 2, 3};
    sim_trace_set_ids(t, "ctx.2.live", live, 3);
}

static void begin(struct sim_trace *t, struct hand *h)
{
    sim_trace_meta_begin(t, 7, "2.8");
    sim_trace_text(t, SIM_F_VERSION, "test");
    sim_trace_text(t, SIM_F_TITLE, "a trace made by hand");
    sim_trace_end(t);
    sim_trace_begin(t, SIM_K_GIVEN, 0, SIM_LANE_WORLD, 0, 0);
    put_given(t);
    h->given = sim_trace_end(t);
}

/* Broker 1 dies; nobody hears of it until its session is over. */
static void lose_broker(struct sim_trace *t, struct hand *h)
{
    const int32_t hit[] = {1};
    struct sim_fault_note note = {.verb = "kill",
                                  .target = "leader of orders-0",
                                  .label = "first",
                                  .hit = hit,
                                  .hit_count = 1,
                                  .until_us = -1,
                                  .step = 12};
    sim_trace_fault_begin(t, SECOND, 0, &note);
    sim_trace_set_node(t, 1, "down", 1);
    h->fault = sim_trace_end(t);
    sim_trace_begin(t, SIM_K_SESSION, 7 * SECOND, SIM_LANE_ZK, h->given, h->fault);
    sim_trace_text(t, SIM_F_WHAT, "expired");
    sim_trace_int(t, SIM_F_ID, 0x101);
    sim_trace_int(t, SIM_F_NODE, 1);
    sim_trace_text(t, SIM_F_SEEN, "server");
    sim_trace_int(t, SIM_F_ZXID, 30);
    sim_trace_set_znode(t, "/brokers/ids/1", NULL, 0, NULL);
    /* The watch nests: it is told before the expiry is over, and stands behind it. */
    sim_trace_begin(t, SIM_K_WATCH, 7 * SECOND, SIM_LANE_ZK, sim_trace_open_number(t), 0);
    sim_trace_text(t, SIM_F_PATH, "/brokers/ids");
    sim_trace_text(t, SIM_F_EVENT, "NodeChildrenChanged");
    h->watch = sim_trace_end(t);
    h->expired = sim_trace_end(t);
    h->notify = sim_trace_notify(t, 7 * SECOND + 500, SIM_LANE_CONTROLLER(2), h->watch,
                                 WIRE_ZK_EVENT_CHILD, "/brokers/ids");
}

/* What controller 2 puts out, in the structs that the controller uses. */
static void react(struct sim_trace *t, struct hand *h)
{
    const int64_t now = 7 * SECOND + 500;
    struct kc_output o = {.kind = KC_OUT_QUEUE,
                          .by = h->notify,
                          .what = KC_QUEUE_PUT,
                          .name = "BrokerChange",
                          .event_id = 5,
                          .depth = 1};
    h->put = sim_trace_controller(t, now, 2, &o);
    o.by = h->put;
    o.what = KC_QUEUE_START;
    h->start = sim_trace_controller(t, now, 2, &o);

    struct sm_profile profile = sm_profile_of(SM_VERSION_2_8);
    struct sm_list replicas = sm_list_of((const int32_t[]){1, 2, 3}, 3);
    struct sm_list online = sm_list_of((const int32_t[]){2, 3}, 2);
    struct sm_assignment assignment = sm_assignment_of(&replicas);
    struct sm_leader_and_isr current = {.leader = 1, .controller_epoch = 1, .isr = replicas};
    struct sm_list none = {0};
    struct sm_election_input in = {.strategy = SM_STRATEGY_OFFLINE,
                                   .profile = &profile,
                                   .assignment = &assignment,
                                   .current = &current,
                                   .online = &online,
                                   .online_or_shutting_down = &online,
                                   .shutting_down = &none};
    struct sm_election elected = sm_elect(&in);
    struct kc_output d = {.kind = KC_OUT_DECIDE,
                          .by = h->start,
                          .topic = "orders",
                          .partition = 0,
                          .strategy = SM_STRATEGY_OFFLINE,
                          .election = &in,
                          .elected = &elected};
    h->decide = sim_trace_controller(t, now, 2, &d);
}

static void write_state(struct sim_trace *t, struct hand *h)
{
    static const char state[] =
        "{\"controller_epoch\":1,\"leader\":2,\"version\":1,\"leader_epoch\":1,\"isr\":[2,3]}";
    const int64_t now = 7 * SECOND + 1000;
    uint64_t memory[128];
    struct wire_zk_builder b;
    wire_zk_begin(&b, memory, sizeof(memory), 1, true);
    wire_zk_add(&b, (struct wire_zk_op){.opcode = WIRE_ZK_CHECK, .version = 1}, "/controller_epoch",
                NULL);
    wire_zk_add(&b, (struct wire_zk_op){.opcode = WIRE_ZK_SET_DATA, .data_size = sizeof(state) - 1},
                orders_state, state);
    struct kc_output zk = {.kind = KC_OUT_ZK, .by = h->decide, .request = wire_zk_end(&b)};
    h->zreq = sim_trace_controller(t, now, 2, &zk);

    struct kz_input input = {.kind = KZ_IN_REQUEST, .request = zk.request};
    struct sim_zk_step z = {.by = h->zreq, .m = h->zreq, .from = SIM_LANE_CONTROLLER(2)};
    struct wire_zk_stat stat = {.czxid = 24, .mzxid = 31, .pzxid = 24, .version = 1, .mtime = 7001};
    struct kz_output applied = {.kind = KZ_OUT_APPLIED,
                                .type = WIRE_ZK_SET_DATA,
                                .session = 0x102,
                                .zxid = 31,
                                .path = orders_state,
                                .data = (const uint8_t *)state,
                                .data_size = sizeof(state) - 1,
                                .stat = &stat};
    sim_zk_step_begin(t, &z, now + 500, &input);
    sim_zk_step_output(t, &z, &applied);
    h->zap = sim_zk_step_end(t, &z);

    struct sm_leader_and_isr li = {.leader = 2,
                                   .leader_epoch = 1,
                                   .zk_version = 1,
                                   .controller_epoch = 1,
                                   .isr = sm_list_of((const int32_t[]){2, 3}, 2)};
    struct kc_output fact = {.kind = KC_OUT_FACT,
                             .by = h->zap,
                             .fact = KC_FACT_LEADERSHIP,
                             .topic = "orders",
                             .partition = 0,
                             .li = &li};
    h->learn = sim_trace_controller(t, now + 1000, 2, &fact);
    struct kc_output role = {
        .kind = KC_OUT_FACT, .by = h->zap, .fact = KC_FACT_EPOCH, .value = 1, .value2 = 1};
    uint64_t joined = sim_trace_controller(t, now + 1000, 2, &role);
    assert(joined == h->learn); /* facts of one cause share a record */
    struct kc_output move = {.kind = KC_OUT_MOVE,
                             .by = h->learn,
                             .machine = KC_MACHINE_REPLICA,
                             .topic = "orders",
                             .broker_id = 1,
                             .from = SM_REPLICA_ONLINE,
                             .to = SM_REPLICA_OFFLINE,
                             .ok = 1};
    sim_trace_controller(t, now + 1000, 2, &move);
    struct kc_output log = {.kind = KC_OUT_LOG,
                            .by = h->learn,
                            .level = KC_INFO,
                            .stream = KC_CONTROLLER_LOG,
                            .text = "[Controller id=2] Broker failure callback for 1"};
    sim_trace_controller(t, now + 1000, 2, &log);
    log.level = KC_TRACE;
    log.stream = KC_STATE_CHANGE_LOG;
    log.text = "[Controller id=2 epoch=1] Changed state of replica 1 for partition orders-0 from "
               "OnlineReplica to OfflineReplica";
    sim_trace_controller(t, now + 1000, 2, &log);
}

struct sim_trace *hand_made(struct hand *hand, bool finish)
{
    struct sim_trace *t = sim_trace_new(&(struct sim_trace_options){.mode = SIM_TRACE_KEEP});
    *hand = (struct hand){0};
    begin(t, hand);
    lose_broker(t, hand);
    react(t, hand);
    write_state(t, hand);
    if (finish)
        sim_trace_finish(t, 8 * SECOND, "met");
    else
        sim_trace_digest(t); /* settles the last record */
    return t;
}
