/*
 * One request in flight; the phase says which. Whatever ends a piece of work calls `next`, which
 * finds the next change to read, or lists again where the watch has fired meanwhile, or rests.
 *
 * Invariant: a request is in flight iff the phase is not IDLE; whenever it is IDLE a watch is armed
 * on /config/changes (by the last listing, or by the exists that found nothing).
 */
#include "node/config_watch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/settings.h"

#define PREFIX      "config_change_"
#define TOPICS      "topics/"
#define BROKERS     "brokers/"
#define UNCLEAN     "unclean.leader.election.enable"
#define MIN_ISR     "min.insync.replicas"
#define COMPRESSION "compression.type"

void kn_config_watch_init(struct kn_config_watch *w)
{
    memset(w, 0, sizeof(*w));
    w->last = -1;
}

bool kn_config_watch_is_idle(const struct kn_config_watch *w)
{
    return w->phase == KN_CONFIG_IDLE;
}

static struct kn_config_wish ask(struct kn_config_watch *w, enum kn_config_phase phase,
                                 enum wire_zk_opcode opcode, bool watch, const char *path,
                                 void *buffer)
{
    struct wire_zk_builder b;
    struct wire_zk_op op = {.opcode = (uint8_t)opcode,
                            .watch = watch,
                            .version = WIRE_ZK_ANY_VERSION,
                            .path_size = (uint32_t)strlen(path)};
    w->phase = phase;
    wire_zk_begin(&b, buffer, KN_CONFIG_REQUEST_MAX, ++w->xid, false);
    wire_zk_add(&b, op, path, NULL);
    const struct wire_zk_request *request = wire_zk_end(&b);
    assert(request != NULL);
    return (struct kn_config_wish){.request = request};
}

static struct kn_config_wish list(struct kn_config_watch *w, void *buffer)
{
    w->is_stale = false;
    return ask(w, KN_CONFIG_LIST, WIRE_ZK_GET_CHILDREN, true, SM_PATH_CONFIG_CHANGES, buffer);
}

static struct kn_config_wish next(struct kn_config_watch *w, void *buffer)
{
    char name[32], path[SM_PATH_MAX];
    if (w->pending_at < w->pending_count) {
        snprintf(name, sizeof(name), PREFIX "%010" PRId64, w->pending[w->pending_at]);
        sm_path_child(path, SM_PATH_CONFIG_CHANGES, name);
        return ask(w, KN_CONFIG_CHANGE, WIRE_ZK_GET_DATA, false, path, buffer);
    }
    if (w->is_stale)
        return list(w, buffer);
    w->phase = KN_CONFIG_IDLE;
    return (struct kn_config_wish){0};
}

static struct kn_config_wish done_with_change(struct kn_config_watch *w, void *buffer)
{
    w->last = w->pending[w->pending_at++];
    return next(w, buffer);
}

struct kn_config_wish kn_config_watch_begin(struct kn_config_watch *w, void *buffer)
{
    w->pending_count = w->pending_at = 0;
    return list(w, buffer);
}

struct kn_config_wish kn_config_watch_on_event(struct kn_config_watch *w, void *buffer)
{
    w->is_stale = true;
    return w->phase == KN_CONFIG_IDLE ? next(w, buffer) : (struct kn_config_wish){0};
}

/* Returns N of "config_change_N", or -1. */
static int64_t number_of(const char *name)
{
    char *end;
    if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0)
        return -1;
    long long n = strtoll(name + sizeof(PREFIX) - 1, &end, 10);
    return end == name + sizeof(PREFIX) - 1 || *end != '\0' || n < 0 ? -1 : (int64_t)n;
}

/* Keeps the smallest ones that fit, ascending. */
static void keep_pending(struct kn_config_watch *w, int64_t number)
{
    uint32_t at = w->pending_count;
    if (at == KN_CONFIG_PENDING_MAX) {
        w->is_stale = true;
        if (number > w->pending[at - 1])
            return;
        at--;
    } else {
        w->pending_count++;
    }
    for (; at > 0 && w->pending[at - 1] > number; at--)
        w->pending[at] = w->pending[at - 1];
    w->pending[at] = number;
}

static struct kn_config_wish on_list(struct kn_config_watch *w, const struct wire_zk_reply *reply,
                                     void *buffer)
{
    struct wire_zk_result_view v = {0};
    if (reply->err == WIRE_ZK_NO_NODE)
        return ask(w, KN_CONFIG_AWAIT_PARENT, WIRE_ZK_EXISTS, true, SM_PATH_CONFIG_CHANGES, buffer);
    w->pending_count = w->pending_at = 0;
    if (reply->err == WIRE_ZK_OK && wire_zk_result_next(reply, &v))
        for (const char *name = NULL; (name = wire_zk_name_next(&v, name)) != NULL;)
            if (number_of(name) > w->last)
                keep_pending(w, number_of(name));
    return next(w, buffer);
}

static struct kn_config_wish on_change(struct kn_config_watch *w, const struct wire_zk_reply *reply,
                                       void *buffer)
{
    struct wire_zk_result_view v = {0};
    char path[SM_PATH_MAX];
    if (reply->err != WIRE_ZK_OK || !wire_zk_result_next(reply, &v) ||
        sm_znode_decode_config_change((const char *)v.data, v.result->data_size, w->entity,
                                      sizeof(w->entity)) != SM_ERR_OK)
        return done_with_change(w, buffer);
    w->is_default = strcmp(w->entity, BROKERS "<default>") == 0;
    if (!w->is_default && strncmp(w->entity, TOPICS, sizeof(TOPICS) - 1) != 0) {
        struct kn_config_wish wish = done_with_change(w, buffer);
        if (strncmp(w->entity, BROKERS, sizeof(BROKERS) - 1) == 0)
            wish.broker = w->entity + sizeof(BROKERS) - 1;
        return wish;
    }
    sm_path_child(path, "/config", w->entity);
    return ask(w, KN_CONFIG_ENTITY, WIRE_ZK_GET_DATA, false, path, buffer);
}

enum { VALUE_MAX = 64 };

/* Whether a configuration has the key; its value in `value`, VALUE_MAX bytes. */
static bool has_value(const void *data, size_t size, const char *key, char *value)
{
    bool found = false;
    return sm_znode_config_get(data, size, key, value, VALUE_MAX, &found) == SM_ERR_OK && found;
}

struct kb_topic_config kn_topic_config(const void *data, size_t size)
{
    struct kb_topic_config config = {0};
    char value[VALUE_MAX] = "";
    if (has_value(data, size, MIN_ISR, value)) {
        long number = strtol(value, NULL, 10);
        config.min_insync = number < 1 || number > INT16_MAX ? 0 : (int32_t)number;
    }
    if (has_value(data, size, COMPRESSION, value))
        config.compression = (int32_t)kb_compression_of(value);
    for (uint32_t i = 0; kb_log_setting_name(i) != NULL; i++)
        if (has_value(data, size, kb_log_setting_name(i), value))
            kb_log_config_set(&config.log, i, value);
    return config;
}

static struct kn_config_wish on_entity(struct kn_config_watch *w, const struct wire_zk_reply *reply,
                                       void *buffer)
{
    struct wire_zk_result_view v = {0};
    struct kb_topic_config config = {0};
    char value[VALUE_MAX] = "";
    bool enabled = false;
    if (reply->err == WIRE_ZK_OK && wire_zk_result_next(reply, &v)) {
        enabled =
            has_value(v.data, v.result->data_size, UNCLEAN, value) && strcmp(value, "true") == 0;
        config = kn_topic_config(v.data, v.result->data_size);
    }
    struct kn_config_wish wish = done_with_change(w, buffer);
    wish.unclean_enabled = enabled;
    wish.topic = w->is_default ? NULL : w->entity + sizeof(TOPICS) - 1;
    wish.broker = w->is_default ? w->entity + sizeof(BROKERS) - 1 : NULL;
    wish.has_topic = !w->is_default;
    wish.config = config;
    return wish;
}

struct kn_config_wish kn_config_watch_on_reply(struct kn_config_watch *w,
                                               const struct wire_zk_reply *reply, void *buffer)
{
    if (reply->err == WIRE_ZK_SESSION_EXPIRED) {
        w->phase = KN_CONFIG_IDLE;
        return (struct kn_config_wish){0};
    }
    switch ((enum kn_config_phase)w->phase) {
    case KN_CONFIG_IDLE:
        return (struct kn_config_wish){0};
    case KN_CONFIG_LIST:
        return on_list(w, reply, buffer);
    case KN_CONFIG_AWAIT_PARENT:
        if (reply->err == WIRE_ZK_OK) /* made in between */
            return list(w, buffer);
        return next(w, buffer);
    case KN_CONFIG_CHANGE:
        return on_change(w, reply, buffer);
    case KN_CONFIG_ENTITY:
        return on_entity(w, reply, buffer);
    }
    return (struct kn_config_wish){0};
}
