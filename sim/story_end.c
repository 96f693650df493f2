/*
 * How the cluster stands when the story ends.
 *
 * Few partitions are told one by one, many are counted, with the first names of those that are not
 * well: without a leader, never led, led by a dead broker, with a smaller ISR than they should
 * have. Topics that are being deleted do not count; where a deletion needs a broker that is down,
 * that is said: it waits, and so may followers that ask for the topic in vain (world_settled.c).
 */
#include "sim/story_parts.h"

#include <inttypes.h>
#include <string.h>

/* ---- how it stands at the end ---- */

static bool is_being_deleted(struct sim_teller *s, const char *name)
{
    const char *dash = strrchr(name, '-');
    return sim_story_has_flag(&s->deleting, name, (size_t)(dash - name));
}

static void append_counted(char *out, uint32_t *count, const char *name, uint32_t most)
{
    if (*count < most) {
        sim_text_append(out, SIM_STORY_LINE, "%s%s", *count == 0 ? "" : ", ", name);
    } else if (*count == most) {
        sim_text_append(out, SIM_STORY_LINE, ", …");
    }
    (*count)++;
}

struct ending {
    uint32_t all, led, leaderless, before, never, fewer, dead;
    char dead_names[SIM_STORY_LINE], leaderless_names[SIM_STORY_LINE], never_names[SIM_STORY_LINE],
        fewer_names[SIM_STORY_LINE];
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

static void look_at_end(struct sim_teller *s, struct ending *e)
{
    for (uint32_t i = 0; i < s->keys.count; i++) {
        const struct sim_story_partition *p = &s->partitions[i];
        const char *name = sim_keys_name(&s->keys, i);
        if ((!p->exists && p->replicas.count == 0) || is_being_deleted(s, name)) {
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
            if (sim_story_is_down(s, p->li.leader)) {
                append_counted(e->dead_names, &e->dead, name, 6);
            }
        }
        if (p->exists && p->li.isr.count < p->replicas.count) {
            append_counted(e->fewer_names, &e->fewer, name, 6);
        }
    }
}

static unsigned print_single(struct sim_teller *s, FILE *out)
{
    unsigned lines = 0;
    for (uint32_t i = 0; i < s->keys.count; i++) {
        const struct sim_story_partition *p = &s->partitions[i];
        char text[SIM_STORY_LINE] = "";
        if (!p->exists) {
            continue;
        }
        sim_story_append_ids(text, sizeof(text), &p->li.isr);
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
    char text[SIM_STORY_LINE] = "";
    uint32_t order[64];
    for (uint32_t i = 0; i < e->leader_count; i++) {
        uint32_t at = i;
        for (; at > 0 && e->leaders[order[at - 1]] > e->leaders[i]; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    for (uint32_t i = 0; i < e->leader_count && i < 12; i++) {
        sim_text_append(text, sizeof(text), "%s%d leads %u", i == 0 ? "" : ", ",
                        e->leaders[order[i]], e->leads[order[i]]);
    }
    fprintf(out, "  who leads: %s%s, of %u partitions\n", text[0] ? text : "nobody",
            e->leader_count > 12 ? ", …" : "", e->all);
    return 1;
}

/* Which deletions wait, each with the first broker that it waits for. */
static unsigned print_waiting(struct sim_teller *s, FILE *out)
{
    struct sim_story_flags told = {0};
    unsigned lines = 0;
    for (uint32_t i = 0; i < s->keys.count; i++) {
        const struct sm_list *replicas = &s->partitions[i].replicas;
        const char *name = sim_keys_name(&s->keys, i);
        size_t size = (size_t)(strrchr(name, '-') - name);
        int32_t dead = 0;
        while (dead < replicas->count && !sim_story_is_down(s, replicas->id[dead])) {
            dead++;
        }
        if (dead == replicas->count || !is_being_deleted(s, name) ||
            sim_story_has_flag(&told, name, size)) {
            continue;
        }
        char topic[SM_TOPIC_NAME_MAX + 1];
        snprintf(topic, sizeof(topic), "%.*s", (int)size, name);
        sim_story_set_flag(&told, topic, true);
        fprintf(out, "  waiting: the deletion of topic %s, for broker %d, which is down\n", topic,
                replicas->id[dead]);
        if (++lines == 4) {
            break;
        }
    }
    sim_story_free_flags(&told);
    return lines;
}

unsigned sim_story_print_ending(struct sim_teller *s, FILE *out, const char *bold, const char *off)
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
        fprintf(out, "  %u partition%s never had a leader (%s)\n", e.never,
                sim_story_plural(e.never), e.never_names);
        lines++;
    }
    if (s->unclean > 0) {
        fprintf(out,
                "  lost: %u unclean election%s; records that only the old leader had are gone\n",
                s->unclean, sim_story_plural(s->unclean));
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
    return lines + print_waiting(s, out);
}
