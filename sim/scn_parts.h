/*
 * What the files of scn scripts share.
 *
 *     text ─► scn_read.c ─► struct sim_scn_script ─► scn.c ─► acts: scn_cluster.c, scn_tools.c
 *               lines, words, what a verb wants         └─► sim/world.h
 *
 * A step is one line; the run keeps the one that acts. An act returns false where the run has
 * failed, and the error has been told then.
 */
#ifndef SIM_SCN_PARTS_H
#define SIM_SCN_PARTS_H

#include "sim/scn.h"
#include "sim/world.h"

#define SIM_SCN_SECOND ((int64_t)1000000) /* µs */
enum { SIM_SCN_WORDS_MAX = 64, SIM_SCN_IDS_MAX = 4096, SIM_SCN_LINE_MAX_BYTES = 65536 };

struct sim_scn_ids {
    int32_t *id;
    uint32_t count;
};

struct sim_scn_option {
    const char *key, *value;
};

/* A line, taken apart: words; those with = and no : before it are options, as in the harness. */
struct sim_scn_step {
    uint32_t line;
    uint32_t number; /* 0: belongs to the step before it */
    char *text;      /* the line, trimmed */
    char *words;     /* the same, cut at blanks; what the pointers below point into */
    const char *verb;
    const char **args;
    uint32_t arg_count;
    const char **plain; /* args that are no options */
    uint32_t plain_count;
    struct sim_scn_option *options;
    uint32_t option_count;
};

struct sim_scn_script {
    struct sim_scn_step *steps;
    uint32_t count;
};

struct sim_scn_run {
    struct sim_world *world;
    struct sim_canonical *canonical;
    struct sim_scn_error *error;
    struct sim_settings settings;
    struct sim_scn_ids brokers, controllers; /* ever named; ascending */
    const struct sim_scn_step *step;
    uint64_t waits_for; /* number of a call */
    bool answered;
    struct wire_call *answer;
};

enum sim_scn_check { /* what the first plain argument has to be */
                     SIM_SCN_ANYTHING,
                     SIM_SCN_IDS,
                     SIM_SCN_PARTITIONS,      /* every plain one: t:0 */
                     SIM_SCN_PARTITION_LISTS, /* every argument: t:0=1,2 */
                     SIM_SCN_PARTITION_LISTS_OR_CANCEL,
                     SIM_SCN_TOPIC,
                     SIM_SCN_TOPICS,
                     SIM_SCN_PATH,
};

struct sim_scn_verb {
    const char *name;
    uint32_t plain_min, plain_max;
    enum sim_scn_check check;
    bool (*act)(struct sim_scn_run *r);
    const char *options; /* blank-separated; "*": any */
};

#define SIM_SCN_FAILS(r, ...) sim_scn_fail((r)->error, (r)->step->line, __VA_ARGS__)

/* ---- scn_read.c ---- */

/* Tells of a mistake in the script; returns false. */
bool sim_scn_fail(struct sim_scn_error *error, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sim_scn_ids_push(struct sim_scn_ids *ids, int32_t id);
/* A number at *at, which moves behind it. */
bool sim_scn_read_number(const char **at, int32_t *n);
/* "1,2,3" or "1-5", ascending. */
bool sim_scn_read_ids(const char *text, struct sim_scn_ids *ids);
/* Replicas: "1,2,3", in order. */
bool sim_scn_read_list(const char *text, struct sm_list *list);
/* "500ms", "3s", in µs. */
bool sim_scn_read_duration(const char *text, int64_t *us);
/* "topic:0". */
bool sim_scn_read_partition(const char *text, size_t size, char *topic, int32_t *partition);
/* The value of an option of the step, NULL where it has none. */
const char *sim_scn_option(const struct sim_scn_step *s, const char *key);
void sim_scn_script_free(struct sim_scn_script *script);
/* Reads and checks all lines; false with an error at the first bad one. */
bool sim_scn_script_read(struct sim_scn_script *script, const char *text, size_t size,
                         struct sim_scn_error *error);

/* ---- scn.c: how a run waits, what it knows ---- */

/* The option as a time, in µs. */
int64_t sim_scn_duration(const struct sim_scn_step *s, const char *key, int64_t otherwise);
/* Runs the world until `done`, at most so long; false, told, where it is not then. */
bool sim_scn_await(struct sim_scn_run *r, bool (*done)(struct sim_scn_run *r), int64_t timeout_us,
                   const char *what);
void sim_scn_know_process(struct sim_scn_run *r, int32_t id, bool is_controller);
bool sim_scn_is_one_of(const struct sim_scn_ids *ids, int32_t id);
/* Tells of an error of ZooKeeper (enum wire_zk_err), OK of none. */
bool sim_scn_failed_with(struct sim_scn_run *r, int32_t err);
/* NULL: there is none. Static. */
const struct sim_scn_verb *sim_scn_verb_named(const char *name);

/* ---- acts: scn_cluster.c ---- */

/* Each is the act of a verb. */
bool sim_scn_act_start(struct sim_scn_run *r);
bool sim_scn_act_kill(struct sim_scn_run *r);
bool sim_scn_act_bounce(struct sim_scn_run *r);
bool sim_scn_act_fault(struct sim_scn_run *r);
bool sim_scn_act_controller(struct sim_scn_run *r);

/* ---- scn_tools.c ---- */

/* Each is the act of a verb. */
bool sim_scn_act_topic(struct sim_scn_run *r);
bool sim_scn_act_add_partitions(struct sim_scn_run *r);
bool sim_scn_act_config(struct sim_scn_run *r);
bool sim_scn_act_delete_topic(struct sim_scn_run *r);
bool sim_scn_act_partitions(struct sim_scn_run *r);
/* Hooks of the world: answers to calls, requests that arrive. */
void sim_scn_on_answer(void *context, uint64_t call_id, const struct wire_call *answer);
void sim_scn_on_request(void *context, const struct sim_request *request);
bool sim_scn_act_alter_reassign(struct sim_scn_run *r);
bool sim_scn_act_controlled_shutdown(struct sim_scn_run *r);

#endif
