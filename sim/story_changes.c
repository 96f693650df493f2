/*
 * What changes are told together.
 *
 *     facts of records ─► partitions {leader, ISR, epoch} ─► chapter ─► a summary ─► one line
 *
 * A chapter is what one event of one controller has done, or what brokers did by themselves. It is
 * told when the next one begins, at the time when it began. What a partition was before is kept
 * from its first change in the chapter on: a leader that goes and is replaced by one event is one
 * change.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim/story_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What a chapter has done to a partition, all in all: a leader that is taken away and replaced by
   one event is one change. */
enum kind { CREATED, ELECTED, LOST, SHRUNK, GROWN, GONE, KIND_END };
struct summary {
    uint32_t count[KIND_END];
    char names[KIND_END][SIM_STORY_LINE / 2]; /* the first few */
};

/* ---- flags ---- */

void sim_story_set_flag(struct sim_story_flags *f, const char *name, bool on)
{
    const uint32_t id = sim_keys_intern(&f->names, name, strlen(name));
    f->on = sim_grow(f->on, &f->capacity, (size_t)id + 1, sizeof(*f->on));
    f->on[id] = on;
}

bool sim_story_has_flag(const struct sim_story_flags *f, const char *name, size_t size)
{
    const uint32_t id = sim_keys_find(&f->names, name, size);
    return id != SIM_NO_KEY && f->on[id] != 0;
}

void sim_story_free_flags(struct sim_story_flags *f)
{
    sim_keys_clear(&f->names);
    free(f->on);
}

/* ---- lines ---- */

void sim_story_tell(struct sim_teller *s, int64_t t, enum sim_story_rank rank, const char *format,
                    ...)
{
    char text[SIM_STORY_LINE];
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
        (struct sim_story_line){.t = t, .rank = rank, .order = s->line_count, .text = copy};
    s->line_count++;
}

void sim_story_append_ids(char *out, size_t capacity, const struct sm_list *ids)
{
    sim_text_append(out, capacity, "[");
    for (int32_t i = 0; i < ids->count; i++) {
        sim_text_append(out, capacity, "%s%d", i == 0 ? "" : ",", ids->id[i]);
    }
    sim_text_append(out, capacity, "]");
}

/* ---- chapters ---- */

const char *sim_story_plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

static void add_name(struct summary *sum, enum kind kind, const char *name)
{
    char *names = sum->names[kind];
    const uint32_t count = ++sum->count[kind];
    if (count <= SIM_STORY_NAMES) {
        sim_text_append(names, sizeof(sum->names[0]), "%s%s", count == 1 ? "" : ", ", name);
    } else if (count == SIM_STORY_NAMES + 1) {
        sim_text_append(names, sizeof(sum->names[0]), ", …");
    }
}

static void describe_leader(char *out, size_t capacity, const char *name,
                            const struct sm_leader_and_isr *from,
                            const struct sm_leader_and_isr *to)
{
    if (from->leader >= 0) {
        sim_text_put(out, capacity, "%s %d→%d", name, from->leader, to->leader);
    } else {
        sim_text_put(out, capacity, "%s by %d", name, to->leader);
    }
}

static void sum_up(struct summary *sum, const char *name, const struct sim_story_partition *p)
{
    char text[SIM_STORY_LINE / 2];
    const struct sm_leader_and_isr *from = &p->before, *to = &p->li;
    if (!p->existed || !p->exists) {
        sim_text_put(text, sizeof(text), "%s led by %d", name, to->leader);
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
        sim_text_put(text, sizeof(text), "%s ", name);
        sim_story_append_ids(text, sizeof(text), &to->isr);
        add_name(sum, to->isr.count < from->isr.count ? SHRUNK : GROWN, text);
    }
}

static void tell_summary(struct sim_teller *s, const struct sim_story_chapter *c,
                         const struct summary *sum)
{
    static const char *const what[KIND_END] = {[CREATED] = "created",
                                               [ELECTED] = "with a new leader",
                                               [LOST] = "left without a leader",
                                               [SHRUNK] = "with a smaller ISR",
                                               [GROWN] = "with a larger ISR",
                                               [GONE] = "deleted"};
    char text[SIM_STORY_LINE] = "", who[160] = "";
    if (c->who != 0 && sim_lane_letter(c->who) == 'c') {
        sim_text_put(who, sizeof(who), "controller %d%s%s: ", sim_lane_id(c->who),
                     c->event[0] ? ", " : "", c->event);
    } else if (c->who != 0 && sim_lane_letter(c->who) == 'b') {
        sim_text_put(who, sizeof(who), "broker %d as leader: ", sim_lane_id(c->who));
    } else {
        sim_text_put(who, sizeof(who), "leaders: ");
    }
    for (int k = 0; k < KIND_END; k++) {
        if (sum->count[k] > 0) {
            sim_text_append(text, sizeof(text), "%s%u partition%s %s (%s)",
                            text[0] == '\0' ? "" : "; ", sum->count[k],
                            sim_story_plural(sum->count[k]), what[k], sum->names[k]);
        }
    }
    if (text[0] != '\0') {
        const enum sim_story_rank rank =
            sum->count[ELECTED] + sum->count[LOST] > 0   ? SIM_RANK_LEADERS
            : sum->count[CREATED] + sum->count[GONE] > 0 ? SIM_RANK_ADMIN
                                                         : SIM_RANK_ISR;
        sim_story_tell(s, c->t, rank, "%s%s", who, text);
    }
}

void sim_story_close_chapter(struct sim_teller *s)
{
    struct sim_story_chapter *c = &s->chapter;
    struct summary sum = {0};
    if (!c->open) {
        return;
    }
    c->open = false;
    for (uint32_t i = 0; i < c->touched_count; i++) {
        struct sim_story_partition *p = &s->partitions[c->touched[i]];
        sum_up(&sum, sim_keys_name(&s->keys, c->touched[i]), p);
        p->is_touched = false;
    }
    tell_summary(s, c, &sum);
}

static struct sim_story_chapter *chapter_of(struct sim_teller *s, int64_t t, sim_lane who)
{
    struct sim_story_chapter *c = &s->chapter;
    const char *event = who == s->running_at ? s->running : "";
    if (!c->open || c->who != who || strcmp(c->event, event) != 0) {
        sim_story_close_chapter(s);
        c->t = t;
        c->who = who;
        c->open = true;
        c->touched_count = 0;
        snprintf(c->event, sizeof(c->event), "%s", event);
    }
    return c;
}

/* ---- partitions ---- */

static uint32_t partition_of(struct sim_teller *s, const char *name)
{
    const uint32_t before = s->keys.count;
    const uint32_t id = sim_keys_intern(&s->keys, name, strlen(name));
    s->partitions =
        sim_grow(s->partitions, &s->partition_capacity, (size_t)id + 1, sizeof(*s->partitions));
    if (id >= before) {
        s->partitions[id] = (struct sim_story_partition){.li = {.leader = SM_NO_LEADER}};
    }
    return id;
}

/* Notes, before it changes, how a partition stands. */
static void touch(struct sim_teller *s, int64_t t, sim_lane who, uint32_t id)
{
    struct sim_story_chapter *c = chapter_of(s, t, who);
    struct sim_story_partition *p = &s->partitions[id];
    if (!p->is_touched) {
        p->is_touched = true;
        p->existed = p->exists;
        p->before = p->li;
        c->touched =
            sim_grow(c->touched, &c->touched_capacity, c->touched_count + 1, sizeof(*c->touched));
        c->touched[c->touched_count++] = id;
    }
}

static void take_state(struct sim_teller *s, int64_t t, sim_lane who, bool given, const char *topic,
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
    struct sim_story_partition *p = &s->partitions[id];
    p->exists = !gone;
    if (!gone) {
        p->leaderless_from_start = (given || p->leaderless_from_start) && now.leader < 0;
        p->had_leader = p->had_leader || now.leader >= 0;
        p->li = now;
    }
}

static void take_topic(struct sim_teller *s, const char *topic, const struct sim_value *value)
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
        s->partitions[id].replicas = sm_assignment_target(&a);
    }
}

static void take_deletion(struct sim_teller *s, int64_t t, bool given, const char *path,
                          const struct sim_value *value)
{
    const char *topic = path + strlen(SM_PATH_DELETE_TOPICS "/");
    if (value->type == SIM_V_NULL) {
        if (!given && sim_story_has_flag(&s->deleting, topic, strlen(topic))) {
            sim_story_tell(s, t, SIM_RANK_ADMIN, "the deletion of topic %s is finished", topic);
        }
        sim_story_set_flag(&s->deleting, topic, false);
        return;
    }
    sim_story_set_flag(&s->deleting, topic, true);
}

void sim_story_take_sets(struct sim_teller *s, const struct sim_record *r, sim_lane who)
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
