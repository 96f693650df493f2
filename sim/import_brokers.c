/*
 * Brokers that are there, and who controls.
 *
 * A controller tells of its own election and of the brokers it sees; the znodes behind
 * (/controller, its epoch, registrations) are inferred where no transactions tell of them. A broker
 * that is gone without a line of its own lost its session; whoever was controller lost that znode
 * with it.
 *
 * Source: Kafka KafkaController.elect, onControllerFailover, processBrokerChange.
 */
#include "sim/import_machines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "statemachine/znode.h"

void sim_import_set_live(struct sim_story *s, const struct sim_entry *e, const char *what,
                         struct sim_span text)
{
    struct sim_ids ids;
    sim_span_ids(text, &ids);
    if (strcmp(what, "live") == 0)
        sim_import_node(s, e->node)->live = ids;
    if (!sim_import_tell(s, SIM_K_LEARN, sim_import_lane(e), sim_import_cause(s, e)))
        return;
    sim_trace_set_ids(s->trace, sim_trace_key(s->trace, "ctx.%" PRId32 ".%s", e->node, what),
                      ids.id, ids.count);
    sim_trace_end(s->trace);
}

/* Without transactions: its session must have ended, its znode gone. */
static void infer_gone(struct sim_story *s, int32_t id)
{
    char path[SM_PATH_MAX], key[32];
    snprintf(key, sizeof(key), "x %" PRId32, id);
    if (sim_import_need(s, key) || sim_import_has_txns(s))
        return;
    const struct sim_told *node = sim_import_node(s, id);
    uint64_t down = node->down, by = 0;
    if (sim_import_infer(s, SIM_K_SESSION, SIM_LANE_ZK, by, down)) {
        sim_trace_text(s->trace, SIM_F_WHAT, down != 0 ? "expired" : "closed");
        sim_trace_int(s->trace, SIM_F_NODE, id);
        sim_trace_text(s->trace, SIM_F_SEEN, "server");
        by = sim_trace_end(s->trace);
    }
    sm_path_broker(path, id);
    sim_import_znode(s, path, NULL, 0, -1, 0, by);
    if (s->controller == id) {
        s->controller = -1;
        sim_import_znode(s, SM_PATH_CONTROLLER, NULL, 0, -1, 0, by);
    }
    s->brokers_changed = by;
}

static void infer_registered(struct sim_story *s, int32_t id)
{
    char path[SM_PATH_MAX], key[32], json[200];
    snprintf(key, sizeof(key), "b %" PRId32, id);
    if (sim_import_need(s, key) || sim_import_has_txns(s))
        return;
    sm_path_broker(path, id);
    int size = snprintf(json, sizeof(json),
                        "{\"version\":4,\"host\":\"broker-%" PRId32
                        "\",\"port\":9092,\"jmx_port\":-1,\"timestamp\":\"%" PRId64
                        "\",\"endpoints\":[\"PLAINTEXT://broker-%" PRId32 ":9092\"]}",
                        id, s->t / 1000, id);
    sim_import_znode(s, path, json, (size_t)size, 0, SIM_LANE_BROKER(id),
                     sim_trace_last_setter(s->trace, sim_trace_key(s->trace, "node.%" PRId32, id)));
}

void sim_import_tell_brokers(struct sim_story *s, const struct sim_entry *e,
                             const struct sim_holes *h)
{
    struct sim_ids added, gone, bounced;
    sim_span_ids(SIM_HOLE(h, 'i'), &added);
    sim_span_ids(SIM_HOLE(h, 'x'), &gone);
    sim_span_ids(SIM_HOLE(h, 'y'), &bounced);
    for (size_t i = 0; i < gone.count; i++)
        infer_gone(s, gone.id[i]);
    for (size_t i = 0; i < bounced.count; i++)
        infer_registered(s, bounced.id[i]);
    for (size_t i = 0; i < added.count; i++)
        infer_registered(s, added.id[i]);
    sim_import_begin_event(s, e, sim_import_event(e), sim_import_rule(e), s->brokers_changed);
    sim_import_set_live(s, e, "live", SIM_HOLE(h, 'z'));
}

void sim_import_tell_live(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_ids ids;
    sim_span_ids(SIM_HOLE(h, 'i'), &ids);
    for (size_t i = 0; i < ids.count; i++)
        infer_registered(s, ids.id[i]);
    sim_import_set_live(s, e, "live", SIM_HOLE(h, 'i'));
}

void sim_import_tell_elected(struct sim_story *s, const struct sim_entry *e,
                             const struct sim_holes *h)
{
    char key[32], json[120], epoch[16];
    int32_t ce = (int32_t)sim_span_number(SIM_HOLE(h, 'e'), -1);
    int32_t version = (int32_t)sim_span_number(SIM_HOLE(h, 'v'), -1);
    snprintf(key, sizeof(key), "e %" PRId32, ce);
    bool stated = ce >= 0 && sim_import_need(s, key);
    struct sim_told *node = sim_import_node(s, e->node);
    if (!stated && !sim_import_has_txns(s)) {
        int size =
            snprintf(json, sizeof(json),
                     "{\"version\":1,\"brokerid\":%" PRId32 ",\"timestamp\":\"%" PRId64 "\"}",
                     e->node, s->t / 1000);
        if (s->controller >= 0 && s->controller != e->node &&
            sim_import_node(s, s->controller)->down != 0)
            infer_gone(s, s->controller);
        else if (s->controller != e->node)
            sim_import_znode(s, SM_PATH_CONTROLLER, NULL, 0, -1, 0, 0);
        node = sim_import_node(s, e->node);
        sim_import_znode(s, SM_PATH_CONTROLLER, json, (size_t)size, 0, SIM_LANE_BROKER(e->node),
                         s->controller_changed != 0 ? s->controller_changed : node->cause);
        s->controller = e->node;
        if (ce >= 0) {
            size = snprintf(epoch, sizeof(epoch), "%" PRId32, ce);
            sim_import_znode(s, SM_PATH_CONTROLLER_EPOCH, epoch, (size_t)size, version,
                             SIM_LANE_BROKER(e->node), node->cause);
        }
    }
    if (sim_import_event(e) != NULL)
        sim_import_begin_event(s, e, sim_import_event(e), "OfflinePartitionLeaderElectionStrategy",
                               s->controller_changed);
    node = sim_import_node(s, e->node);
    if (ce >= 0)
        node->ce = ce;
    sim_import_forget_machines(s, e->node);
    if (!sim_import_tell(s, SIM_K_LEARN, sim_import_lane(e), node->cause))
        return;
    if (ce >= 0)
        sim_trace_set_int(s->trace, sim_trace_key(s->trace, "ctx.%" PRId32 ".epoch", e->node), ce);
    if (version >= 0)
        sim_trace_set_int(
            s->trace, sim_trace_key(s->trace, "ctx.%" PRId32 ".epochZkVersion", e->node), version);
    sim_trace_set_int(s->trace, sim_trace_key(s->trace, "bel.%" PRId32 ".ctl", e->node), e->node);
    sim_trace_set_text(s->trace, sim_trace_key(s->trace, "role.%" PRId32, e->node), "active");
    sim_trace_end(s->trace);
}

void sim_import_tell_standby(struct sim_story *s, const struct sim_entry *e, int64_t controller)
{
    if (!sim_import_tell(s, SIM_K_LEARN, sim_import_lane(e), sim_import_cause(s, e)))
        return;
    sim_trace_set_text(s->trace, sim_trace_key(s->trace, "role.%" PRId32, e->node), "standby");
    if (controller >= 0)
        sim_trace_set_int(s->trace, sim_trace_key(s->trace, "bel.%" PRId32 ".ctl", e->node),
                          controller);
    sim_trace_end(s->trace);
}
