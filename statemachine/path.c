/*
 * Paths of znodes, built and recognised. A path is recognised only in the form in which Kafka
 * builds it: "/brokers/ids/007" is no broker's.
 *
 * Source: Kafka kafka.zk.ZkData (PersistentZkPaths), org.apache.kafka.common.internals.Topic.
 */
#include "statemachine/znode.h"

#include <assert.h>
#include <string.h>

#include "statemachine/text.h"

_Static_assert(sizeof(SM_PATH_TOPICS "//partitions//state") + SM_TOPIC_NAME_MAX + 11 <= SM_PATH_MAX,
               "the longest path fits");

const char *const sm_persistent_paths[] = {
    "/consumers",
    "/brokers",
    "/brokers/ids",
    "/brokers/topics",
    "/config",
    "/config/changes",
    "/admin",
    "/admin/delete_topics",
    "/brokers/seqid",
    "/isr_change_notification",
    "/latest_producer_id_block",
    "/log_dir_event_notification",
    "/config/topics",
    "/config/clients",
    "/config/users",
    "/config/brokers",
    "/config/ips",
    NULL,
};

/* A path that does not fit is a mistake of the caller: names were checked when they came in. */
static int finish(struct sm_text *t)
{
    SM_TEXT(t, "\0");
    assert(!t->overflow);
    return (int)t->size - 1;
}

static struct sm_text begin(char *out, const char *parent)
{
    struct sm_text t = sm_text_begin(out, SM_PATH_MAX);
    sm_text_string(&t, parent);
    SM_TEXT(&t, "/");
    return t;
}

int sm_path_child(char *out, const char *parent, const char *name)
{
    struct sm_text t = begin(out, parent);
    sm_text_string(&t, name);
    return finish(&t);
}

int sm_path_topic(char *out, const char *topic)
{
    return sm_path_child(out, SM_PATH_TOPICS, topic);
}

int sm_path_topic_partitions(char *out, const char *topic)
{
    struct sm_text t = begin(out, SM_PATH_TOPICS);
    sm_text_string(&t, topic);
    SM_TEXT(&t, "/partitions");
    return finish(&t);
}

int sm_path_partition(char *out, const char *topic, int32_t partition)
{
    struct sm_text t = begin(out, SM_PATH_TOPICS);
    sm_text_string(&t, topic);
    SM_TEXT(&t, "/partitions/");
    sm_text_int(&t, partition);
    return finish(&t);
}

int sm_path_partition_state(char *out, const char *topic, int32_t partition)
{
    struct sm_text t = begin(out, SM_PATH_TOPICS);
    sm_text_string(&t, topic);
    SM_TEXT(&t, "/partitions/");
    sm_text_int(&t, partition);
    SM_TEXT(&t, "/state");
    return finish(&t);
}

int sm_path_broker(char *out, int32_t broker_id)
{
    struct sm_text t = begin(out, SM_PATH_BROKER_IDS);
    sm_text_int(&t, broker_id);
    return finish(&t);
}

int sm_path_config_topic(char *out, const char *topic)
{
    return sm_path_child(out, SM_PATH_CONFIG_TOPICS, topic);
}

int sm_path_delete_topic(char *out, const char *topic)
{
    return sm_path_child(out, SM_PATH_DELETE_TOPICS, topic);
}

/* Moves *path past `prefix` where it begins with it. */
static bool skip(const char **path, const char *prefix)
{
    size_t size = strlen(prefix);
    if (strncmp(*path, prefix, size) != 0)
        return false;
    *path += size;
    return true;
}

/* Takes one path segment that may be a topic. */
static bool take_topic(const char **path, char *topic)
{
    size_t size = strcspn(*path, "/");
    if (size == 0 || size > SM_TOPIC_NAME_MAX)
        return false;
    memcpy(topic, *path, size);
    topic[size] = '\0';
    *path += size;
    return true;
}

/* Takes a number 0..INT32_MAX as Kafka prints it: no sign, no zero in front. */
static bool take_id(const char **path, int32_t *id)
{
    const char *at = *path;
    int64_t n = 0;
    while (*at >= '0' && *at <= '9' && n <= INT32_MAX)
        n = n * 10 + (*at++ - '0');
    bool padded = **path == '0' && at - *path > 1;
    if (at == *path || padded || n > INT32_MAX)
        return false;
    *id = (int32_t)n;
    *path = at;
    return true;
}

bool sm_path_is_partition_state(const char *path, char *topic, int32_t *partition)
{
    return skip(&path, SM_PATH_TOPICS "/") && take_topic(&path, topic) &&
           skip(&path, "/partitions/") && take_id(&path, partition) && strcmp(path, "/state") == 0;
}

bool sm_path_is_topic(const char *path, char *topic)
{
    return skip(&path, SM_PATH_TOPICS "/") && take_topic(&path, topic) && *path == '\0';
}

bool sm_path_is_broker(const char *path, int32_t *broker_id)
{
    return skip(&path, SM_PATH_BROKER_IDS "/") && take_id(&path, broker_id) && *path == '\0';
}

static bool is_topic_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool sm_topic_name_is_legal(const char *topic, size_t size)
{
    if (size == 0 || size > SM_TOPIC_NAME_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!is_topic_char(topic[i]))
            return false;
    bool only_dots = topic[0] == '.' && (size == 1 || (size == 2 && topic[1] == '.'));
    return !only_dots;
}
