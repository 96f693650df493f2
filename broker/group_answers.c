/*
 * Answers to JoinGroup and SyncGroup, built in the scratch and put at once.
 *
 * A parked call is answered once: telling a member takes its call away.
 *
 * Source: KafkaApis.handleJoinGroupRequest, handleSyncGroupRequest; GroupMetadata.currentMember-
 * Metadata, maybeInvokeJoinCallback, maybeInvokeSyncCallback; GroupCoordinator.propagateAssignment.
 */
#include "broker/group_state.h"
#include "wire/codec.h"
#include "wire/messages.h"

void kb_flat_begin(const struct kb_gstep *s, struct wire_flat *f, int16_t api, void **head)
{
    size_t size = kb_groups_scratch_size(&s->g->limits);

    *head = wire_flat_begin(f, s->out->scratch, size, wire_head_size(WIRE_RESPONSE, api));
    wire_defaults(WIRE_RESPONSE, api, *head);
}

void kb_answer(const struct kb_gstep *s, uint64_t call_id, int16_t api, int16_t version,
               struct wire_flat *f)
{
    size_t size = wire_flat_end(f);

    assert(size != 0);
    s->out->put(s->out->context, &(struct kb_groups_output){.kind = KB_GROUPS_OUT_ANSWER,
                                                            .call_id = call_id,
                                                            .api = api,
                                                            .version = version,
                                                            .message = f->bytes,
                                                            .size = (uint32_t)size});
}

void kb_join_refuse(const struct kb_gstep *s, uint64_t call, int16_t version, const char *member,
                    int32_t error)
{
    struct wire_flat f;
    void *head;

    kb_flat_begin(s, &f, WIRE_API_JOIN_GROUP, &head);
    struct wire_join_group_response *r = head;
    r->error_code = (int16_t)error;
    r->member_id = wire_flat_string(&f, member);
    r->leader = wire_flat_string(&f, "");
    r->protocol_name = version >= 7 ? WIRE_NULL_STRING : wire_flat_string(&f, "");
    kb_answer(s, call, WIRE_API_JOIN_GROUP, version, &f);
}

static void list_members(const struct kb_groups *g, uint32_t group, struct wire_flat *f,
                         struct wire_join_group_response *r)
{
    const struct kb_group *p = kb_group(g, group);
    uint32_t row = 0;

    r->members =
        wire_flat_array(f, (int32_t)p->members, sizeof(struct wire_join_group_response_member));
    for (int32_t i = 0; i < r->members.count; i++) {
        struct wire_join_group_response_member *item = wire_flat_at(f, r->members.at);
        struct kb_log_record metadata = {0};
        row = kb_member_after(g, group, row);
        const struct kb_member *m = kb_member(g, row);
        kb_member_metadata(g, m, kb_group_text(g, p, KB_PROTOCOL), &metadata);
        item[i].member_id = wire_flat_string(f, kb_member_text(g, m, KB_ID));
        item[i].group_instance_id =
            wire_flat_string(f, m->has_instance ? kb_member_text(g, m, KB_INSTANCE) : NULL);
        item[i].metadata = wire_flat_bytes(f, metadata.value, (size_t)metadata.value_size);
    }
}

void kb_join_tell(const struct kb_gstep *s, uint64_t call, int16_t version, uint32_t group,
                  const char *member, const char *leader, bool list, int32_t error)
{
    const struct kb_groups *g = s->g;
    const struct kb_group *p = kb_group(g, group);
    struct wire_flat f;
    void *head;

    if (leader == NULL && p->leader != 0) {
        leader = kb_member_text(g, kb_member(g, p->leader), KB_ID);
    }
    kb_flat_begin(s, &f, WIRE_API_JOIN_GROUP, &head);
    struct wire_join_group_response *r = head;
    r->error_code = (int16_t)error;
    r->generation_id = p->generation;
    r->protocol_type =
        wire_flat_string(&f, p->has_type && version >= 7 ? kb_group_text(g, p, KB_TYPE) : NULL);
    r->protocol_name = wire_flat_string(&f, p->has_protocol ? kb_group_text(g, p, KB_PROTOCOL)
                                            : version >= 7  ? NULL
                                                            : "");
    r->leader = wire_flat_string(&f, leader == NULL ? "" : leader);
    r->member_id = wire_flat_string(&f, member);
    if (list) {
        list_members(g, group, &f, r);
    }
    kb_answer(s, call, WIRE_API_JOIN_GROUP, version, &f);
}

void kb_member_end_join(const struct kb_gstep *s, struct kb_member *m, int32_t error)
{
    const char *id = error == WIRE_ERROR_UNKNOWN_MEMBER_ID ? "" : kb_member_text(s->g, m, KB_ID);

    if (!m->joins) {
        return;
    }
    m->joins = 0;
    kb_join_refuse(s, m->join_call, m->join_version, id, error);
    m->join_call = 0;
}

void kb_sync_tell(const struct kb_gstep *s, uint64_t call, int16_t version, uint32_t group,
                  const struct kb_member *m, int32_t error)
{
    const struct kb_groups *g = s->g;
    const struct kb_group *p = group == 0 ? NULL : kb_group(g, group);
    bool ok = error == WIRE_ERROR_NONE && p != NULL, names = ok && version >= 5;
    struct wire_flat f;
    void *head;

    kb_flat_begin(s, &f, WIRE_API_SYNC_GROUP, &head);
    struct wire_sync_group_response *r = head;
    r->error_code = (int16_t)error;
    r->protocol_type =
        wire_flat_string(&f, names && p->has_type ? kb_group_text(g, p, KB_TYPE) : NULL);
    r->protocol_name =
        wire_flat_string(&f, names && p->has_protocol ? kb_group_text(g, p, KB_PROTOCOL) : NULL);
    r->assignment = ok ? wire_flat_bytes(&f, kb_assignment(g, m), m->assignment_size)
                       : wire_flat_bytes(&f, "", 0);
    kb_answer(s, call, WIRE_API_SYNC_GROUP, version, &f);
}

bool kb_member_end_sync(const struct kb_gstep *s, struct kb_member *m, int32_t error)
{
    if (!m->syncs) {
        return false;
    }
    m->syncs = 0;
    kb_sync_tell(s, m->sync_call, m->sync_version, m->group, m, error);
    m->sync_call = 0;
    return true;
}
