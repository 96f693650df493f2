/*
 * What the files of the story share: the teller, who walks over the records once.
 *
 *     story_records.c   faults, sessions, events, roles ─┐
 *     story_changes.c   leaders and ISRs, in chapters   ─┴─► lines, ranked
 *     story_end.c       how it stands at the end
 *     story.c           which lines fit, and the whole
 */
#ifndef SIM_STORY_PARTS_H
#define SIM_STORY_PARTS_H

#include <stdio.h>

#include "sim/keys.h"
#include "sim/story.h"
#include "sim/text.h"
#include "statemachine/leader_and_isr.h"

enum {
    SIM_STORY_LINE = 400,
    SIM_STORY_NAMES = 3,
    SIM_STORY_EVENT_NAME = 64,
    SIM_STORY_LIVE_MAX = 256
};

/* Lower is more important. */
enum sim_story_rank {
    SIM_RANK_FAULT,
    SIM_RANK_CONTROLLER,
    SIM_RANK_SESSION,
    SIM_RANK_LEADERS,
    SIM_RANK_ADMIN,
    SIM_RANK_ISR,
    SIM_RANK_END
};

struct sim_story_line {
    int64_t t;
    enum sim_story_rank rank;
    uint32_t order;
    bool dropped;
    char *text;
};

struct sim_story_partition {
    bool exists;
    bool had_leader; /* ever, in this run */
    bool leaderless_from_start;
    struct sm_leader_and_isr li;
    struct sm_list replicas; /* wanted by the topic znode; none: unknown */
    /* as it was when the open chapter first touched it */
    bool is_touched, existed;
    struct sm_leader_and_isr before;
};

/* Changes that are told together: those of one event of one controller, or of nobody's. */
struct sim_story_chapter {
    int64_t t;
    sim_lane who;
    char event[SIM_STORY_EVENT_NAME];
    uint32_t touched_count;
    uint32_t *touched; /* partitions that it has changed, in the order of their first change */
    size_t touched_capacity;
    bool open;
};

/* A yes or no per name. */
struct sim_story_flags {
    struct sim_keys names;
    uint8_t *on; /* [key] */
    size_t capacity;
};

struct sim_teller {
    const struct sim_trace *trace;
    const struct sim_result *result;
    struct sim_story_line *lines;
    size_t line_capacity;
    uint32_t line_count;
    struct sim_keys keys; /* T-P -> index of partitions */
    struct sim_story_partition *partitions;
    size_t partition_capacity;
    struct sim_story_chapter chapter;
    char running[SIM_STORY_EVENT_NAME]; /* event in work at `running_at` */
    sim_lane running_at;
    int32_t controller, epoch;                 /* active now */
    int32_t live[SIM_STORY_LIVE_MAX], live_of; /* what the active controller thinks */
    uint32_t live_count;
    struct sim_story_flags down;     /* nodes, "3" */
    struct sim_story_flags deleting; /* topics whose deletion is asked for and not finished */
    uint32_t unclean;
    uint32_t truncated;
};

/* ---- story_changes.c ---- */

/* Adds a line, cut at SIM_STORY_LINE. */
void sim_story_tell(struct sim_teller *s, int64_t t, enum sim_story_rank rank, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));
/* Flags and lists: `name` is interned; a list is written as [1,2]. */
void sim_story_set_flag(struct sim_story_flags *f, const char *name, bool on);
bool sim_story_has_flag(const struct sim_story_flags *f, const char *name, size_t size);
void sim_story_free_flags(struct sim_story_flags *f);
void sim_story_append_ids(char *out, size_t capacity, const struct sm_list *ids);
/* "s", or nothing for one; static. */
const char *sim_story_plural(uint32_t count);
/* Tells the open chapter, if there is one. */
void sim_story_close_chapter(struct sim_teller *s);
/* Takes what a record changed of partitions and topics; who: whose change it is, 0 unknown. */
void sim_story_take_sets(struct sim_teller *s, const struct sim_record *r, sim_lane who);

/* ---- story_records.c ---- */

/* Whether the process of a node is down. */
bool sim_story_is_down(const struct sim_teller *s, int32_t node);
/* Takes a record: the teller knows more, and may have told. */
void sim_story_take_record(struct sim_teller *s, const struct sim_record *r);

/* ---- story_end.c ---- */

/* Prints how it stands; returns lines. */
unsigned sim_story_print_ending(struct sim_teller *s, FILE *out, const char *bold, const char *off);

#endif
