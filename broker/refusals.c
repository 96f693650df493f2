/*
 * Requests to what this node does not have: groups, transactions, access control, tokens, quotas,
 * log directories. Each gets the answer that a broker of Kafka gives which leads no coordinator
 * partition and has neither an authorizer nor SASL configured.
 *
 * Source: Kafka KafkaApis, the handler named after each API; GroupCoordinator.validateGroupStatus,
 * TransactionCoordinator. Differs: quotas and SCRAM credentials are not kept: there are none to
 * describe, and changing them is refused (Kafka writes them to ZooKeeper). AlterIsr is for protocol
 * 2.7 and above, and refused.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "broker/state.h"

#define BEGIN(api_constant, head)                                                                  \
    struct wire_flat f;                                                                            \
    struct wire_##head *h = kb_answer_begin(t, &f, WIRE_API_##api_constant, sizeof *h)

/* Coordinators know of no group here; most of them want a group to have a name. */
static int16_t group_error(struct wire_string group)
{
    return group.size <= 0 ? WIRE_ERROR_INVALID_GROUP_ID : WIRE_ERROR_NOT_COORDINATOR;
}

static int16_t transaction_error(struct wire_string id)
{
    return id.size <= 0 ? WIRE_ERROR_INVALID_REQUEST : WIRE_ERROR_NOT_COORDINATOR;
}

static struct wire_string copy_of(struct wire_flat *f, const void *q, struct wire_string s)
{
    return s.size < 0 ? WIRE_NULL_STRING
                      : wire_flat_string_of(f, (const char *)q + s.at, (size_t)s.size);
}

/* ---- groups ---- */

static void join_group(struct kb_turn *t)
{
    const struct wire_join_group_request *q = t->in->message;
    BEGIN(JOIN_GROUP, join_group_response);
    h->error_code = group_error(q->group_id);
    h->member_id = copy_of(&f, q, q->member_id);
    if (t->in->version >= 7)
        h->protocol_name = WIRE_NULL_STRING;
    kb_answer_send(t, &f);
}

static void sync_group(struct kb_turn *t)
{
    const struct wire_sync_group_request *q = t->in->message;
    BEGIN(SYNC_GROUP, sync_group_response);
    h->error_code = t->in->version >= 5 && (q->protocol_type.size < 0 || q->protocol_name.size < 0)
                        ? WIRE_ERROR_INCONSISTENT_GROUP_PROTOCOL
                        : group_error(q->group_id);
    kb_answer_send(t, &f);
}

static void heartbeat(struct kb_turn *t)
{
    const struct wire_heartbeat_request *q = t->in->message;
    BEGIN(HEARTBEAT, heartbeat_response);
    h->error_code = group_error(q->group_id);
    kb_answer_send(t, &f);
}

static void leave_group(struct kb_turn *t)
{
    const struct wire_leave_group_request *q = t->in->message;
    BEGIN(LEAVE_GROUP, leave_group_response);
    h->error_code = group_error(q->group_id);
    kb_answer_send(t, &f);
}

static void describe_groups(struct kb_turn *t)
{
    const struct wire_describe_groups_request *q = t->in->message;
    const struct wire_string *group = WIRE_ITEMS(q, q->groups, struct wire_string);
    BEGIN(DESCRIBE_GROUPS, describe_groups_response);
    struct wire_describe_groups_response_group *g =
        kb_items(&f, &h->groups, q->groups.count < 0 ? 0 : q->groups.count,
                 &wire_layout_describe_groups_response_group);
    for (int32_t i = 0; i < h->groups.count; i++) {
        g[i].error_code = WIRE_ERROR_NOT_COORDINATOR;
        g[i].group_id = copy_of(&f, q, group[i]);
    }
    kb_answer_send(t, &f);
}

static void list_groups(struct kb_turn *t)
{
    BEGIN(LIST_GROUPS, list_groups_response);
    (void)h;
    kb_answer_send(t, &f);
}

static void delete_groups(struct kb_turn *t)
{
    const struct wire_delete_groups_request *q = t->in->message;
    const struct wire_string *group = WIRE_ITEMS(q, q->groups_names, struct wire_string);
    BEGIN(DELETE_GROUPS, delete_groups_response);
    struct wire_delete_groups_response_result *g =
        kb_items(&f, &h->results, q->groups_names.count < 0 ? 0 : q->groups_names.count,
                 &wire_layout_delete_groups_response_result);
    for (int32_t i = 0; i < h->results.count; i++) {
        g[i].error_code = WIRE_ERROR_NOT_COORDINATOR;
        g[i].group_id = copy_of(&f, q, group[i]);
    }
    kb_answer_send(t, &f);
}

static void offset_delete(struct kb_turn *t)
{
    const struct wire_offset_delete_request *q = t->in->message;
    BEGIN(OFFSET_DELETE, offset_delete_response);
    h->error_code = group_error(q->group_id);
    kb_answer_send(t, &f);
}

/* ---- transactions ---- */

static void add_offsets(struct kb_turn *t)
{
    const struct wire_add_offsets_to_txn_request *q = t->in->message;
    BEGIN(ADD_OFFSETS_TO_TXN, add_offsets_to_txn_response);
    h->error_code = transaction_error(q->transactional_id);
    kb_answer_send(t, &f);
}

static void end_txn(struct kb_turn *t)
{
    const struct wire_end_txn_request *q = t->in->message;
    BEGIN(END_TXN, end_txn_response);
    h->error_code = transaction_error(q->transactional_id);
    kb_answer_send(t, &f);
}

static void write_markers(struct kb_turn *t)
{
    typedef struct wire_write_txn_markers_request_marker marker;
    typedef struct wire_write_txn_markers_request_topic topic;
    const struct wire_write_txn_markers_request *q = t->in->message;
    const marker *m = WIRE_ITEMS(q, q->markers, marker);
    BEGIN(WRITE_TXN_MARKERS, write_txn_markers_response);
    struct wire_write_txn_markers_response_marker *out =
        kb_items(&f, &h->markers, q->markers.count < 0 ? 0 : q->markers.count,
                 &wire_layout_write_txn_markers_response_marker);
    for (int32_t i = 0; i < h->markers.count; i++) {
        const topic *from = WIRE_ITEMS(q, m[i].topics, topic);
        struct wire_write_txn_markers_response_topic *to = kb_items(
            &f, &out[i].topics, m[i].topics.count, &wire_layout_write_txn_markers_response_topic);
        out[i].producer_id = m[i].producer_id;
        for (int32_t k = 0; k < out[i].topics.count; k++) {
            to[k].name = copy_of(&f, q, from[k].name);
            struct wire_write_txn_markers_response_partition *p =
                kb_items(&f, &to[k].partitions, from[k].partition_indexes.count,
                         &wire_layout_write_txn_markers_response_partition);
            for (int32_t n = 0; n < to[k].partitions.count; n++) {
                p[n].partition_index = WIRE_ITEMS(q, from[k].partition_indexes, int32_t)[n];
                p[n].error_code = WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
            }
        }
    }
    kb_answer_send(t, &f);
}

/* ---- access ---- */

static const char *no_authorizer = "No Authorizer is configured on the broker";
static const char *no_authorizer_sentence = "No Authorizer is configured on the broker.";

static void describe_acls(struct kb_turn *t)
{
    BEGIN(DESCRIBE_ACLS, describe_acls_response);
    kb_say(&f, &h->error_code, &h->error_message, WIRE_ERROR_SECURITY_DISABLED, no_authorizer);
    kb_answer_send(t, &f);
}

static void create_acls(struct kb_turn *t)
{
    const struct wire_create_acls_request *q = t->in->message;
    BEGIN(CREATE_ACLS, create_acls_response);
    struct wire_create_acls_response_result *r =
        kb_items(&f, &h->results, q->creations.count < 0 ? 0 : q->creations.count,
                 &wire_layout_create_acls_response_result);
    for (int32_t i = 0; i < h->results.count; i++)
        kb_say(&f, &r[i].error_code, &r[i].error_message, WIRE_ERROR_SECURITY_DISABLED,
               no_authorizer_sentence);
    kb_answer_send(t, &f);
}

static void delete_acls(struct kb_turn *t)
{
    const struct wire_delete_acls_request *q = t->in->message;
    BEGIN(DELETE_ACLS, delete_acls_response);
    struct wire_delete_acls_response_filter_result *r =
        kb_items(&f, &h->filter_results, q->filters.count < 0 ? 0 : q->filters.count,
                 &wire_layout_delete_acls_response_filter_result);
    for (int32_t i = 0; i < h->filter_results.count; i++)
        kb_say(&f, &r[i].error_code, &r[i].error_message, WIRE_ERROR_SECURITY_DISABLED,
               no_authorizer_sentence);
    kb_answer_send(t, &f);
}

static void sasl_handshake(struct kb_turn *t)
{
    BEGIN(SASL_HANDSHAKE, sasl_handshake_response);
    h->error_code = WIRE_ERROR_ILLEGAL_SASL_STATE;
    kb_answer_send(t, &f);
}

static void sasl_authenticate(struct kb_turn *t)
{
    BEGIN(SASL_AUTHENTICATE, sasl_authenticate_response);
    kb_say(&f, &h->error_code, &h->error_message, WIRE_ERROR_ILLEGAL_SASL_STATE,
           "SaslAuthenticate request received after successful authentication");
    kb_answer_send(t, &f);
}

/* Tokens are for authenticated connections only. */
static void create_token(struct kb_turn *t)
{
    BEGIN(CREATE_DELEGATION_TOKEN, create_delegation_token_response);
    h->error_code = WIRE_ERROR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    h->principal_type = wire_flat_string(&f, "User");
    h->principal_name = wire_flat_string(&f, "ANONYMOUS");
    h->issue_timestamp_ms = h->expiry_timestamp_ms = h->max_timestamp_ms = -1;
    kb_answer_send(t, &f);
}

static void renew_token(struct kb_turn *t)
{
    BEGIN(RENEW_DELEGATION_TOKEN, renew_delegation_token_response);
    h->error_code = WIRE_ERROR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    h->expiry_timestamp_ms = -1;
    kb_answer_send(t, &f);
}

static void expire_token(struct kb_turn *t)
{
    BEGIN(EXPIRE_DELEGATION_TOKEN, expire_delegation_token_response);
    h->error_code = WIRE_ERROR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    h->expiry_timestamp_ms = -1;
    kb_answer_send(t, &f);
}

static void describe_token(struct kb_turn *t)
{
    BEGIN(DESCRIBE_DELEGATION_TOKEN, describe_delegation_token_response);
    h->error_code = WIRE_ERROR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    kb_answer_send(t, &f);
}

/* ---- log directories: there are none ---- */

static void describe_log_dirs(struct kb_turn *t)
{
    BEGIN(DESCRIBE_LOG_DIRS, describe_log_dirs_response);
    (void)h;
    kb_answer_send(t, &f);
}

static void alter_log_dirs(struct kb_turn *t)
{
    typedef struct wire_alter_replica_log_dirs_request_dir dir;
    typedef struct wire_alter_replica_log_dirs_request_topic topic;
    const struct wire_alter_replica_log_dirs_request *q = t->in->message;
    const dir *d = WIRE_ITEMS(q, q->dirs, dir);
    int32_t topics = 0, n = 0;
    BEGIN(ALTER_REPLICA_LOG_DIRS, alter_replica_log_dirs_response);
    for (int32_t i = 0; i < q->dirs.count; i++)
        topics += d[i].topics.count < 0 ? 0 : d[i].topics.count;
    struct wire_alter_replica_log_dirs_response_result *r =
        kb_items(&f, &h->results, topics, &wire_layout_alter_replica_log_dirs_response_result);
    for (int32_t i = 0; i < q->dirs.count; i++)
        for (int32_t k = 0; k < d[i].topics.count && n < h->results.count; k++, n++) {
            const topic *from = &WIRE_ITEMS(q, d[i].topics, topic)[k];
            r[n].topic_name = copy_of(&f, q, from->name);
            struct wire_alter_replica_log_dirs_response_partition *p =
                kb_items(&f, &r[n].partitions, from->partitions.count,
                         &wire_layout_alter_replica_log_dirs_response_partition);
            for (int32_t m = 0; m < r[n].partitions.count; m++) {
                p[m].partition_index = WIRE_ITEMS(q, from->partitions, int32_t)[m];
                p[m].error_code = WIRE_ERROR_LOG_DIR_NOT_FOUND;
            }
        }
    kb_answer_send(t, &f);
}

/* ---- what is not kept ---- */

static const char *no_quotas = "This node keeps no quotas.";
static const char *no_users = "This node keeps no SCRAM credentials.";

static bool is_quota_entity(const char *type)
{
    return strcmp(type, "user") == 0 || strcmp(type, "client-id") == 0 || strcmp(type, "ip") == 0;
}

static void describe_quotas(struct kb_turn *t)
{
    typedef struct wire_describe_client_quotas_request_component component;
    const struct wire_describe_client_quotas_request *q = t->in->message;
    const component *c = WIRE_ITEMS(q, q->components, component);
    char text[KB_TEXT_MAX];
    BEGIN(DESCRIBE_CLIENT_QUOTAS, describe_client_quotas_response);
    h->error_message = wire_flat_string(&f, "");
    for (int32_t i = 0; i < q->components.count; i++) {
        const char *type = wire_text(q, c[i].entity_type);
        if (is_quota_entity(type))
            continue;
        bool unnamed = type[0] == '\0';
        snprintf(text, sizeof text, "Custom entity type '%.900s' not supported", type);
        kb_say(&f, &h->error_code, &h->error_message,
               unnamed ? WIRE_ERROR_INVALID_REQUEST : WIRE_ERROR_UNSUPPORTED_VERSION,
               unnamed ? "Unexpected empty filter component entity type" : text);
        h->entries = WIRE_NULL_ARRAY;
        break;
    }
    kb_answer_send(t, &f);
}

/* Why Kafka would not keep it either, in `text`; NULL where it would. */
static const char *quota_fault(const char *type, char *text)
{
    if (is_quota_entity(type))
        return NULL;
    snprintf(text, KB_TEXT_MAX, "Unhandled client quota entity type: %.900s", type);
    return text;
}

static void alter_quotas(struct kb_turn *t)
{
    typedef struct wire_alter_client_quotas_request_entry entry;
    typedef struct wire_alter_client_quotas_request_entity entity;
    const struct wire_alter_client_quotas_request *q = t->in->message;
    const entry *e = WIRE_ITEMS(q, q->entries, entry);
    char text[KB_TEXT_MAX];
    BEGIN(ALTER_CLIENT_QUOTAS, alter_client_quotas_response);
    struct wire_alter_client_quotas_response_entry *out =
        kb_items(&f, &h->entries, q->entries.count < 0 ? 0 : q->entries.count,
                 &wire_layout_alter_client_quotas_response_entry);
    for (int32_t i = 0; i < h->entries.count; i++) {
        struct wire_alter_client_quotas_response_entity *to =
            kb_items(&f, &out[i].entity, e[i].entity.count,
                     &wire_layout_alter_client_quotas_response_entity);
        const char *fault = NULL;
        for (int32_t k = 0; k < out[i].entity.count; k++) {
            const entity *from = &WIRE_ITEMS(q, e[i].entity, entity)[k];
            if (fault == NULL)
                fault = quota_fault(wire_text(q, from->entity_type), text);
            to[k].entity_type = copy_of(&f, q, from->entity_type);
            to[k].entity_name = copy_of(&f, q, from->entity_name);
        }
        kb_say(&f, &out[i].error_code, &out[i].error_message, WIRE_ERROR_INVALID_REQUEST,
               fault != NULL ? fault : no_quotas);
    }
    kb_answer_send(t, &f);
}

static void describe_users(struct kb_turn *t)
{
    typedef struct wire_describe_user_scram_credentials_request_user user;
    const struct wire_describe_user_scram_credentials_request *q = t->in->message;
    const user *u = WIRE_ITEMS(q, q->users, user);
    char text[KB_TEXT_MAX];
    BEGIN(DESCRIBE_USER_SCRAM_CREDENTIALS, describe_user_scram_credentials_response);
    h->error_message = wire_flat_string(&f, "");
    struct wire_describe_user_scram_credentials_response_result *r =
        kb_items(&f, &h->results, q->users.count < 0 ? 0 : q->users.count,
                 &wire_layout_describe_user_scram_credentials_response_result);
    for (int32_t i = 0; i < h->results.count; i++) {
        snprintf(text, sizeof text,
                 "Attempt to describe a user credential that does not exist: %.900s",
                 wire_text(q, u[i].name));
        r[i].user = copy_of(&f, q, u[i].name);
        kb_say(&f, &r[i].error_code, &r[i].error_message, WIRE_ERROR_RESOURCE_NOT_FOUND,
               u[i].name.size == 0 ? "Username must not be empty" : text);
    }
    kb_answer_send(t, &f);
}

static void put_user(struct kb_turn *t, struct wire_flat *f,
                     struct wire_alter_user_scram_credentials_response_result *r,
                     struct wire_string name, bool deletes)
{
    bool active = t->in->is_controller;
    int32_t error = !active   ? WIRE_ERROR_NOT_CONTROLLER
                    : deletes ? WIRE_ERROR_RESOURCE_NOT_FOUND
                              : WIRE_ERROR_INVALID_REQUEST;
    r->user = copy_of(f, t->in->message, name);
    kb_say(f, &r->error_code, &r->error_message, error,
           !active   ? wire_error_text(error)
           : deletes ? "Attempt to delete a user credential that does not exist"
                     : no_users);
}

static void alter_users(struct kb_turn *t)
{
    typedef struct wire_alter_user_scram_credentials_request_upsertion upsertion;
    typedef struct wire_alter_user_scram_credentials_request_deletion deletion;
    const struct wire_alter_user_scram_credentials_request *q = t->in->message;
    int32_t more = q->upsertions.count < 0 ? 0 : q->upsertions.count;
    int32_t less = q->deletions.count < 0 ? 0 : q->deletions.count;
    BEGIN(ALTER_USER_SCRAM_CREDENTIALS, alter_user_scram_credentials_response);
    struct wire_alter_user_scram_credentials_response_result *r = kb_items(
        &f, &h->results, more + less, &wire_layout_alter_user_scram_credentials_response_result);
    for (int32_t i = 0; i < h->results.count; i++)
        put_user(t, &f, &r[i],
                 i < more ? WIRE_ITEMS(q, q->upsertions, upsertion)[i].name
                          : WIRE_ITEMS(q, q->deletions, deletion)[i - more].name,
                 i >= more);
    kb_answer_send(t, &f);
}

static void alter_isr(struct kb_turn *t)
{
    BEGIN(ALTER_ISR, alter_isr_response);
    h->error_code =
        t->in->is_controller ? WIRE_ERROR_UNSUPPORTED_VERSION : WIRE_ERROR_NOT_CONTROLLER;
    kb_answer_send(t, &f);
}

static void update_features(struct kb_turn *t)
{
    bool active = t->in->is_controller;
    int32_t error = active ? WIRE_ERROR_INVALID_REQUEST : WIRE_ERROR_NOT_CONTROLLER;
    BEGIN(UPDATE_FEATURES, update_features_response);
    kb_say(&f, &h->error_code, &h->error_message, error,
           active ? "Feature versioning system is disabled." : wire_error_text(error));
    kb_answer_send(t, &f);
}

void kb_begin_refusal(struct kb_turn *t)
{
    static const struct {
        int32_t api;
        kb_begin *answer;
    } rows[] = {
        {WIRE_API_JOIN_GROUP, join_group},
        {WIRE_API_SYNC_GROUP, sync_group},
        {WIRE_API_HEARTBEAT, heartbeat},
        {WIRE_API_LEAVE_GROUP, leave_group},
        {WIRE_API_DESCRIBE_GROUPS, describe_groups},
        {WIRE_API_LIST_GROUPS, list_groups},
        {WIRE_API_DELETE_GROUPS, delete_groups},
        {WIRE_API_OFFSET_DELETE, offset_delete},
        {WIRE_API_ADD_OFFSETS_TO_TXN, add_offsets},
        {WIRE_API_END_TXN, end_txn},
        {WIRE_API_WRITE_TXN_MARKERS, write_markers},
        {WIRE_API_DESCRIBE_ACLS, describe_acls},
        {WIRE_API_CREATE_ACLS, create_acls},
        {WIRE_API_DELETE_ACLS, delete_acls},
        {WIRE_API_SASL_HANDSHAKE, sasl_handshake},
        {WIRE_API_SASL_AUTHENTICATE, sasl_authenticate},
        {WIRE_API_CREATE_DELEGATION_TOKEN, create_token},
        {WIRE_API_RENEW_DELEGATION_TOKEN, renew_token},
        {WIRE_API_EXPIRE_DELEGATION_TOKEN, expire_token},
        {WIRE_API_DESCRIBE_DELEGATION_TOKEN, describe_token},
        {WIRE_API_DESCRIBE_LOG_DIRS, describe_log_dirs},
        {WIRE_API_ALTER_REPLICA_LOG_DIRS, alter_log_dirs},
        {WIRE_API_DESCRIBE_CLIENT_QUOTAS, describe_quotas},
        {WIRE_API_ALTER_CLIENT_QUOTAS, alter_quotas},
        {WIRE_API_DESCRIBE_USER_SCRAM_CREDENTIALS, describe_users},
        {WIRE_API_ALTER_USER_SCRAM_CREDENTIALS, alter_users},
        {WIRE_API_ALTER_ISR, alter_isr},
        {WIRE_API_UPDATE_FEATURES, update_features},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].api == t->in->api) {
            rows[i].answer(t);
            return;
        }
    assert(t->in->api < 0); /* a refusal without an answer */
}
