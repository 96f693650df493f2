/*
 * What members can do and want: their protocols, the choice among them, who is fenced.
 *
 * The protocols of a member lie behind it as they came in the request:
 *
 *     | name size u32 | metadata size u32 | name NUL metadata |  …     protocol_count times
 *
 * A protocol is a candidate where every member has it; each member votes for the first candidate of
 * its own list; the most votes win, and among equals the one that was voted for first (Kafka: the
 * first of a hash map).
 *
 * Source: GroupMetadata.supportsProtocols, selectProtocol, isStaticMemberFenced,
 * computeSubscribedTopics; MemberMetadata.matches, vote; ConsumerProtocol.
 */
#include "broker/group_state.h"

struct protocol {
    const char *name;
    const uint8_t *metadata;
    uint32_t metadata_size;
    uint32_t next; /* where the next one begins */
};

static struct protocol protocol_at(const struct kb_groups *g, const struct kb_member *m,
                                   uint32_t at)
{
    const uint8_t *from = kb_protocols(g, m) + at;
    uint32_t sizes[2];

    memcpy(sizes, from, sizeof sizes);
    return (struct protocol){.name = (const char *)from + 8,
                             .metadata = from + 8 + sizes[0] + 1,
                             .metadata_size = sizes[1],
                             .next = at + 8 + sizes[0] + 1 + sizes[1]};
}

static uint32_t size_of(const struct wire_join_group_request_protocol *p)
{
    return 8u + (uint32_t)p->name.size + 1u + (uint32_t)p->metadata.size;
}

uint32_t kb_protocols_size_of(const struct wire_join_group_request *r)
{
    const struct wire_join_group_request_protocol *p =
        WIRE_ITEMS(r, r->protocols, struct wire_join_group_request_protocol);
    uint32_t size = 0;

    for (int32_t i = 0; i < r->protocols.count; i++) {
        size += size_of(&p[i]);
    }
    return size;
}

void kb_member_set_protocols(const struct kb_groups *g, struct kb_member *m,
                             const struct wire_join_group_request *r)
{
    const struct wire_join_group_request_protocol *p =
        WIRE_ITEMS(r, r->protocols, struct wire_join_group_request_protocol);
    uint8_t *to = kb_protocols(g, m);

    memset(to, 0, g->limits.protocols);
    m->protocol_count = r->protocols.count < 0 ? 0 : (uint32_t)r->protocols.count;
    for (uint32_t i = 0; i < m->protocol_count; i++) {
        uint32_t sizes[2] = {(uint32_t)p[i].name.size, (uint32_t)p[i].metadata.size};
        memcpy(to, sizes, sizeof sizes);
        memcpy(to + 8, wire_text(r, p[i].name), sizes[0]);
        if (sizes[1] != 0) {
            memcpy(to + 8 + sizes[0] + 1, wire_data(r, p[i].metadata), sizes[1]);
        }
        to += size_of(&p[i]);
    }
    m->protocols_size = (uint32_t)(to - kb_protocols(g, m));
}

bool kb_member_matches(const struct kb_groups *g, const struct kb_member *m,
                       const struct wire_join_group_request *r)
{
    const struct wire_join_group_request_protocol *p =
        WIRE_ITEMS(r, r->protocols, struct wire_join_group_request_protocol);
    uint32_t at = 0;

    if (r->protocols.count != (int32_t)m->protocol_count) {
        return false;
    }
    for (uint32_t i = 0; i < m->protocol_count; i++) {
        struct protocol mine = protocol_at(g, m, at);
        if (strcmp(mine.name, wire_text(r, p[i].name)) != 0 ||
            mine.metadata_size != (uint32_t)p[i].metadata.size ||
            (mine.metadata_size != 0 &&
             memcmp(mine.metadata, wire_data(r, p[i].metadata), mine.metadata_size) != 0)) {
            return false;
        }
        at = mine.next;
    }
    return true;
}

static bool has_protocol(const struct kb_groups *g, const struct kb_member *m, const char *name,
                         struct protocol *out)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < m->protocol_count; i++) {
        *out = protocol_at(g, m, at);
        if (strcmp(out->name, name) == 0) {
            return true;
        }
        at = out->next;
    }
    return false;
}

bool kb_member_metadata(const struct kb_groups *g, const struct kb_member *m, const char *protocol,
                        struct kb_log_record *out)
{
    struct protocol p;

    if (!has_protocol(g, m, protocol, &p)) {
        return false;
    }
    out->value = p.metadata;
    out->value_size = (int32_t)p.metadata_size;
    return true;
}

static bool all_have(const struct kb_groups *g, uint32_t group, const char *name)
{
    struct protocol p;

    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        if (!has_protocol(g, kb_member(g, row), name, &p)) {
            return false;
        }
    }
    return true;
}

bool kb_group_supports(const struct kb_groups *g, uint32_t group,
                       const struct wire_join_group_request *r)
{
    const struct kb_group *p = kb_group(g, group);
    const struct wire_join_group_request_protocol *protocols =
        WIRE_ITEMS(r, r->protocols, struct wire_join_group_request_protocol);
    const char *type = wire_text(r, r->protocol_type);

    if (p->state == KB_GROUP_EMPTY) {
        return *type != 0 && r->protocols.count > 0;
    }
    if (!p->has_type || strcmp(kb_group_text(g, p, KB_TYPE), type) != 0) {
        return false;
    }
    for (int32_t i = 0; i < r->protocols.count; i++) {
        if (all_have(g, group, wire_text(r, protocols[i].name))) {
            return true;
        }
    }
    return false;
}

static const char *vote_of(const struct kb_groups *g, uint32_t group, const struct kb_member *m)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < m->protocol_count; i++) {
        struct protocol p = protocol_at(g, m, at);
        if (all_have(g, group, p.name)) {
            return p.name;
        }
        at = p.next;
    }
    return NULL;
}

const char *kb_group_select(const struct kb_groups *g, uint32_t group)
{
    const char *best = NULL;
    uint32_t best_votes = 0;

    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        const char *mine = vote_of(g, group, kb_member(g, row));
        uint32_t votes = 0;
        assert(mine != NULL);
        for (uint32_t other = 0; (other = kb_member_after(g, group, other)) != 0;) {
            votes += strcmp(vote_of(g, group, kb_member(g, other)), mine) == 0;
        }
        if (votes > best_votes) {
            best = mine;
            best_votes = votes;
        }
    }
    return best;
}

uint32_t kb_group_waiting(const struct kb_groups *g, uint32_t group)
{
    uint32_t waiting = 0;

    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        waiting += kb_member(g, row)->joins;
    }
    return waiting;
}

bool kb_group_fenced(const struct kb_groups *g, uint32_t group, const char *member,
                     const char *instance)
{
    uint32_t row = kb_member_static(g, group, instance);
    return row != 0 && strcmp(kb_member_text(g, kb_member(g, row), KB_ID), member) != 0;
}

/* Reads the topics of a consumer's subscription: version, then [topic]. 1: named; 0: not; -1: not a
   subscription. */
static int subscribes(const struct protocol *p, const char *topic)
{
    struct wire_reader r = wire_reader_of(p->metadata, p->metadata_size, false);
    size_t size = strlen(topic);
    int found = 0;

    if (wire_take_int16(&r) < 0) {
        return -1;
    }
    int32_t count = wire_take_int32(&r);
    for (int32_t i = 0; i < count && !r.bad; i++) {
        int16_t length = wire_take_int16(&r);
        const uint8_t *name = length < 0 ? NULL : wire_take(&r, (size_t)length);
        r.bad = r.bad || length < 0;
        if (name != NULL && (size_t)length == size && memcmp(name, topic, size) == 0) {
            found = 1;
        }
    }
    return r.bad || count < 0 ? -1 : found;
}

bool kb_group_reads(const struct kb_groups *g, uint32_t group, const char *topic)
{
    const struct kb_group *p = kb_group(g, group);
    bool found = false;

    if (!p->has_type || strcmp(kb_group_text(g, p, KB_TYPE), "consumer") != 0) {
        return true; /* not known */
    }
    if (p->members != 0 && !p->has_protocol) {
        return true;
    }
    for (uint32_t row = 0; (row = kb_member_after(g, group, row)) != 0;) {
        struct protocol mine;
        if (!has_protocol(g, kb_member(g, row), kb_group_text(g, p, KB_PROTOCOL), &mine)) {
            continue;
        }
        int reads = subscribes(&mine, topic);
        if (reads < 0) {
            return true;
        }
        found = found || reads > 0;
    }
    return found;
}
