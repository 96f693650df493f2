/*
 * Records of the story that are lines of their own: faults, sessions, who is the controller.
 *
 * A fault is told in the words of its step; sessions as they expire; a controller's event only
 * gives its name to the chapter of what it changes.
 */
#include "sim/story_parts.h"

#include <inttypes.h>
#include <string.h>

/* ---- records ---- */

static const struct sim_step *step_at(const struct sim_scenario *scenario, int64_t line)
{
    for (uint32_t i = 0; i < scenario->step_count; i++) {
        if (scenario->steps[i].place.line == line) {
            return &scenario->steps[i];
        }
    }
    return NULL;
}

static void describe_arguments(const struct sim_step *step, char *out, size_t capacity)
{
    for (uint32_t i = 0; i < step->topic_count && i < SIM_STORY_NAMES; i++) {
        sim_text_append(out, capacity, " %s", step->topics[i]);
    }
    for (uint32_t i = 0;
         i < step->partition_arg_count && i < SIM_STORY_NAMES && step->topic_count == 0; i++) {
        const struct sim_partition_arg *p = &step->partitions[i];
        sim_text_append(out, capacity, " %s-%d", p->topic, p->partition);
        if (p->has_replicas) {
            sim_story_append_ids(out, capacity, &p->replicas);
        }
    }
    if (step->path != NULL) {
        sim_text_append(out, capacity, " %s", step->path);
    }
    for (uint32_t i = 0; i < step->group_count; i++) {
        sim_text_append(out, capacity, "%s%s", i == 0 ? " " : " | ", step->groups[i].text);
    }
    if (step->channel.from.text != NULL) {
        sim_text_append(out, capacity, " from %s", step->channel.from.text);
    }
    if (step->channel.to.text != NULL) {
        sim_text_append(out, capacity, " to %s", step->channel.to.text);
    }
}

/* What a verb did, in the past tense, with the ids in it. */
static void describe_fault(const struct sim_scenario *scenario, const struct sim_record *r,
                           char *out, size_t capacity)
{
    static const struct {
        const char *verb, *one, *many;
    } sentences[] = {
        {"kill", "node %s is killed", "nodes %s are killed"},
        {"restart", "node %s starts again", "nodes %s start again"},
        {"bounce", "node %s is replaced at once", "nodes %s are replaced at once"},
        {"shutdown", "broker %s asks for a controlled shutdown",
         "brokers %s ask for a controlled shutdown"},
        {"stop", "node %s stops cleanly", "nodes %s stop cleanly"},
        {"exit", "node %s cannot go on, and ends", "nodes %s cannot go on, and end"},
        {"pause", "node %s stands still (paused)", "nodes %s stand still (paused)"},
        {"resume", "node %s goes on", "nodes %s go on"},
        {"expire", "ZooKeeper expires the session of node %s",
         "ZooKeeper expires the sessions of nodes %s"},
        {"disconnect", "node %s loses its connection to ZooKeeper",
         "nodes %s lose their connections to ZooKeeper"},
        {"block", "the controller thread of node %s is blocked",
         "the controller threads of nodes %s are blocked"},
        {"unblock", "the controller thread of node %s goes on",
         "the controller threads of nodes %s go on"},
        {"clock-skew", "the clock of %s goes wrong", "the clocks of %s go wrong"},
        {"fail-log-dir", "a log directory of broker %s fails",
         "a log directory of brokers %s fails"},
    };
    const char *verb = sim_record_text(r, SIM_F_VERB), *target = sim_record_text(r, SIM_F_TARGET);
    const struct sim_step *step = step_at(scenario, sim_record_int(r, SIM_F_STEP, -1));
    char ids[128] = "";
    struct sim_value hit;
    int32_t id[16];
    size_t count = 0;
    if (sim_record_get(r, SIM_F_HIT, &hit) && hit.type == SIM_V_LIST) {
        count = sim_value_ids(&hit, id, 16);
    }
    for (size_t i = 0; i < count && i < 16; i++) {
        sim_text_append(ids, sizeof(ids), "%s%d", i == 0 ? "" : ", ", id[i]);
    }
    const bool by_role = target != NULL && strpbrk(target, "abcdefghijklmnopqrstuvwxyz") != NULL;
    for (unsigned i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
        if (verb != NULL && strcmp(verb, sentences[i].verb) == 0 && count > 0) {
            const char *form = count == 1 ? sentences[i].one : sentences[i].many;
            const char *at = strstr(form, "%s");
            sim_text_append(out, capacity, "%.*s%s%s", (int)(at - form), form, ids, at + 2);
            if (by_role) {
                sim_text_append(out, capacity, ", the %s", target);
            }
            return;
        }
    }
    sim_text_append(out, capacity, "%s", verb == NULL ? "something" : verb);
    if (count == 0 && target != NULL) { /* clients, by their names */
        sim_text_append(out, capacity, " %s", target);
    }
    if (step != NULL) {
        describe_arguments(step, out, capacity);
    }
    if (count > 0) {
        sim_text_append(out, capacity, " %s", ids);
    }
}

static void take_fault(struct sim_teller *s, const struct sim_record *r)
{
    char text[SIM_STORY_LINE] = "";
    sim_story_close_chapter(s);
    describe_fault(s->result->scenario, r, text, sizeof(text));
    sim_story_tell(s, r->t, SIM_RANK_FAULT, "%s", text);
}

static void take_session(struct sim_teller *s, const struct sim_record *r)
{
    const char *what = sim_record_text(r, SIM_F_WHAT), *seen = sim_record_text(r, SIM_F_SEEN);
    struct sim_record cause;
    const int64_t node = sim_record_int(r, SIM_F_NODE, -1);
    if (what == NULL || strcmp(what, "expired") != 0 || seen == NULL ||
        strcmp(seen, "server") != 0) {
        return;
    }
    sim_story_close_chapter(s);
    if (r->mute != 0 && sim_trace_get(s->trace, r->mute, &cause)) {
        sim_story_tell(s, r->t, SIM_RANK_SESSION,
                       "ZooKeeper expires the session of node %" PRId64
                       ", %.3gs after it fell silent",
                       node, (double)(r->t - cause.t) / 1e6);
    } else {
        sim_story_tell(s, r->t, SIM_RANK_SESSION, "ZooKeeper expires the session of node %" PRId64,
                       node);
    }
}

static void take_queue(struct sim_teller *s, const struct sim_record *r)
{
    const char *what = sim_record_text(r, SIM_F_WHAT), *name = sim_record_text(r, SIM_F_NAME);
    if (what != NULL && strcmp(what, "start") == 0) {
        s->running_at = r->at;
        snprintf(s->running, sizeof(s->running), "%s", name == NULL ? "" : name);
        if (strcmp(s->running, "Startup") == 0 || strcmp(s->running, "Reelect") == 0 ||
            strcmp(s->running, "RegisterBrokerAndReelect") == 0) {
            snprintf(s->running, sizeof(s->running), "taking over");
        }
    } else if (what != NULL && strcmp(what, "done") == 0 && r->at == s->running_at) {
        sim_story_close_chapter(s);
        s->running[0] = '\0';
    }
}

/* Which brokers a controller thinks are alive: what it notices. */
static void take_live(struct sim_teller *s, const struct sim_record *r, int node,
                      const struct sim_value *value)
{
    int32_t now[SIM_STORY_LIVE_MAX];
    const size_t count =
        value->type == SIM_V_LIST ? sim_value_ids(value, now, SIM_STORY_LIVE_MAX) : 0;
    char gone[128] = "", come[128] = "";
    if (count > SIM_STORY_LIVE_MAX || node != s->controller || s->live_of != node) {
        s->live_of = node; /* the first list of a controller is no change */
    } else {
        for (uint32_t i = 0; i < s->live_count; i++) {
            bool kept = false;
            for (size_t j = 0; j < count; j++) {
                kept = kept || now[j] == s->live[i];
            }
            if (!kept) {
                sim_text_append(gone, sizeof(gone), "%s%d", gone[0] == '\0' ? "" : ", ",
                                s->live[i]);
            }
        }
        for (size_t j = 0; j < count; j++) {
            bool known = false;
            for (uint32_t i = 0; i < s->live_count; i++) {
                known = known || now[j] == s->live[i];
            }
            if (!known) {
                sim_text_append(come, sizeof(come), "%s%d", come[0] == '\0' ? "" : ", ", now[j]);
            }
        }
        if (gone[0] != '\0') {
            sim_story_tell(s, r->t, SIM_RANK_SESSION,
                           "controller %d notices that broker %s is gone", node, gone);
        }
        if (come[0] != '\0') {
            sim_story_tell(s, r->t, SIM_RANK_SESSION,
                           "controller %d notices that broker %s is there", node, come);
        }
    }
    s->live_count = count <= SIM_STORY_LIVE_MAX ? (uint32_t)count : 0;
    memcpy(s->live, now, s->live_count * sizeof(now[0]));
}

static void take_node(struct sim_teller *s, int node, const struct sim_value *value)
{
    char name[16];
    struct sim_value state = *value;
    if (value->type == SIM_V_OBJECT && !sim_object_get(value, SIM_F_STATE, &state)) {
        return;
    }
    sim_text_put(name, sizeof(name), "%d", node);
    sim_story_set_flag(&s->down, name, state.type == SIM_V_TEXT && strcmp(state.text, "down") == 0);
}

bool sim_story_is_down(const struct sim_teller *s, int32_t node)
{
    char name[16];
    sim_text_put(name, sizeof(name), "%d", node);
    return sim_story_has_flag(&s->down, name, strlen(name));
}

/* Who is the controller, and at which epoch: facts that a record sets. */
static void take_roles(struct sim_teller *s, const struct sim_record *r)
{
    struct sim_walk walk = {0};
    const char *key;
    struct sim_value value;
    while (sim_record_next_set(r, &walk, &key, &value)) {
        int node;
        char rest[16] = "";
        if (sscanf(key, "ctx.%d.%15s", &node, rest) == 2 && strcmp(rest, "epoch") == 0 &&
            value.type == SIM_V_INT && value.number > s->epoch) {
            s->epoch = (int32_t)value.number;
        } else if (sscanf(key, "ctx.%d.%15s", &node, rest) == 2 && strcmp(rest, "live") == 0) {
            take_live(s, r, node, &value);
        } else if (sscanf(key, "node.%d", &node) == 1) {
            take_node(s, node, &value);
        } else if (sscanf(key, "role.%d", &node) == 1) {
            const bool active = value.type == SIM_V_TEXT && strcmp(value.text, "active") == 0;
            if (active && s->controller != node) {
                sim_story_close_chapter(s);
                sim_story_tell(s, r->t, SIM_RANK_CONTROLLER, "node %d becomes the controller",
                               node);
                s->controller = node;
            } else if (!active && s->controller == node) {
                sim_story_close_chapter(s);
                if (r->kind != SIM_K_FAULT) {
                    sim_story_tell(s, r->t, SIM_RANK_CONTROLLER,
                                   "node %d is the controller no more", node);
                }
                s->controller = -1;
            }
        }
    }
}

void sim_story_take_record(struct sim_teller *s, const struct sim_record *r)
{
    sim_lane who = 0;
    if (r->kind == SIM_K_FAULT) {
        take_fault(s, r);
    } else if (r->kind == SIM_K_SESSION) {
        take_session(s, r);
    } else if (r->kind == SIM_K_QUEUE) {
        take_queue(s, r);
    } else if (r->kind == SIM_K_DECIDE) {
        s->unclean += sim_record_int(r, SIM_F_UNCLEAN, 0) != 0;
    } else if (r->kind == SIM_K_ZAP) {
        const char *from = sim_record_text(r, SIM_F_FRM);
        who = from == NULL ? 0 : sim_lane_named(from);
    }
    take_roles(s, r);
    sim_story_take_sets(s, r, who);
}
