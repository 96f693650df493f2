/*
 * A step of the group coordinator, and what is checked before it.
 *
 *     room? ─ no ──► LIMIT, nothing changed
 *       └─ yes ──► the input ──► the timer, where an earlier one is needed
 *
 * Source: see broker/groups.h.
 */
#include "broker/group_state.h"
#include "wire/codec.h"
#include "wire/messages.h"

struct kb_groups_limits kb_groups_limits_default(void)
{
    return (struct kb_groups_limits){.partitions = 50,
                                     .groups = 8,
                                     .members = 16,
                                     .offsets = 32,
                                     .appends = 8,
                                     .name = 96,
                                     .topic_name = 64,
                                     .metadata = 32,
                                     .protocols = 256,
                                     .assignment = 128,
                                     .request = 1024,
                                     .scratch = 4096};
}

struct kb_groups_limits kb_groups_limits_above(const struct kb_groups_limits *limits,
                                               const char *short_of)
{
    struct kb_groups_limits l = *limits;
    const struct {
        const char *name;
        uint32_t *limit;
    } fields[] = {
        {"groups", &l.groups},         {"members", &l.members},     {"offsets", &l.offsets},
        {"appends", &l.appends},       {"name", &l.name},           {"topic_name", &l.topic_name},
        {"metadata", &l.metadata},     {"protocols", &l.protocols}, {"request", &l.request},
        {"assignment", &l.assignment}, {"scratch", &l.scratch},
    };
    const char *dot = strchr(short_of, '.');
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].name, dot == NULL ? short_of : dot + 1) == 0) {
            *fields[i].limit *= 2;
        }
    }
    return l;
}

struct kb_groups_config kb_groups_config_default(void)
{
    return (struct kb_groups_config){.offsets_retention_ms = 7ll * 24 * 3600 * 1000,
                                     .retention_check_us = 600ll * 1000 * 1000,
                                     .new_member_us = 300ll * 1000 * 1000,
                                     .min_session_ms = 6000,
                                     .max_session_ms = 1800 * 1000,
                                     .max_size = INT32_MAX,
                                     .initial_delay_ms = 3000,
                                     .max_metadata = 4096};
}

/* ---- the end of an append ---- */

static int32_t append_error(const struct kb_append *a, int32_t error)
{
    bool offsets = a->kind == KB_A_OFFSETS;

    switch (error) {
    case WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION:
    case WIRE_ERROR_NOT_ENOUGH_REPLICAS:
    case WIRE_ERROR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        return WIRE_ERROR_COORDINATOR_NOT_AVAILABLE;
    case WIRE_ERROR_NOT_LEADER_OR_FOLLOWER:
    case WIRE_ERROR_KAFKA_STORAGE_ERROR:
        return WIRE_ERROR_NOT_COORDINATOR;
    case WIRE_ERROR_REQUEST_TIMED_OUT:
        return offsets ? error : WIRE_ERROR_REBALANCE_IN_PROGRESS;
    case WIRE_ERROR_MESSAGE_TOO_LARGE:
    case WIRE_ERROR_RECORD_LIST_TOO_LARGE:
    case WIRE_ERROR_INVALID_FETCH_SIZE:
        return offsets ? WIRE_ERROR_INVALID_COMMIT_OFFSET_SIZE : WIRE_ERROR_UNKNOWN_SERVER_ERROR;
    default: /* any error of the protocol */
        return error;
    }
}

static void on_appended(const struct kb_gstep *s)
{
    struct kb_groups *g = s->g;
    uint32_t row = kb_append_find(g, s->in->append_id);

    if (row == 0) {
        return;
    }
    struct kb_append *a = kb_grow(g, KB_T_APPEND, row);
    int32_t error = append_error(a, s->in->error);
    if (!kb_group(g, a->group)->row.used || kb_group(g, a->group)->serial != a->group_serial) {
        a->group = 0; /* unloaded or deleted meanwhile */
    }
    switch ((enum kb_append_kind)a->kind) {
    case KB_A_ASSIGNMENT:
        if (a->group != 0) {
            kb_assignment_appended(s, a, error);
        }
        break;
    case KB_A_STATIC:
        if (a->group != 0) {
            kb_static_appended(s, a, error);
        }
        break;
    case KB_A_OFFSETS:
        kb_offsets_appended(s, a, error, s->in->offset);
        break;
    }
    if (a->group != 0) {
        kb_group_due(g, a->group);
    }
    kb_row_give(g, KB_T_APPEND, row);
}

/* ---- dispatch ---- */

static void on_marker(const struct kb_gstep *s)
{
    struct kb_groups *g = s->g;
    uint32_t row = kb_owned(g, s->in->partition)->first_group;

    for (; row != 0; row = kb_group(g, row)->next_here) {
        if (!kb_group(g, row)->loading) {
            kb_txn_ended(g, row, s->in->producer_id, s->in->commit != 0);
        }
    }
}

static bool on_request(const struct kb_gstep *s)
{
    switch (s->in->api) {
    case WIRE_API_JOIN_GROUP:
        kb_on_join(s);
        return true;
    case WIRE_API_SYNC_GROUP:
        kb_on_sync(s);
        return true;
    case WIRE_API_HEARTBEAT:
        kb_on_heartbeat(s);
        return true;
    case WIRE_API_LEAVE_GROUP:
        kb_on_leave(s);
        return true;
    case WIRE_API_OFFSET_COMMIT:
        kb_on_commit(s);
        return true;
    case WIRE_API_TXN_OFFSET_COMMIT:
        kb_on_txn_commit(s);
        return true;
    case WIRE_API_OFFSET_DELETE:
        kb_on_offset_delete(s);
        return true;
    case WIRE_API_DELETE_GROUPS:
        kb_on_delete_groups(s);
        return true;
    case WIRE_API_OFFSET_FETCH:
        return kb_on_offset_fetch(s);
    case WIRE_API_DESCRIBE_GROUPS:
        return kb_on_describe(s);
    case WIRE_API_LIST_GROUPS:
        return kb_on_list(s);
    default:           /* int16 of the protocol */
        assert(false); /* no request of groups */
        return true;
    }
}

static bool dispatch(const struct kb_gstep *s)
{
    switch ((enum kb_groups_input_kind)s->in->kind) {
    case KB_GROUPS_START:
        s->g->active = 1;
        s->g->cleanup_us = s->now_us + s->g->config.retention_check_us;
        return true;
    case KB_GROUPS_SHUTDOWN:
        s->g->active = 0;
        s->g->cleanup_us = -1;
        return true;
    case KB_GROUPS_ELECTED:
        kb_on_elected(s);
        return true;
    case KB_GROUPS_LOAD:
        kb_on_load(s);
        return true;
    case KB_GROUPS_LOADED:
        kb_on_loaded(s);
        return true;
    case KB_GROUPS_RESIGNED:
        kb_on_resigned(s);
        return true;
    case KB_GROUPS_MARKER:
        on_marker(s);
        return true;
    case KB_GROUPS_APPENDED:
        on_appended(s);
        return true;
    case KB_GROUPS_TIMER:
        s->g->armed_us = -1;
        kb_groups_expire(s);
        return true;
    case KB_GROUPS_REQUEST:
        return on_request(s);
    }
    return true;
}

static void arm(const struct kb_gstep *s)
{
    struct kb_groups *g = s->g;
    int64_t due = g->cleanup_us;
    uint32_t next = kb_group_earliest(g);

    if (next != 0 && (due < 0 || kb_group(g, next)->due_us < due)) {
        due = kb_group(g, next)->due_us;
    }
    if (due >= 0 && (g->armed_us < 0 || due < g->armed_us)) {
        g->armed_us = due;
        s->out->put(s->out->context,
                    &(struct kb_groups_output){.kind = KB_GROUPS_OUT_TIMER, .due_us = due});
    }
}

enum sm_err kb_groups_step(struct kb_groups *g, int64_t now_us, const struct kb_groups_input *in,
                           struct kb_groups_outputs *out)
{
    struct kb_gstep s = {.g = g, .in = in, .out = out, .now_us = now_us, .wall_ms = in->wall_ms};

    out->short_of = kb_groups_short(g, in);
    if (out->short_of != NULL) {
        return SM_ERR_LIMIT;
    }
    if (!dispatch(&s)) {
        out->short_of = "scratch";
        return SM_ERR_LIMIT;
    }
    arm(&s);
    return SM_ERR_OK;
}
