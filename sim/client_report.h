/*
 * What came of the clients' work, at the end of a run: who sent and read how much, which
 * acknowledged records are still there, and why others are not.
 *
 *     acknowledged ──► in the log of the present leader? ──yes──► kept
 *                              │ no
 *                              ▼
 *          the first later leader whose log, when it began to lead, ended before the record
 *                              │ and back along the causes of the trace
 *                              ▼
 *          the election that chose it, the fault behind that
 *
 * Memory: the report owns its rows, texts too. Thread: none.
 */
#ifndef SIM_CLIENT_REPORT_H
#define SIM_CLIENT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/world_client.h"

struct sim_client_row {
    const char *name; /* the scenario's, as are the next two */
    const char *topic;
    const char *group; /* NULL none */
    bool consumes;
    bool transactional;
    int32_t error; /* that ended its work (client/client.h), 0 none */
    struct sim_client_counts counts;
};

/* Neighbouring records of one partition that were acknowledged and are gone. */
struct sim_lost {
    const char *topic; /* the world's */
    int32_t partition;
    int64_t offset, count;
    struct sim_value_name from, to;
    int16_t acks;
    int64_t acked_us;
    uint64_t acked_record;        /* of the trace */
    int32_t leader, leader_epoch; /* who acknowledged; -1 unknown */
    int32_t taker, taker_epoch;   /* who led then without them; -1 unknown */
    int64_t taker_start;          /* where its log ended when it began to lead */
    int64_t taken_us;
    uint64_t taken_record;   /* of the trace, 0 none */
    uint64_t decided_record; /* the election, 0 unknown */
    int32_t unclean;         /* 1, 0; -1 unknown */
    uint64_t fault_record;   /* the fault behind it, 0 unknown */
    char fault[160];         /* in words, "" unknown */
};

/* What the logs say of the transforms of one group: `inputs` are the committed records that are in
   its topic, `outputs` the committed records that it wrote. */
struct sim_transform_counts {
    uint64_t inputs, outputs;
    uint64_t missing; /* inputs without an output */
    uint64_t doubled; /* inputs with more than one */
};
struct sim_transform_row {
    const char *name, *from, *to; /* the scenario's */
    struct sim_transform_counts counts;
};

struct sim_client_report {
    struct sim_client_row *rows;
    uint32_t row_count;
    struct sim_transform_row *transforms;
    uint32_t transform_count;
    struct sim_lost *lost; /* in the order of acknowledgement */
    uint32_t lost_count;
    uint64_t acknowledged;         /* of committed or no transactions, whose offset is known */
    uint64_t kept, gone;           /* acknowledged = kept + gone + deleted + undecided */
    uint64_t deleted;              /* with their topics, or too old */
    uint64_t undecided;            /* no broker has a log of the partition now */
    char (*names)[SIM_VALUE_TEXT]; /* [2 * lost_count]: from and to as text */
};

/* Returns an owned report, NULL where the world has no clients. The trace may be off: then there
   are no records and no faults in it. */
struct sim_client_report *sim_client_report_new(struct sim_world *w);
void sim_client_report_free(struct sim_client_report *r); /* NULL is fine */

/* struct sim_view.client: `world` is a struct sim_world. */
int64_t sim_client_property(void *world, int32_t id, const char *name, const char **text);

/* By the consumer half of a transform; linear in the logs of its topics. */
struct sim_client;
struct sim_transform_counts sim_transform_judge(const struct sim_world *w,
                                                const struct sim_client *consumer);
/* It is the first consumer half of its group, which answers for all of them. */
bool sim_transform_is_first(const struct sim_world *w, const struct sim_client *c);

/* Prints it for people; returns the lines printed. */
unsigned sim_client_report_print(FILE *out, const struct sim_client_report *r, bool color);
/* Adds "clients" and "acknowledged" to a json_t object. */
void sim_client_report_json(const struct sim_client_report *r, void *object);

#endif
