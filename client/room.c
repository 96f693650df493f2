/*
 * Is there room for what an input may need? Looked at before anything is changed, so that a step is
 * done as a whole or not at all.
 *
 * What is counted is the most that the input could need, from its own numbers: a metadata answer
 * may name as many partitions as it names, an assignment cannot hold more topics than its bytes.
 */
#include "client/state.h"

struct need {
    size_t brokers, topics, partitions, records, bytes, commands;
};

static void need_metadata(const struct wire_metadata_response *r, struct need *n)
{
    const struct wire_metadata_response_topic *topics =
        WIRE_ITEMS(r, r->topics, struct wire_metadata_response_topic);

    n->brokers = (size_t)r->brokers.count;
    for (int32_t i = 0; i < r->topics.count; i++) {
        n->partitions += (size_t)topics[i].partitions.count;
    }
    n->partitions += (size_t)r->topics.count;
}

static void count_topic(void *context, const char *name)
{
    struct need *n = context;

    (void)name;
    n->topics++;
}

static void need_members(const struct kl_input *in, struct need *n)
{
    const struct wire_join_group_response *r = in->message;
    const struct wire_join_group_response_member *members =
        WIRE_ITEMS(r, r->members, struct wire_join_group_response_member);

    n->bytes = kl_blob_cost(in->size);
    for (int32_t i = 0; i < r->members.count; i++) {
        kl_read_subscription(wire_data(r, members[i].metadata), members[i].metadata.size,
                             count_topic, NULL, n);
    }
}

static void count_partition(void *context, const char *name, int32_t partition)
{
    (void)partition;
    count_topic(context, name);
    ((struct need *)context)->partitions++;
}

static void need_response(const struct kl_input *in, struct need *n)
{
    const struct wire_sync_group_response *sync = in->message;

    switch (in->api) {
    case WIRE_API_METADATA:
        need_metadata(in->message, n);
        return;
    case WIRE_API_FIND_COORDINATOR:
        n->brokers = 1;
        return;
    case WIRE_API_JOIN_GROUP:
        need_members(in, n);
        return;
    case WIRE_API_SYNC_GROUP:
        kl_read_assignment(wire_data(in->message, sync->assignment), sync->assignment.size,
                           count_partition, n);
        return;
    default:
        return;
    }
}

static void need_places(const struct kl_input *in, struct need *n)
{
    n->topics = in->count;
    n->partitions = in->count;
    n->commands = 1;
    n->bytes = kl_blob_cost(in->count * sizeof(struct kl_place));
}

static void need_record(const struct kl_input *in, struct need *n)
{
    n->records = n->topics = 1;
    n->partitions = 2;
    n->bytes =
        kl_blob_cost((size_t)(in->key_size > 0 ? in->key_size : 0) +
                     (size_t)(in->value_size > 0 ? in->value_size : 0) + kl_headers_size(in));
}

static void needed(const struct kl_client *c, const struct kl_input *in, struct need *n)
{
    switch ((enum kl_input_kind)in->kind) {
    case KL_IN_NONE:
    case KL_IN_START:
    case KL_IN_FAILED:
    case KL_IN_TIMER:
    case KL_IN_MORE:
    case KL_IN_POLL:
        return;
    case KL_IN_RESPONSE:
        need_response(in, n);
        return;
    case KL_IN_SEND:
        need_record(in, n);
        return;
    case KL_IN_ASSIGN:
    case KL_IN_SEND_OFFSETS:
    case KL_IN_PAUSE:
    case KL_IN_RESUME:
        need_places(in, n);
        return;
    case KL_IN_COMMIT_OFFSETS:
        need_places(in, n);
        n->bytes += kl_blob_cost(c->partition_count * sizeof(struct kl_place));
        return;
    case KL_IN_SUBSCRIBE:
        n->topics = in->topic_count;
        n->commands = 1;
        return;
    case KL_IN_ADMIN:
        n->commands = 1;
        n->bytes = kl_blob_cost(in->size);
        return;
    case KL_IN_FLUSH:
    case KL_IN_INIT_TRANSACTIONS:
    case KL_IN_BEGIN:
    case KL_IN_COMMIT:
    case KL_IN_ABORT:
    case KL_IN_REBALANCED:
    case KL_IN_CLOSE:
        n->commands = 1;
        return;
    }
}

const char *kl_room(const struct kl_client *c, const struct kl_input *in)
{
    const struct kl_limits *l = &c->limits;
    struct need n = {0};

    needed(c, in, &n);
    return c->broker_count + n.brokers > l->brokers             ? "brokers"
           : c->topic_count + n.topics > l->topics              ? "topics"
           : c->partition_count + n.partitions > l->partitions  ? "partitions"
           : c->records_used + n.records > l->records           ? "records"
           : c->bytes_live + n.bytes > l->bytes                 ? "bytes"
           : c->requests_used + KL_SPARE_REQUESTS > l->requests ? "requests"
           : c->commands_used + n.commands > l->commands        ? "commands"
                                                                : NULL;
}

static bool has_packed_batch(const struct wire_fetch_response *r,
                             const struct wire_fetch_response_partition_response *p)
{
    const uint8_t *at = wire_data(r, p->record_set);
    size_t left = p->record_set.size > 0 ? (size_t)p->record_set.size : 0;
    struct wire_record_batch b;

    while (left > 0 && wire_record_batch_read(at, left, &b) == SM_ERR_OK) {
        if (b.codec != WIRE_CODEC_NONE) {
            return true;
        }
        at += b.size;
        left -= b.size;
    }
    return false;
}

/* How much a batch unpacks to is known when it is unpacked: the same room for all. */
static size_t room_to_unpack(const struct kl_input *in)
{
    const struct wire_fetch_response *r = in->message;

    if (in->kind != KL_IN_RESPONSE || in->api != WIRE_API_FETCH || r == NULL) {
        return 0;
    }
    const struct wire_fetch_response_response *topics =
        WIRE_ITEMS(r, r->responses, struct wire_fetch_response_response);
    for (int32_t i = 0; i < r->responses.count; i++) {
        const struct wire_fetch_response_partition_response *p = WIRE_ITEMS(
            r, topics[i].partition_responses, struct wire_fetch_response_partition_response);
        for (int32_t k = 0; k < topics[i].partition_responses.count; k++) {
            if (has_packed_batch(r, &p[k])) {
                return KL_UNPACK_ROOM;
            }
        }
    }
    return 0;
}

/* Twice a message that holds all that the client holds: the lower half for the message, or for what
   a batch is made of; the upper for a batch or a nested text in the message. */
size_t kl_scratch_needed(const struct kl_client *c, const struct kl_input *in)
{
    size_t headers = (c->headers_used + in->header_count) * sizeof(struct wire_log_header);

    return room_to_unpack(in) +
           2 * (16384 + headers + c->topic_count * (KL_TEXT + 128u) + c->partition_count * 160u +
                c->bytes_live + c->records_used * 96u + 2 * in->size);
}
