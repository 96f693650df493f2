#include "client_watch.h"

#include <stdlib.h>

#include "wire/messages.h"

static void note_request(void *context, int client, int node, int16_t api, const void *m)
{
    struct moments *of = context;
    (void)client;
    if (api != of->api || of->count == 256)
        return;
    of->at_us[of->count] = kdesk_now(of->k);
    of->node[of->count] = node;
    if (api == WIRE_API_METADATA)
        of->topics[of->count] = ((const struct wire_metadata_request *)m)->topics.count;
    of->count++;
}

struct moments *moments_of(struct kdesk *k, int16_t api)
{
    struct moments *of = calloc(1, sizeof *of);
    of->k = k;
    of->api = api;
    kdesk_on_request(k, note_request, of);
    return of;
}

bool was_asked_at(const struct moments *of, int64_t at_us)
{
    for (size_t i = 0; i < of->count; i++)
        if (of->at_us[i] >= at_us && of->at_us[i] <= at_us + MS)
            return true;
    return false;
}

/* The first item of an array in a message that may be changed. */
#define FIRST(message, array) ((void *)((uint8_t *)(message) + (array).at))

/* Where the error of an answer stands, that of its first partition; NULL where it names none. */
static int16_t *error_in(int16_t api, void *m)
{
    if (api == WIRE_API_FETCH) {
        struct wire_fetch_response *r = m;
        struct wire_fetch_response_response *t = FIRST(m, r->responses);
        struct wire_fetch_response_partition_response *p;
        if (r->responses.count == 0)
            return NULL;
        p = FIRST(m, t->partition_responses);
        return &p->error_code;
    }
    if (api == WIRE_API_LIST_OFFSETS) {
        struct wire_list_offsets_response *r = m;
        struct wire_list_offsets_response_topic *t = FIRST(m, r->topics);
        struct wire_list_offsets_response_partition *p = FIRST(m, t->partitions);
        return &p->error_code;
    }
    if (api == WIRE_API_ADD_PARTITIONS_TO_TXN) {
        struct wire_add_partitions_to_txn_response *r = m;
        struct wire_add_partitions_to_txn_response_topic_result *t = FIRST(m, r->results);
        struct wire_add_partitions_to_txn_response_partition_result *p = FIRST(m, t->results);
        return &p->error_code;
    }
    if (api == WIRE_API_PRODUCE) {
        struct wire_produce_response *r = m;
        struct wire_produce_response_response *t = FIRST(m, r->responses);
        struct wire_produce_response_partition_response *p = FIRST(m, t->partition_responses);
        return &p->error_code;
    }
    if (api == WIRE_API_OFFSET_COMMIT) {
        struct wire_offset_commit_response *r = m;
        struct wire_offset_commit_response_topic *t = FIRST(m, r->topics);
        struct wire_offset_commit_response_partition *p = FIRST(m, t->partitions);
        return &p->error_code;
    }
    if (api == WIRE_API_DELETE_TOPICS) {
        struct wire_delete_topics_response *r = m;
        struct wire_delete_topics_response_response *t = FIRST(m, r->responses);
        return &t->error_code;
    }
    if (api == WIRE_API_HEARTBEAT)
        return &((struct wire_heartbeat_response *)m)->error_code;
    ck_assert_int_eq(api, WIRE_API_END_TXN);
    return &((struct wire_end_txn_response *)m)->error_code;
}

static void forge(void *context, int client, int16_t api, void *m)
{
    struct forge *f = context;
    (void)client;
    int16_t *error = api != f->api || f->left == 0 ? NULL : error_in(api, m);
    if (error == NULL)
        return;
    *error = (int16_t)f->error;
    f->left--;
    f->first_us = f->first_us == 0 ? kdesk_now(f->k) : f->first_us;
}

struct forge *forge_next(struct kdesk *k, int16_t api, int error, int left)
{
    struct forge *f = calloc(1, sizeof *f);
    *f = (struct forge){.k = k, .api = api, .error = error, .left = left};
    kdesk_on_response(k, forge, f);
    return f;
}

struct ending call(struct kdesk *k, int client, enum kl_input_kind kind)
{
    uint64_t tag = kdesk_command(k, client, (struct kl_input){.kind = kind});
    for (int i = 0; i < 400 && kdesk_ending(k, client, tag) == NULL; i++)
        kdesk_run(k, 100 * MS);
    ck_assert_ptr_nonnull(kdesk_ending(k, client, tag));
    return *kdesk_ending(k, client, tag);
}

struct kdesk *three(void)
{
    struct kdesk *k = kdesk_new(3, 0);
    kdesk_topic(k, "t", 3, 1, 3, NULL);
    return k;
}

int client_of(struct kdesk *k, enum kl_kind kind)
{
    struct kl_config c = kl_config_default(kind);
    c.auto_offset_reset = KL_RESET_EARLIEST;
    return kdesk_client(k, &c);
}

int transactional(struct kdesk *k, const char *id)
{
    struct kl_config c = kl_config_default(KL_PRODUCER);
    c.transactional_id = id;
    return kdesk_client(k, &c);
}
