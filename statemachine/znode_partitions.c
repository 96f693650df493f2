/*
 * Lists of partitions, as notifications and admin requests hold them:
 *
 *     {"version":1,"partitions":[{"topic":T,"partition":p,"replicas":[..]},…]}
 *
 * Items are checked on opening and read one by one, in the order of the text. The same partition
 * may occur twice; which one counts is for the reader to say.
 *
 * Source: Kafka kafka.zk.IsrChangeNotificationSequenceZNode, ReassignPartitionsZNode,
 * PreferredReplicaElectionZNode.
 */
#include "statemachine/znode.h"

#include <assert.h>

#include "statemachine/json.h"
#include "statemachine/text.h"

static void read_topic(struct sm_json *j, struct sm_partition_item *item)
{
    struct sm_span value;
    size_t size;
    if (!sm_json_string(j, &value))
        return;
    enum sm_err err = sm_span_copy(&value, item->topic, sizeof item->topic, &size);
    if (err != SM_ERR_OK)
        sm_json_fail(j, err);
}

/* Consumes one item. Topic and partition must be there; a partition is never negative. */
static void read_item(struct sm_json *j, struct sm_partition_item *item)
{
    struct sm_span key;
    bool has_topic = false, has_partition = false;
    *item = (struct sm_partition_item){0};
    for (sm_json_object(j); sm_json_member(j, &key);) {
        if (sm_span_is(&key, "topic")) {
            read_topic(j, item);
            has_topic = true;
        } else if (sm_span_is(&key, "partition")) {
            has_partition = sm_json_int32(j, &item->partition);
        } else if (sm_span_is(&key, "replicas")) {
            item->has_replicas = sm_json_list(j, &item->replicas);
        } else {
            sm_json_skip(j);
        }
    }
    if (!has_topic || !has_partition)
        sm_json_fail(j, SM_ERR_SYNTAX);
    if (item->partition < 0)
        sm_json_fail(j, SM_ERR_RANGE);
}

enum sm_err sm_partitions_open(struct sm_partitions_reader *r, const char *bytes, size_t size)
{
    struct sm_json j = sm_json_begin(bytes, size);
    struct sm_span key;
    *r = (struct sm_partitions_reader){.bytes = bytes, .size = size};
    for (sm_json_object(&j); sm_json_member(&j, &key);) {
        if (!sm_span_is(&key, "partitions")) {
            sm_json_skip(&j);
            continue;
        }
        struct sm_partition_item item;
        if (sm_json_array(&j))
            r->at = (size_t)(j.at - bytes);
        while (sm_json_element(&j))
            read_item(&j, &item);
    }
    enum sm_err err = sm_json_end(&j);
    return err == SM_ERR_OK && r->at == 0 ? SM_ERR_SYNTAX : err;
}

bool sm_partitions_next(struct sm_partitions_reader *r, struct sm_partition_item *item)
{
    if (r->at == 0)
        return false;
    struct sm_json j = sm_json_begin(r->bytes + r->at, r->size - r->at);
    if (sm_json_peek(&j) == ',')
        j.at++;
    j.depth = 1;
    j.first = true;
    if (!sm_json_element(&j))
        return false;
    read_item(&j, item);
    assert(j.err == SM_ERR_OK);
    r->at = (size_t)(j.at - r->bytes);
    return true;
}

static struct sm_text resume_text(const struct sm_partitions_writer *w)
{
    return (struct sm_text){
        .out = w->out, .capacity = w->capacity, .size = w->size, .overflow = w->overflow};
}

static void keep_text(struct sm_partitions_writer *w, const struct sm_text *t)
{
    w->size = t->size;
    w->overflow = t->overflow;
}

void sm_partitions_writer_begin(struct sm_partitions_writer *w, char *out, size_t capacity)
{
    struct sm_text t = sm_text_begin(out, capacity);
    *w = (struct sm_partitions_writer){.out = out, .capacity = capacity};
    SM_TEXT(&t, "{\"version\":1,\"partitions\":[");
    keep_text(w, &t);
}

static void append_replicas(struct sm_text *t, const struct sm_list *replicas)
{
    SM_TEXT(t, ",\"replicas\":[");
    for (int32_t i = 0; i < replicas->count; i++) {
        if (i > 0)
            SM_TEXT(t, ",");
        sm_text_int(t, replicas->id[i]);
    }
    SM_TEXT(t, "]");
}

void sm_partitions_writer_item(struct sm_partitions_writer *w, const char *topic, int32_t partition,
                               const struct sm_list *replicas)
{
    struct sm_text t = resume_text(w);
    if (w->count++ > 0)
        SM_TEXT(&t, ",");
    SM_TEXT(&t, "{\"topic\":");
    sm_text_json_string(&t, topic);
    SM_TEXT(&t, ",\"partition\":");
    sm_text_int(&t, partition);
    if (replicas != NULL)
        append_replicas(&t, replicas);
    SM_TEXT(&t, "}");
    keep_text(w, &t);
}

size_t sm_partitions_writer_end(struct sm_partitions_writer *w)
{
    struct sm_text t = resume_text(w);
    SM_TEXT(&t, "]}");
    keep_text(w, &t);
    return sm_text_end(&t);
}
