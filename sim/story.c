/*
 * The story of a run, from its records.
 *
 *     records ──► events {time, rank, sentence} ──► the most important that fit ──► lines
 *            └──► partitions {leader, ISR, …}  ──► how it stands at the end
 *
 * One pass. A change of leader or ISR is told with what made it: changes that one controller event
 * makes are one line with counts and a few names; so are those that leaders make themselves.
 * Faults, expired sessions and changes of the controller are lines of their own.
 *
 * What does not fit gives way by rank, and a line says how much is missing; faults are never
 * missing without being counted.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/story.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/keys.h"
#include "statemachine/leader_and_isr.h"
#include "statemachine/znode.h"

enum { LINE = 400, NAMES = 3, LINES_DEFAULT = 25, EVENT_NAME = 64, LIVE_MAX = 256 };

/* Lower is more important. */
enum rank {
    RANK_FAULT,
    RANK_CONTROLLER,
    RANK_SESSION,
    RANK_LEADERS,
    RANK_ADMIN,
    RANK_ISR,
    RANK_END
};

struct line {
    int64_t t;
    enum rank rank;
    uint32_t order;
    bool dropped;
    char *text;
};

struct partition {
    bool exists;
    bool had_leader; /* ever, in this run */
    bool leaderless_from_start;
    struct sm_leader_and_isr li;
    int32_t replicas; /* of the topic znode, 0 unknown */
    /* as it was when the open chapter first touched it */
    bool is_touched, existed;
    struct sm_leader_and_isr before;
};

/* Changes that are told together: those of one event of one controller, or of nobody's. */
struct chapter {
    int64_t t;
    sim_lane who;
    char event[EVENT_NAME];
    uint32_t touched_count;
    uint32_t *touched; /* partitions that it has changed, in the order of their first change */
    size_t touched_capacity;
    bool open;
};

/* What a chapter has done to a partition, all in all: a leader that is taken away and replaced by
   one event is one change. */
enum kind { CREATED, ELECTED, LOST, SHRUNK, GROWN, GONE, KIND_END };
struct summary {
    uint32_t count[KIND_END];
    char names[KIND_END][LINE / 2]; /* the first few */
};

/* A yes or no per name. */
struct flags {
    struct sim_keys names;
    uint8_t *on; /* [key] */
    size_t capacity;
};

struct teller {
    const struct sim_trace *trace;
    const struct sim_result *result;
    struct line *lines;
    size_t line_capacity;
    uint32_t line_count;
    struct sim_keys keys; /* T-P -> index of partitions */
    struct partition *partitions;
    size_t partition_capacity;
    struct chapter chapter;
    char running[EVENT_NAME]; /* event in work at `running_at` */
    sim_lane running_at;
    int32_t controller, epoch;       /* active now */
    int32_t live[LIVE_MAX], live_of; /* what the active controller thinks */
    uint32_t live_count;
    struct flags down;     /* nodes, "3" */
    struct flags deleting; /* topics whose deletion is asked for and not finished */
    uint32_t unclean;
    uint32_t truncated;
};

/* ---- flags ---- */

static void set_flag(struct flags *f, const char *name, bool on)
{
    const uint32_t id = sim_keys_intern(&f->names, name, strlen(name));
    f->on = sim_grow(f->on, &f->capacity, (size_t)id + 1, sizeof(*f->on));
    f->on[id] = on;
}

static bool has_flag(const struct flags *f, const char *name, size_t size)
{
    const uint32_t id = sim_keys_find(&f->names, name, size);
    return id != SIM_NO_KEY && f->on[id] != 0;
}

static void free_flags(struct flags *f)
{
    sim_keys_clear(&f->names);
    free(f->on);
}

/* ---- lines ---- */

__attribute__((format(printf, 4, 5))) static void tell(struct teller *s, int64_t t, enum rank rank,
                                                       const char *format, ...)
{
    char text[LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    s->lines = sim_grow(s->lines, &s->line_capacity, s->line_count + 1, sizeof(*s->lines));
    char *copy = strdup(text);
    if (copy == NULL) {
        abort();
    }
    s->lines[s->line_count] =
        (struct line){.t = t, .rank = rank, .order = s->line_count, .text = copy};
    s->line_count++;
}

__attribute__((format(printf, 3, 4))) static void append(char *out, size_t capacity,
                                                         const char *format, ...)
{
    const size_t size = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + size, capacity - size, format, args);
    va_end(args);
}

/* Writes a text, cut where it does not fit. */
__attribute__((format(printf, 3, 4))) static void put(char *out, size_t capacity,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out, capacity, format, args);
    va_end(args);
}

static void append_ids(char *out, size_t capacity, const struct sm_list *ids)
{
    append(out, capacity, "[");
    for (int32_t i = 0; i < ids->count; i++) {
        append(out, capacity, "%s%d", i == 0 ? "" : ",", ids->id[i]);
    }
    append(out, capacity, "]");
}

/* ---- chapters ---- */

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

static void add_name(struct summary *sum, enum kind kind, const char *name)
{
    char *names = sum->names[kind];
    const uint32_t count = ++sum->count[kind];
    if (count <= NAMES) {
        append(names, sizeof(sum->names[0]), "%s%s", count == 1 ? "" : ", ", name);
    } else if (count == NAMES + 1) {
        append(names, sizeof(sum->names[0]), ", …");
    }
}

static void describe_leader(char *out, size_t capacity, const char *name,
                            const struct sm_leader_and_isr *from,
                            const struct sm_leader_and_isr *to)
{
    if (from->leader >= 0) {
        put(out, capacity, "%s %d→%d", name, from->leader, to->leader);
    } else {
        put(out, capacity, "%s by %d", name, to->leader);
    }
}

static void sum_up(struct summary *sum, const char *name, const struct partition *p)
{
    char text[LINE / 2];
    const struct sm_leader_and_isr *from = &p->before, *to = &p->li;
    if (!p->existed || !p->exists) {
        put(text, sizeof(text), "%s led by %d", name, to->leader);
        if (p->exists != p->existed) {
            add_name(sum, p->exists ? CREATED : GONE, p->exists ? text : name);
        }
        return;
    }
    if (to->leader != from->leader && to->leader < 0) {
        add_name(sum, LOST, name);
    } else if (to->leader != from->leader) {
        describe_leader(text, sizeof(text), name, from, to);
        add_name(sum, ELECTED, text);
    } else if (to->isr.count != from->isr.count) {
        put(text, sizeof(text), "%s ", name);
        append_ids(text, sizeof(text), &to->isr);
        add_name(sum, to->isr.count < from->isr.count ? SHRUNK : GROWN, text);
    }
}

static void tell_summary(struct teller *s, const struct chapter *c, const struct summary *sum)
{
    static const char *const what[KIND_END] = {[CREATED] = "created",
                                               [ELECTED] = "with a new leader",
                                               [LOST] = "left without a leader",
                                               [SHRUNK] = "with a smaller ISR",
                                               [GROWN] = "with a larger ISR",
                                               [GONE] = "deleted"};
    char text[LINE] = "", who[160] = "";
    if (c->who != 0 && sim_lane_letter(c->who) == 'c') {
        put(who, sizeof(who), "controller %d%s%s: ", sim_lane_id(c->who), c->event[0] ? ", " : "",
            c->event);
    } else if (c->who != 0 && sim_lane_letter(c->who) == 'b') {
        put(who, sizeof(who), "broker %d as leader: ", sim_lane_id(c->who));
    } else {
        put(who, sizeof(who), "leaders: ");
    }
    for (int k = 0; k < KIND_END; k++) {
        if (sum->count[k] > 0) {
            append(text, sizeof(text), "%s%u partition%s %s (%s)", text[0] == '\0' ? "" : "; ",
                   sum->count[k], plural(sum->count[k]), what[k], sum->names[k]);
        }
    }
    if (text[0] != '\0') {
        const enum rank rank = sum->count[ELECTED] + sum->count[LOST] > 0   ? RANK_LEADERS
                               : sum->count[CREATED] + sum->count[GONE] > 0 ? RANK_ADMIN
                                                                            : RANK_ISR;
        tell(s, c->t, rank, "%s%s", who, text);
    }
}

static void close_chapter(struct teller *s)
{
    struct chapter *c = &s->chapter;
    struct summary sum = {0};
    if (!c->open) {
        return;
    }
    c->open = false;
    for (uint32_t i = 0; i < c->touched_count; i++) {
        struct partition *p = &s->partitions[c->touched[i]];
        sum_up(&sum, sim_keys_name(&s->keys, c->touched[i]), p);
        p->is_touched = false;
    }
    tell_summary(s, c, &sum);
}

static struct chapter *chapter_of(struct teller *s, int64_t t, sim_lane who)
{
    struct chapter *c = &s->chapter;
    const char *event = who == s->running_at ? s->running : "";
    if (!c->open || c->who != who || strcmp(c->event, event) != 0) {
        close_chapter(s);
        c->t = t;
        c->who = who;
        c->open = true;
        c->touched_count = 0;
        snprintf(c->event, sizeof(c->event), "%s", event);
    }
    return c;
}

/* ---- partitions ---- */

static uint32_t partition_of(struct teller *s, const char *name)
{
    const uint32_t before = s->keys.count;
    const uint32_t id = sim_keys_intern(&s->keys, name, strlen(name));
    s->partitions =
        sim_grow(s->partitions, &s->partition_capacity, (size_t)id + 1, sizeof(*s->partitions));
    if (id >= before) {
        s->partitions[id] = (struct partition){.li = {.leader = SM_NO_LEADER}};
    }
    return id;
}

/* Notes, before it changes, how a partition stands. */
static void touch(struct teller *s, int64_t t, sim_lane who, uint32_t id)
{
    struct chapter *c = chapter_of(s, t, who);
    struct partition *p = &s->partitions[id];
    if (!p->is_touched) {
        p->is_touched = true;
        p->existed = p->exists;
        p->before = p->li;
        c->touched =
            sim_grow(c->touched, &c->touched_capacity, c->touched_count + 1, sizeof(*c->touched));
        c->touched[c->touched_count++] = id;
    }
}

static void take_state(struct teller *s, int64_t t, sim_lane who, bool given, const char *topic,
                       int32_t number, const struct sim_value *value)
{
    char name[SM_TOPIC_NAME_MAX + 16];
    struct sim_value data;
    struct sm_leader_and_isr now;
    snprintf(name, sizeof(name), "%s-%" PRId32, topic, number);
    const uint32_t id = partition_of(s, name);
    const bool gone = value->type == SIM_V_NULL;
    if (!gone && (!sim_object_get(value, SIM_F_DATA, &data) || data.type != SIM_V_TEXT ||
                  sm_znode_decode_state(data.text, data.size, 0, &now) != SM_ERR_OK)) {
        return;
    }
    if (!given) {
        touch(s, t, who, id);
    }
    struct partition *p = &s->partitions[id];
    p->exists = !gone;
    if (!gone) {
        p->leaderless_from_start = (given || p->leaderless_from_start) && now.leader < 0;
        p->had_leader = p->had_leader || now.leader >= 0;
        p->li = now;
    }
}

static void take_topic(struct teller *s, const char *topic, const struct sim_value *value)
{
    char name[SM_TOPIC_NAME_MAX + 16];
    struct sim_value data;
    struct sm_topic_reader reader;
    struct sm_assignment a;
    int32_t number;
    if (value->type == SIM_V_NULL || !sim_object_get(value, SIM_F_DATA, &data) ||
        data.type != SIM_V_TEXT || sm_topic_open(&reader, data.text, data.size) != SM_ERR_OK) {
        return;
    }
    while (sm_topic_next(&reader, &number, &a)) {
        snprintf(name, sizeof(name), "%s-%" PRId32, topic, number);
        const uint32_t id = partition_of(s, name);
        s->partitions[id].replicas = sm_assignment_target(&a).count;
    }
}

static void take_deletion(struct teller *s, int64_t t, bool given, const char *path,
                          const struct sim_value *value)
{
    const char *topic = path + strlen(SM_PATH_DELETE_TOPICS "/");
    if (value->type == SIM_V_NULL) {
        if (!given && has_flag(&s->deleting, topic, strlen(topic))) {
            tell(s, t, RANK_ADMIN, "the deletion of topic %s is finished", topic);
        }
        set_flag(&s->deleting, topic, false);
        return;
    }
    set_flag(&s->deleting, topic, true);
}

static void take_sets(struct teller *s, const struct sim_record *r, sim_lane who)
{
    struct sim_walk walk = {0};
    const char *key;
    struct sim_value value;
    const bool given = r->kind == SIM_K_GIVEN || r->kind == SIM_K_META;
    while (sim_record_next_set(r, &walk, &key, &value)) {
        char topic[SM_TOPIC_NAME_MAX + 1];
        int32_t number;
        if (strncmp(key, "zn:", 3) != 0) {
            continue;
        }
        if (sm_path_is_partition_state(key + 3, topic, &number)) {
            take_state(s, r->t, who, given, topic, number, &value);
        } else if (sm_path_is_topic(key + 3, topic)) {
            take_topic(s, topic, &value);
        } else if (strncmp(key + 3, SM_PATH_DELETE_TOPICS "/", strlen(SM_PATH_DELETE_TOPICS "/")) ==
                   0) {
            take_deletion(s, r->t, given, key + 3, &value);
        }
    }
}

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
    for (uint32_t i = 0; i < step->topic_count && i < NAMES; i++) {
        append(out, capacity, " %s", step->topics[i]);
    }
    for (uint32_t i = 0; i < step->partition_arg_count && i < NAMES && step->topic_count == 0;
         i++) {
        const struct sim_partition_arg *p = &step->partitions[i];
        append(out, capacity, " %s-%d", p->topic, p->partition);
        if (p->has_replicas) {
            append_ids(out, capacity, &p->replicas);
        }
    }
    if (step->path != NULL) {
        append(out, capacity, " %s", step->path);
    }
    for (uint32_t i = 0; i < step->group_count; i++) {
        append(out, capacity, "%s%s", i == 0 ? " " : " | ", step->groups[i].text);
    }
    if (step->channel.from.text != NULL) {
        append(out, capacity, " from %s", step->channel.from.text);
    }
    if (step->channel.to.text != NULL) {
        append(out, capacity, " to %s", step->channel.to.text);
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
        append(ids, sizeof(ids), "%s%d", i == 0 ? "" : ", ", id[i]);
    }
    const bool by_role = target != NULL && strpbrk(target, "abcdefghijklmnopqrstuvwxyz") != NULL;
    for (unsigned i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
        if (verb != NULL && strcmp(verb, sentences[i].verb) == 0 && count > 0) {
            const char *form = count == 1 ? sentences[i].one : sentences[i].many;
            const char *at = strstr(form, "%s");
            append(out, capacity, "%.*s%s%s", (int)(at - form), form, ids, at + 2);
            if (by_role) {
                append(out, capacity, ", the %s", target);
            }
            return;
        }
    }
    append(out, capacity, "%s", verb == NULL ? "something" : verb);
    if (count == 0 && target != NULL) { /* clients, by their names */
        append(out, capacity, " %s", target);
    }
    if (step != NULL) {
        describe_arguments(step, out, capacity);
    }
    if (count > 0) {
        append(out, capacity, " %s", ids);
    }
}

static void take_fault(struct teller *s, const struct sim_record *r)
{
    char text[LINE] = "";
    close_chapter(s);
    describe_fault(s->result->scenario, r, text, sizeof(text));
    tell(s, r->t, RANK_FAULT, "%s", text);
}

static void take_session(struct teller *s, const struct sim_record *r)
{
    const char *what = sim_record_text(r, SIM_F_WHAT), *seen = sim_record_text(r, SIM_F_SEEN);
    struct sim_record cause;
    const int64_t node = sim_record_int(r, SIM_F_NODE, -1);
    if (what == NULL || strcmp(what, "expired") != 0 || seen == NULL ||
        strcmp(seen, "server") != 0) {
        return;
    }
    close_chapter(s);
    if (r->mute != 0 && sim_trace_get(s->trace, r->mute, &cause)) {
        tell(s, r->t, RANK_SESSION,
             "ZooKeeper expires the session of node %" PRId64 ", %.3gs after it fell silent", node,
             (double)(r->t - cause.t) / 1e6);
    } else {
        tell(s, r->t, RANK_SESSION, "ZooKeeper expires the session of node %" PRId64, node);
    }
}

static void take_queue(struct teller *s, const struct sim_record *r)
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
        close_chapter(s);
        s->running[0] = '\0';
    }
}

/* Which brokers a controller thinks are alive: what it notices. */
static void take_live(struct teller *s, const struct sim_record *r, int node,
                      const struct sim_value *value)
{
    int32_t now[LIVE_MAX];
    const size_t count = value->type == SIM_V_LIST ? sim_value_ids(value, now, LIVE_MAX) : 0;
    char gone[128] = "", come[128] = "";
    if (count > LIVE_MAX || node != s->controller || s->live_of != node) {
        s->live_of = node; /* the first list of a controller is no change */
    } else {
        for (uint32_t i = 0; i < s->live_count; i++) {
            bool kept = false;
            for (size_t j = 0; j < count; j++) {
                kept = kept || now[j] == s->live[i];
            }
            if (!kept) {
                append(gone, sizeof(gone), "%s%d", gone[0] == '\0' ? "" : ", ", s->live[i]);
            }
        }
        for (size_t j = 0; j < count; j++) {
            bool known = false;
            for (uint32_t i = 0; i < s->live_count; i++) {
                known = known || now[j] == s->live[i];
            }
            if (!known) {
                append(come, sizeof(come), "%s%d", come[0] == '\0' ? "" : ", ", now[j]);
            }
        }
        if (gone[0] != '\0') {
            tell(s, r->t, RANK_SESSION, "controller %d notices that broker %s is gone", node, gone);
        }
        if (come[0] != '\0') {
            tell(s, r->t, RANK_SESSION, "controller %d notices that broker %s is there", node,
                 come);
        }
    }
    s->live_count = count <= LIVE_MAX ? (uint32_t)count : 0;
    memcpy(s->live, now, s->live_count * sizeof(now[0]));
}

static void take_node(struct teller *s, int node, const struct sim_value *value)
{
    char name[16];
    struct sim_value state = *value;
    if (value->type == SIM_V_OBJECT && !sim_object_get(value, SIM_F_STATE, &state)) {
        return;
    }
    put(name, sizeof(name), "%d", node);
    set_flag(&s->down, name, state.type == SIM_V_TEXT && strcmp(state.text, "down") == 0);
}

static bool is_down(const struct teller *s, int32_t node)
{
    char name[16];
    put(name, sizeof(name), "%d", node);
    return has_flag(&s->down, name, strlen(name));
}

/* Who is the controller, and at which epoch: facts that a record sets. */
static void take_roles(struct teller *s, const struct sim_record *r)
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
                close_chapter(s);
                tell(s, r->t, RANK_CONTROLLER, "node %d becomes the controller", node);
                s->controller = node;
            } else if (!active && s->controller == node) {
                close_chapter(s);
                if (r->kind != SIM_K_FAULT) {
                    tell(s, r->t, RANK_CONTROLLER, "node %d is the controller no more", node);
                }
                s->controller = -1;
            }
        }
    }
}

static void take_record(struct teller *s, const struct sim_record *r)
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
    take_sets(s, r, who);
}

/* ---- how it stands at the end ---- */

static bool is_being_deleted(struct teller *s, const char *name)
{
    const char *dash = strrchr(name, '-');
    return has_flag(&s->deleting, name, (size_t)(dash - name));
}

static void append_counted(char *out, uint32_t *count, const char *name, uint32_t most)
{
    if (*count < most) {
        append(out, LINE, "%s%s", *count == 0 ? "" : ", ", name);
    } else if (*count == most) {
        append(out, LINE, ", …");
    }
    (*count)++;
}

struct ending {
    uint32_t all, led, leaderless, before, never, fewer, dead;
    char dead_names[LINE], leaderless_names[LINE], never_names[LINE], fewer_names[LINE];
    int32_t leaders[64];
    uint32_t leads[64], leader_count;
};

static void count_leader(struct ending *e, int32_t leader)
{
    for (uint32_t i = 0; i < e->leader_count; i++) {
        if (e->leaders[i] == leader) {
            e->leads[i]++;
            return;
        }
    }
    if (e->leader_count < 64) {
        e->leaders[e->leader_count] = leader;
        e->leads[e->leader_count++] = 1;
    }
}

static void look_at_end(struct teller *s, struct ending *e)
{
    for (uint32_t i = 0; i < s->keys.count; i++) {
        const struct partition *p = &s->partitions[i];
        const char *name = sim_keys_name(&s->keys, i);
        if ((!p->exists && p->replicas == 0) || is_being_deleted(s, name)) {
            continue;
        }
        if (!p->exists && p->had_leader) {
            continue; /* deleted in this run */
        }
        e->all++;
        if (!p->exists) {
            append_counted(e->never_names, &e->never, name, 6);
        } else if (p->li.leader < 0) {
            append_counted(e->leaderless_names, &e->leaderless, name, 8);
            e->before += p->leaderless_from_start;
        } else {
            e->led++;
            count_leader(e, p->li.leader);
            if (is_down(s, p->li.leader)) {
                append_counted(e->dead_names, &e->dead, name, 6);
            }
        }
        if (p->exists && p->li.isr.count < p->replicas) {
            append_counted(e->fewer_names, &e->fewer, name, 6);
        }
    }
}

static unsigned print_single(struct teller *s, FILE *out)
{
    unsigned lines = 0;
    for (uint32_t i = 0; i < s->keys.count; i++) {
        const struct partition *p = &s->partitions[i];
        char text[LINE] = "";
        if (!p->exists) {
            continue;
        }
        append_ids(text, sizeof(text), &p->li.isr);
        if (p->li.leader >= 0) {
            fprintf(out, "  %s: leader %d, ISR %s, epoch %d\n", sim_keys_name(&s->keys, i),
                    p->li.leader, text, p->li.leader_epoch);
        } else {
            fprintf(out, "  %s: no leader, ISR %s, epoch %d\n", sim_keys_name(&s->keys, i), text,
                    p->li.leader_epoch);
        }
        lines++;
    }
    return lines;
}

static unsigned print_leaders(const struct ending *e, FILE *out)
{
    char text[LINE] = "";
    uint32_t order[64];
    for (uint32_t i = 0; i < e->leader_count; i++) {
        uint32_t at = i;
        for (; at > 0 && e->leaders[order[at - 1]] > e->leaders[i]; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    for (uint32_t i = 0; i < e->leader_count && i < 12; i++) {
        append(text, sizeof(text), "%s%d leads %u", i == 0 ? "" : ", ", e->leaders[order[i]],
               e->leads[order[i]]);
    }
    fprintf(out, "  who leads: %s%s, of %u partitions\n", text[0] ? text : "nobody",
            e->leader_count > 12 ? ", …" : "", e->all);
    return 1;
}

static unsigned print_ending(struct teller *s, FILE *out, const char *bold, const char *off)
{
    struct ending e = {0};
    unsigned lines = 1;
    look_at_end(s, &e);
    if (s->controller >= 0) {
        fprintf(out, "%sIn the end%s the controller is node %d, epoch %d.\n", bold, off,
                s->controller, s->epoch);
    } else {
        fprintf(out, "%sIn the end%s there is no controller.\n", bold, off);
    }
    if (e.all > 0 && e.all <= 4) {
        lines += print_single(s, out);
    } else if (e.all > 0) {
        lines += print_leaders(&e, out);
    }
    if (e.leaderless > 0) {
        fprintf(out, "  lost: %u partition%s without a leader (%s)", e.leaderless,
                e.leaderless == 1 ? " is" : "s are", e.leaderless_names);
        if (e.before > 0) {
            fprintf(out, ", %u of them from the start", e.before);
        }
        fputs("\n", out);
        lines++;
    }
    if (e.dead > 0) {
        fprintf(out, "  lost: %u partition%s still led by a node that is down (%s)\n", e.dead,
                e.dead == 1 ? " is" : "s are", e.dead_names);
        lines++;
    }
    if (e.never > 0) {
        fprintf(out, "  %u partition%s never had a leader (%s)\n", e.never, plural(e.never),
                e.never_names);
        lines++;
    }
    if (s->unclean > 0) {
        fprintf(out,
                "  lost: %u unclean election%s; records that only the old leader had are gone\n",
                s->unclean, plural(s->unclean));
        lines++;
    }
    if (e.fewer > 0) {
        fprintf(out, "  weaker: %u partition%s an ISR smaller than the assignment (%s)\n", e.fewer,
                e.fewer == 1 ? " has" : "s have", e.fewer_names);
        lines++;
    }
    if (e.all > 0 && e.leaderless + e.dead + e.never + s->unclean == 0) {
        fprintf(out, "  %severy partition has a leader\n",
                s->result->clients == NULL ? "nothing is lost: " : ""); /* records: see below */
        lines++;
    }
    return lines;
}

/* ---- choosing lines ---- */

/* Drops the least important lines, the latest first, until `room` are left. */
static void drop_lines(struct teller *s, uint32_t room)
{
    uint32_t kept = s->line_count;
    if (kept <= room) {
        return;
    }
    room = room > 0 ? room - 1 : 0; /* the line that tells of it */
    for (int rank = RANK_END - 1; rank >= RANK_FAULT && kept > room; rank--) {
        for (uint32_t i = s->line_count; i > 0 && kept > room; i--) {
            if (!s->lines[i - 1].dropped && (int)s->lines[i - 1].rank == rank) {
                s->lines[i - 1].dropped = true;
                s->truncated++;
                kept--;
            }
        }
    }
}

/* A chapter is told when it ends, at the time when it began. */
static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return x->t != y->t ? (x->t < y->t ? -1 : 1) : x->order < y->order ? -1 : 1;
}

static unsigned print_lines(struct teller *s, FILE *out, bool color)
{
    static const char *const colors[RANK_END] = {
        [RANK_FAULT] = "\033[31m",   [RANK_CONTROLLER] = "\033[1m",
        [RANK_SESSION] = "\033[33m", [RANK_LEADERS] = "",
        [RANK_ADMIN] = "",           [RANK_ISR] = "\033[2m"};
    static const char *const marks[RANK_END] = {
        [RANK_FAULT] = "!",   [RANK_CONTROLLER] = "*", [RANK_SESSION] = "-",
        [RANK_LEADERS] = ">", [RANK_ADMIN] = "+",      [RANK_ISR] = "."};
    unsigned lines = 0;
    for (uint32_t i = 0; i < s->line_count; i++) {
        const struct line *l = &s->lines[i];
        if (!l->dropped) {
            fprintf(out, "%10.3fs %s%s %s%s\n", (double)l->t / 1e6, color ? colors[l->rank] : "",
                    marks[l->rank], l->text, color ? "\033[0m" : "");
            lines++;
        }
    }
    if (s->truncated > 0) {
        fprintf(out, "            (%u more line%s: -v)\n", s->truncated,
                plural(s->truncated));
        lines++;
    }
    return lines;
}

/* ---- the whole ---- */

static void free_teller(struct teller *s)
{
    for (uint32_t i = 0; i < s->line_count; i++) {
        free(s->lines[i].text);
    }
    free(s->lines);
    free(s->partitions);
    free(s->chapter.touched);
    sim_keys_clear(&s->keys);
    free_flags(&s->deleting);
    free_flags(&s->down);
}

static unsigned print_head(FILE *out, const struct sim_scenario *scenario, const char *bold,
                           const char *off)
{
    fprintf(out, "%s%s%s\n", bold, scenario->title == NULL ? scenario->file : scenario->title, off);
    if (scenario->question != NULL) {
        fprintf(out, "%s\n", scenario->question);
        return 2;
    }
    return 1;
}

/* Counts what a print function would print, by printing it into memory first. */
static char *into_memory(unsigned (*print)(struct teller *, FILE *, const char *, const char *),
                         struct teller *s, const char *bold, const char *off, unsigned *lines)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        abort();
    }
    *lines = print(s, out, bold, off);
    fclose(out);
    return text;
}

static unsigned print_verdict(struct teller *s, FILE *out, const char *bold, const char *off)
{
    (void)off;
    return sim_verdict_print(out, s->result, bold[0] != '\0');
}

/* Cuts a verdict that alone would be too long: its first lines and its last three stay. */
static unsigned print_cut(FILE *out, const char *text, unsigned lines, unsigned room)
{
    const unsigned last = 3;
    if (lines <= room || room <= last + 1) {
        fputs(text, out);
        return lines;
    }
    unsigned number = 0, printed = 0;
    for (const char *at = text; *at != '\0'; number++) {
        const char *newline = strchr(at, '\n');
        const size_t size = newline == NULL ? strlen(at) : (size_t)(newline - at) + 1;
        if (number < room - last - 1 || number >= lines - last) {
            fwrite(at, 1, size, out);
            printed++;
        } else if (number == room - last - 1) {
            fprintf(out, "    (%u more lines of failures: --format json)\n", lines - room + 1);
            printed++;
        }
        at += size;
    }
    return printed;
}

unsigned sim_story_print(FILE *out, const struct sim_trace *trace, const struct sim_result *result,
                         const struct sim_story_options *options)
{
    struct teller s = {.trace = trace, .result = result, .controller = -1, .live_of = -1};
    const char *bold = options->color ? "\033[1m" : "", *off = options->color ? "\033[0m" : "";
    const unsigned most = options->lines == 0 ? LINES_DEFAULT : options->lines;
    unsigned ending_lines, verdict_lines;
    struct sim_record record;
    for (uint64_t n = 1; n <= sim_trace_count(trace); n++) {
        if (sim_trace_get(trace, n, &record)) {
            take_record(&s, &record);
        }
    }
    close_chapter(&s);
    if (s.line_count > 1) {
        qsort(s.lines, s.line_count, sizeof(*s.lines), compare_lines);
    }
    char *ending = into_memory(print_ending, &s, bold, off, &ending_lines);
    char *verdict = into_memory(print_verdict, &s, bold, off, &verdict_lines);
    const unsigned verdict_room = most > ending_lines + 10 ? most - ending_lines - 8 : 6;
    const unsigned shown = verdict_lines < verdict_room ? verdict_lines : verdict_room;
    unsigned lines = print_head(out, result->scenario, bold, off);
    const unsigned used = lines + ending_lines + shown;
    drop_lines(&s, most > used ? most - used : 1);
    lines += print_lines(&s, out, options->color);
    fputs(ending, out);
    lines += ending_lines;
    lines += print_cut(out, verdict, verdict_lines, verdict_room);
    free(ending);
    free(verdict);
    free_teller(&s);
    return lines;
}

bool sim_color_wanted(enum sim_color option, FILE *out)
{
    const char *none = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"),
               *term = getenv("TERM");
    if (option != SIM_COLOR_AUTO) {
        return option == SIM_COLOR_ALWAYS;
    }
    if (none != NULL && none[0] != '\0') {
        return false;
    }
    if (force != NULL && force[0] != '\0' && strcmp(force, "0") != 0) {
        return true;
    }
    return (term == NULL || strcmp(term, "dumb") != 0) && isatty(fileno(out)) == 1;
}
