/*
 * Acts on processes: brokers that start, die, are bounced, answer as told; controllers.
 *
 * Whoever is started is waited for: a broker until it is registered, a controller until it runs, as
 * the harness does that the scripts were recorded with.
 */
#include "sim/scn_parts.h"

#include <errno.h>

#include "sim/allocate.h"
#include "sim/canonical.h"

/* ---- brokers ---- */

static bool all_registered(struct sim_scn_run *r)
{
    struct sim_scn_ids ids = {0};
    bool good = true;
    sim_scn_read_ids(r->step->plain[0], &ids);
    for (uint32_t i = 0; i < ids.count && good; i++)
        good =
            !sim_world_is_up(r->world, ids.id[i]) || sim_world_is_registered(r->world, ids.id[i]);
    free(ids.id);
    return good;
}

static bool start_broker(struct sim_scn_run *r, int32_t id)
{
    if (sim_scn_is_one_of(&r->controllers, id))
        return SIM_SCN_FAILS(r, "%d is a controller", id);
    sim_scn_know_process(r, id, false);
    if (sim_world_is_up(r->world, id))
        return SIM_SCN_FAILS(r, "broker %d is up already", id);
    const char *rack = sim_scn_option(r->step, "rack");
    sim_world_configure(r->world, id, NULL, rack == NULL ? "" : rack);
    sim_world_start(r->world, id, 0);
    return sim_scn_await(r, all_registered, 30 * SIM_SCN_SECOND, "registration");
}

static bool for_each_id(struct sim_scn_run *r, bool (*act)(struct sim_scn_run *r, int32_t id))
{
    struct sim_scn_ids ids = {0};
    bool good = true;
    sim_scn_read_ids(r->step->plain[0], &ids);
    for (uint32_t i = 0; i < ids.count && good; i++)
        good = act(r, ids.id[i]);
    free(ids.id);
    return good;
}

bool sim_scn_act_start(struct sim_scn_run *r)
{
    return for_each_id(r, start_broker);
}

static bool kill_broker(struct sim_scn_run *r, int32_t id)
{
    if (sim_scn_is_one_of(&r->controllers, id))
        return SIM_SCN_FAILS(r, "%d is a controller", id);
    sim_scn_know_process(r, id, false);
    sim_world_kill(r->world, id, SIM_SESSION_CLOSED, 0);
    return true;
}

bool sim_scn_act_kill(struct sim_scn_run *r)
{
    struct sim_scn_ids ids = {0};
    bool good = true;
    sim_scn_read_ids(r->step->plain[0], &ids);
    for (uint32_t i = 0; i < ids.count && good; i++) {
        if (sim_scn_is_one_of(&r->controllers, ids.id[i]))
            good = SIM_SCN_FAILS(r, "%d is a controller", ids.id[i]);
        else
            sim_scn_know_process(r, ids.id[i], false);
    }
    if (good && ids.count > 1)
        sim_world_kill_together(r->world, ids.id, ids.count, 0);
    free(ids.id);
    return good && for_each_id(r, kill_broker);
}

static bool bounce_broker(struct sim_scn_run *r, int32_t id)
{
    if (!sim_scn_is_one_of(&r->brokers, id) || !sim_world_is_up(r->world, id))
        return SIM_SCN_FAILS(r, "broker %d is not up", id);
    sim_world_bounce(r->world, id, 0);
    return sim_scn_await(r, all_registered, 30 * SIM_SCN_SECOND, "registration");
}

bool sim_scn_act_bounce(struct sim_scn_run *r)
{
    return for_each_id(r, bounce_broker);
}

/* fault 3 LeaderAndIsr error=56 | perror=56 tp=t-0 | drop | hang | delay=500ms, count=1; fault 3
 * off */
static bool read_tp(const char *text, char *topic, int32_t *partition)
{
    const char *dash = strrchr(text, '-');
    if (dash == NULL || dash == text || (size_t)(dash - text) > SM_TOPIC_NAME_MAX)
        return false;
    memcpy(topic, text, (size_t)(dash - text));
    topic[dash - text] = '\0';
    dash++;
    return sim_scn_read_number(&dash, partition) && *dash == '\0';
}

static bool make_rule(struct sim_scn_run *r, struct sim_answer_rule *rule, char *topic)
{
    const struct sim_scn_step *s = r->step;
    const char *word = s->plain_count > 2 ? s->plain[2] : "";
    rule->api = wire_api_named(s->plain[1]);
    if (rule->api != WIRE_API_LEADER_AND_ISR && rule->api != WIRE_API_STOP_REPLICA &&
        rule->api != WIRE_API_UPDATE_METADATA)
        rule->api = WIRE_API_NONE; /* what a controller never sends to a broker */
    if (rule->api == WIRE_API_NONE && strcmp(s->plain[1], "any") != 0)
        return SIM_SCN_FAILS(r, "fault: unknown API '%.40s'", s->plain[1]);
    if (sim_scn_option(s, "count") != NULL)
        rule->count = (uint32_t)strtoul(sim_scn_option(s, "count"), NULL, 10);
    if (sim_scn_option(s, "error") != NULL) {
        rule->told = SIM_TOLD_ERROR;
        rule->error = (int16_t)strtol(sim_scn_option(s, "error"), NULL, 10);
    } else if (sim_scn_option(s, "perror") != NULL) {
        rule->told = SIM_TOLD_PARTITION_ERROR;
        rule->error = (int16_t)strtol(sim_scn_option(s, "perror"), NULL, 10);
        if (sim_scn_option(s, "tp") != NULL) {
            if (!read_tp(sim_scn_option(s, "tp"), topic, &rule->partition))
                return SIM_SCN_FAILS(r, "fault: bad tp '%.60s'", sim_scn_option(s, "tp"));
            rule->topic = topic;
        }
    } else if (sim_scn_option(s, "delay") != NULL) {
        rule->told = SIM_TOLD_DELAY;
        rule->delay_us = sim_scn_duration(s, "delay", 0);
    } else if (strcmp(word, "drop") == 0 || strcmp(word, "hang") == 0) {
        rule->told = word[0] == 'd' ? SIM_TOLD_DROP : SIM_TOLD_HANG;
    } else {
        return SIM_SCN_FAILS(r, "fault: error=, perror=, delay=, drop, hang or off?");
    }
    return true;
}

static bool fault_broker(struct sim_scn_run *r, int32_t id)
{
    struct sim_answer_rule rule = {0};
    char topic[SM_TOPIC_NAME_MAX + 1];
    if (sim_scn_is_one_of(&r->controllers, id))
        return SIM_SCN_FAILS(r, "%d is a controller", id);
    sim_scn_know_process(r, id, false);
    if (strcmp(r->step->plain[1], "off") == 0) {
        sim_world_tell_off(r->world, id, 0);
        return true;
    }
    if (!make_rule(r, &rule, topic))
        return false;
    sim_world_tell(r->world, id, &rule);
    return true;
}

bool sim_scn_act_fault(struct sim_scn_run *r)
{
    return for_each_id(r, fault_broker);
}

/* ---- controllers ---- */

static int32_t group_size(const char *value)
{
    long size = strtol(value, NULL, 10);
    return size < 1 ? 1 : size > KC_GROUP_MAX ? KC_GROUP_MAX : (int32_t)size;
}

static bool set_property(struct sim_scn_run *r, struct sim_settings *settings, const char *key,
                         const char *value)
{
    bool is_true = strcmp(value, "true") == 0;
    if (strcmp(key, "auto.leader.rebalance.enable") == 0)
        settings->auto_leader_rebalance = is_true;
    else if (strcmp(key, "unclean.leader.election.enable") == 0)
        settings->unclean_leader_election = is_true;
    else if (strcmp(key, "delete.topic.enable") == 0)
        settings->delete_topic = is_true;
    else if (strcmp(key, "leader.imbalance.check.interval.seconds") == 0)
        settings->leader_imbalance_check_us = strtoll(value, NULL, 10) * SIM_SCN_SECOND;
    else if (strcmp(key, "leader.imbalance.per.broker.percentage") == 0)
        settings->leader_imbalance_percentage = (int32_t)strtol(value, NULL, 10);
    else if (strcmp(key, "controller.socket.timeout.ms") == 0)
        settings->socket_timeout_us = strtoll(value, NULL, 10) * 1000;
    else if (strcmp(key, "zookeeper.max.in.flight.requests") == 0)
        settings->zk_in_flight = (int32_t)strtol(value, NULL, 10);
    else if (strcmp(key, "kcsim.zookeeper.write.group") == 0)
        settings->zk_write_group = group_size(value);
    else if (strcmp(key, "kcsim.zookeeper.read.group") == 0)
        settings->zk_read_group = group_size(value);
    else if (strcmp(key, "zookeeper.session.timeout.ms") == 0)
        settings->session_timeout_us = strtoll(value, NULL, 10) * 1000;
    else
        return SIM_SCN_FAILS(r, "property '%.80s' is not modelled", key);
    return true;
}

/* props=a=b;c=d */
static bool set_properties(struct sim_scn_run *r, struct sim_settings *settings)
{
    const char *props = sim_scn_option(r->step, "props");
    char *text = sim_copy(props == NULL ? "" : props, strlen(props == NULL ? "" : props) + 1);
    bool good = true;
    for (char *at = text; good && at != NULL && *at != '\0';) {
        char *end = strchr(at, ';');
        if (end != NULL)
            *end++ = '\0';
        char *equals = strchr(at, '=');
        if (equals == NULL) {
            good = SIM_SCN_FAILS(r, "property '%.80s' has no value", at);
        } else {
            *equals = '\0';
            good = set_property(r, settings, at, equals + 1);
        }
        at = end;
    }
    free(text);
    return good;
}

static bool start_controller(struct sim_scn_run *r, int32_t id)
{
    struct sim_settings settings = r->settings;
    if (sim_scn_is_one_of(&r->brokers, id))
        return SIM_SCN_FAILS(r, "%d is a broker", id);
    if (!set_properties(r, &settings))
        return false;
    sim_scn_know_process(r, id, true);
    if (sim_world_is_up(r->world, id))
        return SIM_SCN_FAILS(r, "controller %d is up already", id);
    sim_canonical_hide(r->canonical, id);
    sim_world_configure(r->world, id, &settings, NULL);
    sim_world_start(r->world, id, 0);
    return true;
}

static bool is_down(struct sim_scn_run *r)
{
    return !sim_world_is_up(r->world, (int32_t)strtol(r->step->plain[1], NULL, 10));
}

bool sim_scn_act_controller(struct sim_scn_run *r)
{
    const char *what = r->step->plain[0], *at = r->step->plain_count > 1 ? r->step->plain[1] : "";
    int32_t id;
    if (strcmp(what, "delete-znode") == 0)
        return sim_scn_failed_with(
            r, sim_world_znode_delete(r->world, SM_PATH_CONTROLLER, WIRE_ZK_ANY_VERSION, 0));
    if (!sim_scn_read_number(&at, &id) || *at != '\0')
        return SIM_SCN_FAILS(r, "controller %.40s: wants an id", what);
    if (strcmp(what, "start") == 0)
        return start_controller(r, id);
    if (!sim_scn_is_one_of(&r->controllers, id))
        return SIM_SCN_FAILS(r, "controller %d was never started", id);
    if (strcmp(what, "kill") == 0) {
        sim_world_kill(r->world, id, SIM_SESSION_EXPIRES, 0);
    } else if (strcmp(what, "stop") == 0) {
        sim_world_stop(r->world, id, 0);
        return sim_scn_await(r, is_down, 20 * SIM_SCN_SECOND, "stop");
    } else if (strcmp(what, "pause") == 0) {
        sim_world_pause(r->world, id, 0);
    } else if (strcmp(what, "resume") == 0) {
        sim_world_resume(r->world, id, 0);
    } else {
        return SIM_SCN_FAILS(
            r, "controller %.40s? (start, kill, stop, pause, resume, delete-znode)", what);
    }
    return true;
}
