/*
 * What an input could need, before it changes anything: an upper bound for each limit.
 *
 * Source: none.
 */
#include "broker/group_state.h"
#include "wire/messages.h"

uint32_t kb_commit_count(int16_t api, const void *request)
{
    const struct wire_offset_commit_request *r = request;
    const struct wire_txn_offset_commit_request *t = request;
    bool plain = api == WIRE_API_OFFSET_COMMIT;
    struct wire_array topics = plain ? r->topics : t->topics;
    uint32_t count = 0;

    for (int32_t i = 0; i < topics.count; i++) {
        const struct wire_offset_commit_request_topic *a =
            WIRE_ITEMS(request, topics, struct wire_offset_commit_request_topic);
        const struct wire_txn_offset_commit_request_topic *b =
            WIRE_ITEMS(request, topics, struct wire_txn_offset_commit_request_topic);
        int32_t here = plain ? a[i].partitions.count : b[i].partitions.count;
        count += here < 0 ? 0 : (uint32_t)here;
    }
    return count;
}

static bool long_name(const struct kb_groups *g, const void *message, struct wire_string name)
{
    (void)message;
    return name.size >= (int32_t)g->limits.name;
}

static const char *join_short(const struct kb_groups *g, const struct kb_groups_input *in)
{
    const struct wire_join_group_request *r = in->request;
    const struct wire_join_group_request_protocol *p =
        WIRE_ITEMS(r, r->protocols, struct wire_join_group_request_protocol);
    size_t base =
        r->group_instance_id.size >= 0 ? (size_t)r->group_instance_id.size : strlen(in->client_id);

    for (int32_t i = 0; i < r->protocols.count; i++) {
        if (long_name(g, r, p[i].name)) {
            return "name";
        }
    }
    if (long_name(g, r, r->group_id) || long_name(g, r, r->member_id) ||
        long_name(g, r, r->protocol_type) || strlen(in->client_host) >= g->limits.name ||
        strlen(in->client_id) >= g->limits.name || base + 2 + strlen(in->uuid) > g->limits.name) {
        return "name";
    }
    return kb_protocols_size_of(r) > g->limits.protocols ? "protocols"
           : kb_rows_left(g, KB_T_GROUP) < 1             ? "groups"
           : kb_rows_left(g, KB_T_MEMBER) < 1            ? "members"
           : kb_rows_left(g, KB_T_APPEND) < 1            ? "appends"
                                                         : NULL;
}

static const char *sync_short(const struct kb_groups *g, const struct kb_groups_input *in)
{
    const struct wire_sync_group_request *r = in->request;
    const struct wire_sync_group_request_assignment *items =
        WIRE_ITEMS(r, r->assignments, struct wire_sync_group_request_assignment);

    for (int32_t i = 0; i < r->assignments.count; i++) {
        if (items[i].assignment.size > (int32_t)g->limits.assignment) {
            return "assignment";
        }
    }
    return kb_rows_left(g, KB_T_APPEND) < 1 ? "appends" : NULL;
}

static const char *commit_short(const struct kb_groups *g, const struct kb_groups_input *in)
{
    const struct wire_offset_commit_request *r = in->request;
    const struct wire_txn_offset_commit_request *t = in->request;
    bool plain = in->api == WIRE_API_OFFSET_COMMIT;
    struct wire_array topics = plain ? r->topics : t->topics;

    if (long_name(g, r, plain ? r->group_id : t->group_id)) {
        return "name";
    }
    for (int32_t n = 0; n < topics.count; n++) {
        const struct wire_offset_commit_request_topic *a =
            WIRE_ITEMS(r, topics, struct wire_offset_commit_request_topic);
        const struct wire_txn_offset_commit_request_topic *b =
            WIRE_ITEMS(r, topics, struct wire_txn_offset_commit_request_topic);
        struct wire_array list = plain ? a[n].partitions : b[n].partitions;
        if ((plain ? a[n].name.size : b[n].name.size) >= (int32_t)g->limits.topic_name) {
            return "topic_name";
        }
        for (int32_t i = 0; i < list.count; i++) {
            int32_t size =
                plain ? WIRE_ITEMS(r, list, struct wire_offset_commit_request_partition)[i]
                            .committed_metadata.size
                      : WIRE_ITEMS(r, list, struct wire_txn_offset_commit_request_partition)[i]
                            .committed_metadata.size;
            if (size >= (int32_t)g->limits.metadata && size <= g->config.max_metadata) {
                return "metadata";
            }
        }
    }
    /* Staged now, committed when it is written. */
    return kb_rows_left(g, KB_T_OFFSET) < 2 * kb_commit_count(in->api, r) ? "offsets"
           : kb_rows_left(g, KB_T_GROUP) < 1                              ? "groups"
           : kb_rows_left(g, KB_T_APPEND) < 1                             ? "appends"
                                                                          : NULL;
}

/* One whose write has ended needs room for what it commits. */
static const char *appended_short(const struct kb_groups *g, uint64_t id)
{
    uint32_t row = kb_append_find(g, id);

    if (row == 0) {
        return NULL;
    }
    const struct kb_append *a = kb_grow(g, KB_T_APPEND, row);
    return a->kind == KB_A_OFFSETS &&
                   kb_rows_left(g, KB_T_OFFSET) < kb_commit_count(a->api, kb_append_request(g, a))
               ? "offsets"
               : NULL;
}

/* Each offset of a transaction may become one more. */
static const char *marker_short(const struct kb_groups *g)
{
    return kb_rows_left(g, KB_T_OFFSET) < g->txn_offsets ? "offsets" : NULL;
}

const char *kb_groups_short(const struct kb_groups *g, const struct kb_groups_input *in)
{
    switch ((enum kb_groups_input_kind)in->kind) {
    case KB_GROUPS_LOAD: {
        const char *most = kb_load_short(g, in);
        return most != NULL ? most : marker_short(g);
    }
    case KB_GROUPS_MARKER:
        return marker_short(g);
    case KB_GROUPS_APPENDED:
        return appended_short(g, in->append_id);
    case KB_GROUPS_REQUEST:
        break;
    case KB_GROUPS_START:
    case KB_GROUPS_SHUTDOWN:
    case KB_GROUPS_ELECTED:
    case KB_GROUPS_LOADED:
    case KB_GROUPS_RESIGNED:
    case KB_GROUPS_TIMER:
        return NULL;
    }
    if (in->request_size > g->limits.request) {
        return "request";
    }
    return in->api == WIRE_API_JOIN_GROUP   ? join_short(g, in)
           : in->api == WIRE_API_SYNC_GROUP ? sync_short(g, in)
           : in->api == WIRE_API_OFFSET_COMMIT || in->api == WIRE_API_TXN_OFFSET_COMMIT
               ? commit_short(g, in)
               : NULL;
}
