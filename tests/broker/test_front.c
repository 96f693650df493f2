/*
 * What a node without data answers, each request with what it ends in: success, and each error that
 * Kafka gives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front_batch.h"
#include "front_desk.h"

#define SECOND ((int64_t)1000000)

/* ---- finding the way ---- */

/*
 * Goal: a client hears of brokers, of the controller, and of each partition's leader.
 * Source: KafkaApis.handleTopicMetadataRequest.
 */
START_TEST(metadata_tells_brokers_and_leaders)
{
    struct front *f = front_new(NULL, 2);
    front_create_topics(f, 5, "t (0:1,2 1:2,1)", 1000, false);
    uint64_t call = front_metadata(f, 9, NULL);
    const char *said = front_said(f, call);
    ck_assert_ptr_nonnull(strstr(
        said, "\"brokers\":[{\"nodeId\":0,\"host\":\"localhost\",\"port\":9092,\"rack\":null},"
              "{\"nodeId\":1,\"host\":\"127.0.0.1\",\"port\":9093,\"rack\":null},"
              "{\"nodeId\":2,\"host\":\"127.0.0.1\",\"port\":9094,\"rack\":null}]"));
    ck_assert_ptr_nonnull(strstr(said, "\"controllerId\":0"));
    ck_assert_ptr_nonnull(
        strstr(said, "{\"errorCode\":0,\"name\":\"t\",\"isInternal\":false,\"partitions\":["
                     "{\"errorCode\":0,\"partitionIndex\":0,\"leaderId\":1,\"leaderEpoch\":0,"
                     "\"replicaNodes\":[1,"
                     "2],\"isrNodes\":[1,2],\"offlineReplicas\":[]},"
                     "{\"errorCode\":0,\"partitionIndex\":1,\"leaderId\":2,\"leaderEpoch\":0,"
                     "\"replicaNodes\":[2,"
                     "1],\"isrNodes\":[2,1],\"offlineReplicas\":[]}]"));
    front_free(f);
}
END_TEST

START_TEST(every_version_of_metadata_is_answered)
{
    struct front *f = front_new(NULL, 2);
    front_create_topics(f, 5, "t (0:1,2 1:2,1)", 1000, false);
    for (int16_t version = 0; version <= 11; version++) {
        ck_assert_ptr_nonnull(
            strstr(front_said(f, front_metadata(f, version, NULL)), "\"name\":\"t\""));
        ck_assert_ptr_nonnull(
            strstr(front_said(f, front_metadata(f, version, "t,x")), "\"errorCode\":3"));
    }
    front_free(f);
}
END_TEST

START_TEST(a_topic_that_is_not_there_is_unknown_and_a_bad_name_invalid)
{
    struct front *f = front_new(NULL, 1);
    uint64_t call = front_metadata(f, 1, "x,a b,x");
    ck_assert_ptr_nonnull(strstr(
        front_said(f, call),
        "\"topics\":[{\"errorCode\":3,\"name\":\"x\",\"isInternal\":false,\"partitions\":[]},"
        "{\"errorCode\":17,\"name\":\"a b\",\"isInternal\":false,\"partitions\":[]}]"));
    front_free(f);
}
END_TEST

START_TEST(a_partition_whose_leader_is_gone_has_none)
{
    struct front *f = front_new(NULL, 2);
    front_create_topics(f, 5, "t (0:1)", 1000, false);
    front_kill_broker(f, 1);
    ck_assert_ptr_nonnull(strstr(front_said(f, front_metadata(f, 7, "t")),
                                 "{\"errorCode\":5,\"partitionIndex\":0,\"leaderId\":-1,"
                                 "\"leaderEpoch\":1,\"replicaNodes\":[1],\"isrNodes\":[1],"
                                 "\"offlineReplicas\":[1]}"));
    /* version 0 leaves dead replicas out */
    ck_assert_ptr_nonnull(strstr(front_said(f, front_metadata(f, 0, "t")),
                                 "{\"errorCode\":5,\"partitionIndex\":0,\"leaderId\":-1,"
                                 "\"replicaNodes\":[],\"isrNodes\":[]}"));
    front_free(f);
}
END_TEST

START_TEST(the_cluster_gets_an_id_where_it_has_none)
{
    struct front *f = front_new(NULL, 0);
    const char *id = kb_broker_cluster_id(front_node(f)->broker);
    char znode[128];
    ck_assert_uint_eq(strlen(id), 22);
    snprintf(znode, sizeof znode, "{\"version\":\"1\",\"id\":\"%s\"}", id);
    ck_assert_str_eq(front_znode(f, "/cluster/id"), znode);
    front_free(f);
}
END_TEST

START_TEST(the_id_of_a_cluster_is_kept)
{
    struct front *f = front_cold(NULL);
    front_create(f, "/cluster", NULL);
    front_create(f, "/cluster/id", "{\"version\":\"1\",\"id\":\"abc-DEF_0123456789abcd\"}");
    front_start(f);
    ck_assert_str_eq(kb_broker_cluster_id(front_node(f)->broker), "abc-DEF_0123456789abcd");
    front_free(f);
}
END_TEST

static uint64_t find_coordinator(struct front *f, int16_t version, const char *key, int8_t type)
{
    struct wire_flat w;
    struct wire_find_coordinator_request *q = front_begin(f, &w, WIRE_API_FIND_COORDINATOR);
    q->key = wire_flat_string(&w, key);
    q->key_type = type;
    return front_send(f, &w, WIRE_API_FIND_COORDINATOR, version);
}

/*
 * Goal: whoever first asks for a coordinator makes the topic, only over nodes with data.
 * Source: KafkaApis.handleFindCoordinatorRequest, AutoTopicCreationManager.
 */
START_TEST(the_first_to_look_for_a_coordinator_makes_the_topic)
{
    struct front *f =
        front_new("offsets.topic.num.partitions=3\noffsets.topic.replication.factor=2", 2);
    uint64_t call = find_coordinator(f, 3, "g", 0);
    ck_said(f, call,
            "{\"throttleTimeMs\":0,\"errorCode\":15,\"errorMessage\":\"The coordinator is not "
            "available.\",\"nodeId\":-1,\"host\":\"\",\"port\":-1}");
    ck_assert_ptr_nonnull(strstr(front_znode(f, "/config/topics/__consumer_offsets"),
                                 "\"cleanup.policy\":\"compact\""));
    ck_assert_ptr_null(strstr(front_znode(f, "/brokers/topics/__consumer_offsets"), "[0"));
    call = find_coordinator(f, 1, "g", 0); /* "g".hashCode() % 3 = 103 % 3 = 1 */
    const char *said = front_said(f, call);
    ck_assert_ptr_nonnull(strstr(said, "\"errorCode\":0,\"errorMessage\":\"NONE\""));
    ck_assert_ptr_null(strstr(said, "\"nodeId\":0"));
    front_free(f);
}
END_TEST

/*
 * Goal: a node whose own offsets.topic.num.partitions is not what the topic was made with still names the
 * coordinator; it used to say for ever that there is none, and admin clients that had asked it gave up.
 * Source: GroupMetadataManager.getGroupMetadataTopicPartitionCount.
 */
START_TEST(a_coordinator_is_found_by_the_partitions_that_there_are)
{
    struct front *f = front_new("offsets.topic.num.partitions=50", 2);
    front_create_topics(f, 4, "__consumer_offsets (0:1,2 1:2,1 2:1,2)", 1000, false);
    const char *said = front_said(f, find_coordinator(f, 1, "g", 0)); /* 103 % 3 = 1 */
    ck_assert_ptr_nonnull(strstr(said, "\"errorCode\":0,\"errorMessage\":\"NONE\""));
    ck_assert_ptr_nonnull(strstr(said, "\"nodeId\":2"));
    front_free(f);
}
END_TEST

START_TEST(api_versions_lists_what_is_served)
{
    struct front *f = front_new(NULL, 0);
    struct wire_flat w;
    struct wire_api_versions_request *q = front_begin(f, &w, WIRE_API_API_VERSIONS);
    q->client_software_name = wire_flat_string(&w, "kcat");
    q->client_software_version = wire_flat_string(&w, "1.7.1");
    const char *said = front_said(f, front_send(f, &w, WIRE_API_API_VERSIONS, 3));
    ck_assert_ptr_nonnull(strstr(said, "{\"apiKey\":3,\"minVersion\":0,\"maxVersion\":11}"));
    ck_assert_ptr_nonnull(strstr(said, "{\"apiKey\":0,\"minVersion\":0,\"maxVersion\":9}"));
    q = front_begin(f, &w, WIRE_API_API_VERSIONS);
    q->client_software_name = wire_flat_string(&w, "-kcat");
    q->client_software_version = wire_flat_string(&w, "1");
    said = front_said(f, front_send(f, &w, WIRE_API_API_VERSIONS, 3));
    ck_assert_ptr_nonnull(strstr(said, "\"errorCode\":42,\"apiKeys\":[]"));
    front_free(f);
}
END_TEST

/* ---- topics ---- */

/*
 * Goal: a topic is there when the answer says so, and its leaders are known.
 * Source: ZkAdminManager.createTopics, DelayedCreatePartitions.
 */
START_TEST(a_created_topic_is_answered_when_it_has_leaders)
{
    struct front *f = front_new(NULL, 3);
    uint64_t call = front_create_topics(f, 4, "t (0:1,2 1:2,3) {retention.ms=5}", 1000, false);
    ck_said(f, call,
            "{\"throttleTimeMs\":0,\"topics\":[{\"name\":\"t\",\"errorCode\":0,\"errorMessage\":"
            "null}]}");
    ck_assert_str_eq(front_znode(f, "/config/topics/t"),
                     "{\"version\":1,\"config\":{\"retention.ms\":\"5\"}}");
    ck_assert_str_eq(front_znode(f, "/brokers/topics/t"),
                     "{\"partitions\":{\"0\":[1,2],\"1\":[2,3]},\"adding_replicas\":{},\"removing_"
                     "replicas\":{},\"version\":3}");
    front_free(f);
}
END_TEST

START_TEST(replicas_are_never_chosen_on_a_node_without_data)
{
    struct front *f = front_new(NULL, 2);
    front_broker(f, 3, "", true);
    front_create_topics(f, 4, "t 20 2", 1000, false);
    const char *znode = front_znode(f, "/brokers/topics/t");
    ck_assert_ptr_null(strstr(znode, "[0"));
    ck_assert_ptr_null(strstr(znode, ",0]"));
    ck_assert_ptr_null(strstr(znode, "[3"));
    ck_assert_ptr_null(strstr(znode, ",3]"));
    ck_said(f, front_create_topics(f, 4, "u 1 3", 1000, false),
            "{\"throttleTimeMs\":0,\"topics\":[{\"name\":\"u\",\"errorCode\":38,\"errorMessage\":"
            "\"Replication factor: 3 larger than available brokers: 2.\"}]}");
    ck_said(f, front_create_topics(f, 4, "u (0:1,0)", 1000, false),
            "{\"throttleTimeMs\":0,\"topics\":[{\"name\":\"u\",\"errorCode\":39,\"errorMessage\":"
            "\"Replicas cannot be placed on node 0, which is a controller without data.\"}]}");
    ck_said(f, front_create_topics(f, 4, "u (0:3)", 1000, false),
            "{\"throttleTimeMs\":0,\"topics\":[{\"name\":\"u\",\"errorCode\":39,\"errorMessage\":"
            "\"Replicas cannot be placed on node 3, which is a controller without data.\"}]}");
    front_free(f);
}
END_TEST

static const struct {
    const char *topic, *says;
} refused[] = {
    {"t 1 1", "\"errorCode\":36,\"errorMessage\":\"Topic 't' already exists.\""},
    {"a.b 1 1", "\"errorCode\":17,\"errorMessage\":\"Topic 'a.b' collides with existing topics: "
                "a_b\""},
    {"x 0 1", "\"errorCode\":37,\"errorMessage\":\"Number of partitions must be larger than 0.\""},
    {"x 1 0", "\"errorCode\":38,\"errorMessage\":\"Replication factor must be larger than 0.\""},
    {"x 1 4",
     "\"errorCode\":38,\"errorMessage\":\"Replication factor: 4 larger than available brokers: "
     "3.\""},
    {"'..' 1 1", "\"errorCode\":17,\"errorMessage\":\"Topic name cannot be \\\".\\\" or "
                 "\\\"..\\\"\""},
    {"'' 1 1", "\"errorCode\":17,\"errorMessage\":\"Topic name is illegal, it can't be empty\""},
    {"a+b 1 1",
     "\"errorCode\":17,\"errorMessage\":\"Topic name \\\"a+b\\\" is illegal, it contains a "
     "character other than ASCII alphanumerics, '.', '_' and '-'\""},
    {"x (0:1 2:1)", "\"errorCode\":39,\"errorMessage\":\"partitions should be a consecutive "
                    "0-based integer sequence\""},
    {"x (0:1,2 1:1)", "\"errorCode\":39,\"errorMessage\":\"All partitions should have the same "
                      "number of replicas\""},
    {"x (0:1,1)", "\"errorCode\":39,\"errorMessage\":\"Duplicate replica assignment found: "},
    {"x 1 1 {no.such=1}", "\"errorCode\":40,\"errorMessage\":\"Unknown topic config name: "
                          "no.such\""},
    {"x 1 1 {segment.bytes=13}",
     "\"errorCode\":40,\"errorMessage\":\"Invalid value 13 for configuration segment.bytes: Value "
     "must be at least 14\""},
    {"x 1 1 {segment.bytes=one}",
     "\"errorCode\":40,\"errorMessage\":\"Invalid value one for configuration segment.bytes: Not a "
     "number of type INT\""},
    {"x 1 1 {cleanup.policy=delete,keep}",
     "\"errorCode\":40,\"errorMessage\":\"Invalid value keep for configuration cleanup.policy: "
     "String must be one of: compact, delete\""},
    {"x 1 1 {min.cleanable.dirty.ratio=2}",
     "\"errorCode\":40,\"errorMessage\":\"Invalid value 2.0 for configuration "
     "min.cleanable.dirty.ratio: Value must be no more than 1\""},
    {"x 1 1 {preallocate=yes}",
     "\"errorCode\":40,\"errorMessage\":\"Invalid value yes for configuration preallocate: "
     "Expected value to be either true or false\""},
    {"x 1 1 {min.compaction.lag.ms=9|max.compaction.lag.ms=5}",
     "\"errorCode\":40,\"errorMessage\":\"conflict topic config setting min.compaction.lag.ms (9) "
     "> max.compaction.lag.ms (5)\""},
    {"x 1 1 {retention.ms=~}", "\"errorCode\":42,\"errorMessage\":\"Null value not supported for "
                               "topic configs : retention.ms\""},
    {"x 300000 3", "\"errorCode\":37,\"errorMessage\":\"The topic would not fit into a znode (1 "
                   "MB)\""},
};

START_TEST(a_topic_that_cannot_be_is_refused_with_kafkas_words)
{
    struct front *f = front_new(NULL, 3);
    front_create_topics(f, 4, "t (0:1);a_b (0:1)", 1000, false);
    const char *said = front_said(f, front_create_topics(f, 4, refused[_i].topic, 1000, false));
    if (strstr(said, refused[_i].says) == NULL)
        ck_abort_msg("%s: %s", refused[_i].topic, said);
    front_free(f);
}
END_TEST

START_TEST(numbers_and_lists_exclude_each_other)
{
    struct front *f = front_new(NULL, 3);
    struct wire_flat w;
    struct wire_create_topics_request *q = front_begin(f, &w, WIRE_API_CREATE_TOPICS);
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_create_topics_request_topic));
    struct wire_create_topics_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, "t");
    t->num_partitions = 1;
    t->replication_factor = -1;
    t->assignments = wire_flat_array(&w, 1, sizeof(struct wire_create_topics_request_assignment));
    ck_assert_ptr_nonnull(
        strstr(front_said(f, front_send(f, &w, WIRE_API_CREATE_TOPICS, 4)),
               "\"errorCode\":42,\"errorMessage\":\"Both numPartitions or replicationFactor and "
               "replicasAssignments were set. Both cannot be used at the same time.\""));
    front_free(f);
}
END_TEST

START_TEST(the_same_topic_twice_is_refused_twice)
{
    struct front *f = front_new(NULL, 3);
    ck_said(f, front_create_topics(f, 4, "t 1 1;u 1 1;t 1 1", 1000, false),
            "{\"throttleTimeMs\":0,\"topics\":["
            "{\"name\":\"t\",\"errorCode\":42,\"errorMessage\":\"Found multiple entries for this "
            "topic.\"},"
            "{\"name\":\"u\",\"errorCode\":0,\"errorMessage\":null},"
            "{\"name\":\"t\",\"errorCode\":42,\"errorMessage\":\"Found multiple entries for this "
            "topic.\"}]}");
    front_free(f);
}
END_TEST

START_TEST(to_validate_writes_nothing)
{
    struct front *f = front_new(NULL, 3);
    const char *said =
        front_said(f, front_create_topics(f, 5, "t 2 -1 {retention.ms=7}", 1000, true));
    ck_assert_ptr_nonnull(strstr(said, "\"errorCode\":0"));
    ck_assert_ptr_nonnull(strstr(said, "\"numPartitions\":2,\"replicationFactor\":1"));
    ck_assert_ptr_nonnull(strstr(said, "{\"name\":\"retention.ms\",\"value\":\"7\",\"readOnly\":"
                                       "false,\"configSource\":1,\"isSensitive\":false}"));
    ck_assert_ptr_nonnull(strstr(said, "{\"name\":\"segment.bytes\",\"value\":\"1073741824\","
                                       "\"readOnly\":false,\"configSource\":5,\"isSensitive\":"
                                       "false}"));
    ck_assert_str_eq(front_znode(f, "/brokers/topics/t"), "(none)");
    ck_assert_str_eq(front_znode(f, "/config/topics/t"), "(none)");
    front_free(f);
}
END_TEST

/*
 * Goal: brokers that do not answer delay nothing for ever: at the deadline the client is told, and
 *       the topic is there nevertheless.
 * Source: DelayedCreatePartitions.onComplete.
 */
START_TEST(leaders_that_do_not_come_time_out)
{
    struct front *f = front_new(NULL, 2);
    uint64_t at_once = front_create_topics(f, 4, "a (0:1)", 0, false);
    ck_said(f, at_once,
            "{\"throttleTimeMs\":0,\"topics\":[{\"name\":\"a\",\"errorCode\":7,\"errorMessage\":"
            "null}]}");
    /* nobody lives who could lead */
    uint64_t call = front_create_topics(f, 4, "t (0:9)", 3000, false);
    ck_said(f, call, "(waits)");
    front_advance(f, 2 * SECOND);
    ck_said(f, call, "(waits)");
    front_advance(f, 2 * SECOND);
    ck_said(f, call,
            "{\"throttleTimeMs\":0,\"topics\":[{\"name\":\"t\",\"errorCode\":7,\"errorMessage\":"
            "null}]}");
    ck_assert_str_ne(front_znode(f, "/brokers/topics/t"), "(none)");
    ck_assert_int_eq(front_answers(f, call), 1);
    front_free(f);
}
END_TEST

START_TEST(a_client_that_has_gone_is_not_answered)
{
    struct front *f = front_new(NULL, 2);
    uint64_t call = front_create_topics(f, 4, "t (0:9)", 3000, false);
    front_drop(f, call);
    front_advance(f, 5 * SECOND);
    ck_assert_int_eq(front_answers(f, call), 0);
    ck_assert(kb_broker_is_quiet(front_node(f)->broker));
    front_free(f);
}
END_TEST

START_TEST(another_controller_is_said_to_be_needed)
{
    struct front *f = front_new(NULL, 2);
    front_steal_controller(f);
    ck_said(f, front_create_topics(f, 4, "t 1 1", 1000, false),
            "{\"throttleTimeMs\":0,\"topics\":[{\"name\":\"t\",\"errorCode\":41,\"errorMessage\":"
            "\"\"}]}");
    front_free(f);
}
END_TEST

static uint64_t delete_topics(struct front *f, int16_t version, const char *name,
                              int32_t timeout_ms)
{
    struct wire_flat w;
    struct wire_delete_topics_request *q = front_begin(f, &w, WIRE_API_DELETE_TOPICS);
    q->timeout_ms = timeout_ms;
    if (version < 6) {
        q->topic_names = wire_flat_array(&w, 1, sizeof(struct wire_string));
        *(struct wire_string *)wire_flat_at(&w, q->topic_names.at) = wire_flat_string(&w, name);
    } else {
        q->topics = wire_flat_array(&w, 1, sizeof(struct wire_delete_topics_request_topic));
        struct wire_delete_topics_request_topic *t = wire_flat_at(&w, q->topics.at);
        t->name = wire_flat_string(&w, name);
        if (name == NULL)
            t->topic_id.byte[3] = 1;
    }
    return front_send(f, &w, WIRE_API_DELETE_TOPICS, version);
}

START_TEST(a_deleted_topic_is_gone_when_the_answer_says_so)
{
    struct front *f = front_new(NULL, 2);
    front_create_topics(f, 4, "t (0:1,2);u (0:1)", 1000, false);
    ck_said(f, delete_topics(f, 5, "t", 5000),
            "{\"throttleTimeMs\":0,\"responses\":[{\"name\":\"t\",\"errorCode\":0,\"errorMessage\":"
            "null}]}");
    ck_assert_str_eq(front_znode(f, "/brokers/topics/t"), "(none)");
    ck_said(f, delete_topics(f, 1, "t", 5000),
            "{\"throttleTimeMs\":0,\"responses\":[{\"name\":\"t\",\"errorCode\":3}]}");
    ck_assert_ptr_nonnull(
        strstr(front_said(f, delete_topics(f, 6, NULL, 5000)), "\"errorCode\":100"));
    ck_assert_ptr_nonnull(strstr(front_said(f, delete_topics(f, 6, "u", 5000)), "\"errorCode\":0"));
    front_free(f);
}
END_TEST

START_TEST(a_deletion_that_the_controller_does_not_begin_times_out)
{
    struct front *f = front_new(NULL, 2);
    front_create_topics(f, 4, "t (0:1,2)", 1000, false);
    front_block(f, true);
    uint64_t call = delete_topics(f, 4, "t", 1000);
    ck_said(f, call, "(waits)");
    uint64_t second = delete_topics(f, 4, "t", 1000); /* its mark is there: waits too */
    front_advance(f, 2 * SECOND);
    ck_said(f, call, "{\"throttleTimeMs\":0,\"responses\":[{\"name\":\"t\",\"errorCode\":7}]}");
    ck_said(f, second, "{\"throttleTimeMs\":0,\"responses\":[{\"name\":\"t\",\"errorCode\":7}]}");
    front_free(f);
}
END_TEST

START_TEST(deletion_can_be_switched_off)
{
    struct front *f = front_new("delete.topic.enable=false", 1);
    front_create_topics(f, 4, "t (0:1)", 1000, false);
    ck_assert_ptr_nonnull(strstr(front_said(f, delete_topics(f, 3, "t", 9)), "\"errorCode\":73"));
    ck_assert_ptr_nonnull(strstr(front_said(f, delete_topics(f, 2, "t", 9)), "\"errorCode\":42"));
    front_free(f);
}
END_TEST

/* `lists`: "1,2;2,3" or NULL */
static uint64_t create_partitions(struct front *f, const char *name, int32_t count,
                                  const char *lists, int32_t timeout_ms, bool validate_only)
{
    struct wire_flat w;
    struct wire_create_partitions_request *q = front_begin(f, &w, WIRE_API_CREATE_PARTITIONS);
    q->timeout_ms = timeout_ms;
    q->validate_only = validate_only;
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_create_partitions_request_topic));
    struct wire_create_partitions_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, name);
    t->count = count;
    t->assignments = WIRE_NULL_ARRAY;
    if (lists != NULL) {
        int32_t n = 1;
        for (const char *p = lists; *p != '\0'; p++)
            n += *p == ';';
        t->assignments =
            wire_flat_array(&w, n, sizeof(struct wire_create_partitions_request_assignment));
        for (int32_t i = 0; i < n; i++) {
            int32_t ids[16], k = 0;
            while (*lists != ';' && *lists != '\0') {
                ids[k++] = (int32_t)strtol(lists, (char **)(uintptr_t)&lists, 10);
                lists += *lists == ',';
            }
            lists += *lists == ';';
            if (k > 0)
                ((struct wire_create_partitions_request_assignment *)wire_flat_at(
                     &w, t->assignments.at) +
                 i)
                    ->broker_ids = wire_flat_ids(&w, ids, k);
        }
    }
    return front_send(f, &w, WIRE_API_CREATE_PARTITIONS, 2);
}

START_TEST(a_topic_grows_where_its_first_partition_ended)
{
    struct front *f = front_new(NULL, 3);
    front_create_topics(f, 4, "t (0:2,3)", 1000, false);
    ck_said(f, create_partitions(f, "t", 4, NULL, 1000, false),
            "{\"throttleTimeMs\":0,\"results\":[{\"name\":\"t\",\"errorCode\":0,\"errorMessage\":"
            "null}]}");
    /* AdminUtils: brokers 1,2,3, start and shift 1, from partition 1 on */
    ck_assert_str_eq(front_znode(f, "/brokers/topics/t"),
                     "{\"partitions\":{\"0\":[2,3],\"1\":[3,2],\"2\":[1,3],\"3\":[2,3]},\"adding_"
                     "replicas\":{},\"removing_replicas\":{},\"version\":3}");
    front_free(f);
}
END_TEST

static const struct {
    const char *topic;
    int32_t count;
    const char *lists, *says;
} not_grown[] = {
    {"t", 2, NULL, "\"errorCode\":37,\"errorMessage\":\"Topic already has 2 partitions.\""},
    {"t", 1, NULL,
     "\"errorCode\":37,\"errorMessage\":\"Topic currently has 2 partitions, which is higher than "
     "the requested 1.\""},
    {"x", 1, NULL, "\"errorCode\":3,\"errorMessage\":\"The topic 'x' does not exist.\""},
    {"t", 3, "7",
     "\"errorCode\":39,\"errorMessage\":\"Unknown broker(s) in replica assignment: 7.\""},
    {"t", 4, "1,2",
     "\"errorCode\":39,\"errorMessage\":\"Increasing the number of partitions by 2 but 1 "
     "assignments provided.\""},
    {"t", 3, "1,1",
     "\"errorCode\":39,\"errorMessage\":\"Duplicate brokers not allowed in replica assignment: 1, "
     "1 for partition id 2.\""},
    {"t", 3, "",
     "\"errorCode\":39,\"errorMessage\":\"Cannot have replication factor of 0 for partition id "
     "2.\""},
    {"t", 4, "1,2;3",
     "\"errorCode\":39,\"errorMessage\":\"Inconsistent replication factor between partitions, "
     "partition 0 has 2 while partitions [3] have replication factors [1], respectively.\""},
    {"t", 3, "1,0",
     "\"errorCode\":39,\"errorMessage\":\"Replicas cannot be placed on node 0, which is a "
     "controller without data.\""},
    {"gone", 3, NULL, "\"errorCode\":17,\"errorMessage\":\"The topic is queued for deletion.\""},
};

START_TEST(a_topic_that_cannot_grow_is_refused_with_kafkas_words)
{
    struct front *f = front_new(NULL, 3);
    front_create_topics(f, 4, "t (0:1,2 1:2,3);gone (0:3)", 1000, false);
    front_kill_broker(f, 3);
    front_create(f, "/admin/delete_topics/gone", NULL);
    front_run(f);
    front_broker(f, 4, "", false);
    front_broker(f, 3, "", false);
    const char *said = front_said(f, create_partitions(f, not_grown[_i].topic, not_grown[_i].count,
                                                       not_grown[_i].lists, 1000, false));
    bool is_gone = _i == 9 && strstr(said, "does not exist") != NULL; /* deleted by now */
    if (!is_gone && strstr(said, not_grown[_i].says) == NULL)
        ck_abort_msg("%s", said);
    front_free(f);
}
END_TEST

static void reassign_meanwhile(struct front *f)
{
    front_set(
        f, "/brokers/topics/t",
        "{\"partitions\":{\"0\":[1,2,3]},\"adding_replicas\":{\"0\":[3]},\"removing_replicas\":"
        "{},\"version\":3}");
}

/*
 * Goal: a znode that changes between read and write is read again, not overwritten.
 * Differs: Kafka writes it without a version.
 */
START_TEST(what_the_controller_writes_meanwhile_is_not_lost)
{
    struct front *f = front_new(NULL, 3);
    front_create_topics(f, 4, "t (0:1,2)", 1000, false);
    front_before(f, "/brokers/topics/t", 2, reassign_meanwhile);
    uint64_t call = create_partitions(f, "t", 2, NULL, 1000, false);
    ck_said(f, call,
            "{\"throttleTimeMs\":0,\"results\":[{\"name\":\"t\",\"errorCode\":60,\"errorMessage\":"
            "\"A partition reassignment is in progress for the topic 't'.\"}]}");
    front_free(f);
}
END_TEST

START_TEST(topics_that_are_asked_for_are_made_where_that_is_on)
{
    struct front *f = front_new("auto.create.topics.enable=true\nnum.partitions=2", 2);
    const char *said = front_said(f, front_metadata(f, 4, "new,b+d"));
    ck_assert_ptr_nonnull(strstr(said, "{\"errorCode\":5,\"name\":\"new\""));
    ck_assert_ptr_nonnull(strstr(said, "{\"errorCode\":17,\"name\":\"b+d\""));
    ck_assert_ptr_nonnull(
        strstr(front_said(f, front_metadata(f, 4, "new")), "{\"errorCode\":0,\"name\":\"new\""));
    front_free(f);
}
END_TEST

/* ---- what the controller is asked ---- */

static uint64_t elect(struct front *f, int16_t version, int8_t type, const char *topic,
                      int32_t partition, int32_t timeout_ms)
{
    struct wire_flat w;
    struct wire_elect_leaders_request *q = front_begin(f, &w, WIRE_API_ELECT_LEADERS);
    q->election_type = type;
    q->timeout_ms = timeout_ms;
    q->topic_partitions = WIRE_NULL_ARRAY;
    if (topic != NULL) {
        q->topic_partitions =
            wire_flat_array(&w, 1, sizeof(struct wire_elect_leaders_request_topic_partition));
        struct wire_elect_leaders_request_topic_partition *t =
            wire_flat_at(&w, q->topic_partitions.at);
        t->topic = wire_flat_string(&w, topic);
        t->partition_id = wire_flat_ids(&w, &partition, 1);
    }
    return front_send(f, &w, WIRE_API_ELECT_LEADERS, version);
}

START_TEST(an_election_is_answered_when_the_cache_shows_the_leader)
{
    struct front *f = front_new(NULL, 2);
    front_create_topics(f, 4, "t (0:1,2)", 1000, false);
    ck_said(f, elect(f, 2, 0, "t", 0, 1000),
            "{\"throttleTimeMs\":0,\"errorCode\":0,\"replicaElectionResults\":[{\"topic\":\"t\","
            "\"partitionResult\":[{\"partitionId\":0,\"errorCode\":84,\"errorMessage\":\"Leader "
            "election not needed for topic partition.\"}]}]}");
    ck_said(f, elect(f, 2, 0, NULL, 0, 1000),
            "{\"throttleTimeMs\":0,\"errorCode\":0,\"replicaElectionResults\":[]}");
    ck_said(f, elect(f, 1, 0, "x", 3, 1000),
            "{\"throttleTimeMs\":0,\"errorCode\":0,\"replicaElectionResults\":[{\"topic\":\"x\","
            "\"partitionResult\":[{\"partitionId\":3,\"errorCode\":3,\"errorMessage\":\"The "
            "partition does not exist.\"}]}]}");
    front_kill_broker(f, 1);
    front_broker(f, 1, "", false);
    front_set(
        f, "/brokers/topics/t/partitions/0/state",
        "{\"controller_epoch\":1,\"leader\":2,\"version\":1,\"leader_epoch\":1,\"isr\":[2,1]}");
    ck_said(f, elect(f, 2, 0, "t", 0, 1000),
            "{\"throttleTimeMs\":0,\"errorCode\":0,\"replicaElectionResults\":[{\"topic\":\"t\","
            "\"partitionResult\":[{\"partitionId\":0,\"errorCode\":0,\"errorMessage\":null}]}]}");
    front_free(f);
}
END_TEST

static uint64_t reassign(struct front *f, const char *topic, int32_t partition, const char *ids)
{
    struct wire_flat w;
    struct wire_alter_partition_reassignments_request *q =
        front_begin(f, &w, WIRE_API_ALTER_PARTITION_REASSIGNMENTS);
    q->topics =
        wire_flat_array(&w, 1, sizeof(struct wire_alter_partition_reassignments_request_topic));
    struct wire_alter_partition_reassignments_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, topic);
    t->partitions =
        wire_flat_array(&w, 1, sizeof(struct wire_alter_partition_reassignments_request_partition));
    struct wire_alter_partition_reassignments_request_partition *p =
        wire_flat_at(&w, t->partitions.at);
    int32_t list[16], n = 0;
    p->partition_index = partition;
    p->replicas = WIRE_NULL_ARRAY;
    for (const char *at = ids; at != NULL && *at != '\0'; at += *at == ',')
        list[n++] = (int32_t)strtol(at, (char **)(uintptr_t)&at, 10);
    if (ids != NULL)
        p->replicas = n == 0 ? (struct wire_array){0} : wire_flat_ids(&w, list, n);
    return front_send(f, &w, WIRE_API_ALTER_PARTITION_REASSIGNMENTS, 0);
}

static const struct {
    const char *ids, *says;
} reassigned[] = {
    {"1,3", "\"errorCode\":0,\"errorMessage\":null"},
    {NULL, "\"errorCode\":85,\"errorMessage\":\"No partition reassignment is in progress.\""},
    {"", "\"errorCode\":39,\"errorMessage\":\"Empty replica list specified in partition "
         "reassignment.\""},
    {"1,1", "\"errorCode\":39,\"errorMessage\":\"Duplicate replica ids in partition reassignment "
            "replica list: ArrayBuffer(1, 1)\""},
    {"1,-1",
     "\"errorCode\":39,\"errorMessage\":\"Invalid broker id in replica list: ArrayBuffer(1, -1)\""},
    {"1,9", "\"errorCode\":39,\"errorMessage\":\"Replica assignment has brokers that are not "
            "alive. Replica list: "},
    {"1,0", "\"errorCode\":39,\"errorMessage\":\"Replicas cannot be placed on node 0, which is a "
            "controller without data.\""},
};

START_TEST(a_reassignment_is_answered_by_the_controller)
{
    struct front *f = front_new(NULL, 3);
    front_create_topics(f, 4, "t (0:1,2)", 1000, false);
    const char *said = front_said(f, reassign(f, "t", 0, reassigned[_i].ids));
    if (strstr(said, reassigned[_i].says) == NULL)
        ck_abort_msg("%s", said);
    front_free(f);
}
END_TEST

START_TEST(reassignments_in_progress_are_listed)
{
    struct front *f = front_new(NULL, 3);
    struct wire_flat w;
    front_create_topics(f, 4, "t (0:1,2)", 1000, false);
    reassign(f, "t", 0, "1,3");
    struct wire_list_partition_reassignments_request *q =
        front_begin(f, &w, WIRE_API_LIST_PARTITION_REASSIGNMENTS);
    q->topics = WIRE_NULL_ARRAY;
    ck_said(f, front_send(f, &w, WIRE_API_LIST_PARTITION_REASSIGNMENTS, 0),
            "{\"throttleTimeMs\":0,\"errorCode\":0,\"errorMessage\":\"\",\"topics\":[{\"name\":"
            "\"t\",\"partitions\":[{\"partitionIndex\":0,\"replicas\":[1,3,2],\"addingReplicas\":["
            "3],\"removingReplicas\":[2]}]}]}");
    front_steal_controller(f);
    q = front_begin(f, &w, WIRE_API_LIST_PARTITION_REASSIGNMENTS);
    q->topics = WIRE_NULL_ARRAY;
    ck_assert_ptr_nonnull(
        strstr(front_said(f, front_send(f, &w, WIRE_API_LIST_PARTITION_REASSIGNMENTS, 0)),
               "\"errorCode\":41,\"errorMessage\":\"This is not the correct controller for this "
               "cluster.\""));
    front_free(f);
}
END_TEST

START_TEST(a_broker_that_wants_to_stop_hears_what_it_still_leads)
{
    struct front *f = front_new(NULL, 2);
    struct wire_flat w;
    front_create_topics(f, 4, "t (0:1,2)", 1000, false);
    struct wire_controlled_shutdown_request *q = front_begin(f, &w, WIRE_API_CONTROLLED_SHUTDOWN);
    q->broker_id = 1;
    ck_said(f, front_send(f, &w, WIRE_API_CONTROLLED_SHUTDOWN, 3),
            "{\"errorCode\":0,\"remainingPartitions\":[]}");
    q = front_begin(f, &w, WIRE_API_CONTROLLED_SHUTDOWN);
    q->broker_id = 7;
    ck_said(f, front_send(f, &w, WIRE_API_CONTROLLED_SHUTDOWN, 3),
            "{\"errorCode\":8,\"remainingPartitions\":[]}");
    front_free(f);
}
END_TEST

/* ---- settings ---- */

static uint64_t describe(struct front *f, int16_t version, int8_t type, const char *name,
                         const char *key, bool synonyms)
{
    struct wire_flat w;
    struct wire_describe_configs_request *q = front_begin(f, &w, WIRE_API_DESCRIBE_CONFIGS);
    q->include_synonyms = synonyms;
    q->resources = wire_flat_array(&w, 1, sizeof(struct wire_describe_configs_request_resource));
    struct wire_describe_configs_request_resource *r = wire_flat_at(&w, q->resources.at);
    r->resource_type = type;
    r->resource_name = wire_flat_string(&w, name);
    r->configuration_keys = WIRE_NULL_ARRAY;
    if (key != NULL) {
        r->configuration_keys = wire_flat_array(&w, 1, sizeof(struct wire_string));
        *(struct wire_string *)wire_flat_at(&w, r->configuration_keys.at) =
            wire_flat_string(&w, key);
    }
    return front_send(f, &w, WIRE_API_DESCRIBE_CONFIGS, version);
}

START_TEST(settings_are_told_with_where_they_come_from)
{
    struct front *f = front_new("log.retention.hours=2\nmin.insync.replicas=2", 2);
    front_create_topics(f, 4, "t (0:1) {retention.ms= 007 }", 1000, false);
    ck_said(f, describe(f, 1, 2, "t", "retention.ms", true),
            "{\"throttleTimeMs\":0,\"results\":[{\"errorCode\":0,\"errorMessage\":\"\","
            "\"resourceType\":2,\"resourceName\":\"t\",\"configs\":[{\"name\":\"retention.ms\","
            "\"value\":\"7\",\"readOnly\":false,\"configSource\":1,\"isSensitive\":false,"
            "\"synonyms\":[{\"name\":\"retention.ms\",\"value\":\"7\",\"source\":1}]}]}]}");
    front_create_topics(f, 4, "u (0:1)", 1000, false);
    /* the hours are not the setting's own name: no synonym, and the default's mark */
    ck_assert_ptr_nonnull(
        strstr(front_said(f, describe(f, 1, 2, "u", "retention.ms", true)),
               "\"value\":\"7200000\",\"readOnly\":false,\"configSource\":5,\"isSensitive\":false,"
               "\"synonyms\":[]"));
    ck_assert_ptr_nonnull(
        strstr(front_said(f, describe(f, 1, 2, "u", "min.insync.replicas", true)),
               "\"value\":\"2\",\"readOnly\":false,\"configSource\":4,\"isSensitive\":false,"
               "\"synonyms\":[{\"name\":\"min.insync.replicas\",\"value\":\"2\",\"source\":4},"
               "{\"name\":\"min.insync.replicas\",\"value\":\"1\",\"source\":5}]"));
    ck_assert_ptr_nonnull(
        strstr(front_said(f, describe(f, 1, 2, "x", NULL, true)), "\"errorCode\":3"));
    front_free(f);
}
END_TEST

START_TEST(a_broker_is_described_by_its_own_node_only)
{
    struct front *f = front_new(NULL, 1);
    ck_assert_ptr_nonnull(strstr(front_said(f, describe(f, 4, 4, "0", NULL, false)),
                                 "{\"name\":\"num.io.threads\",\"value\":\"8\""));
    ck_assert_ptr_nonnull(
        strstr(front_said(f, describe(f, 4, 4, "1", NULL, false)),
               "\"errorCode\":42,\"errorMessage\":\"Unexpected broker id, expected 0 or empty "
               "string, but received 1\""));
    ck_assert_ptr_nonnull(
        strstr(front_said(f, describe(f, 4, 4, "one", NULL, false)),
               "\"errorCode\":42,\"errorMessage\":\"Broker id must be an integer, but it is: "
               "one\""));
    ck_assert_ptr_nonnull(
        strstr(front_said(f, describe(f, 4, 4, "", NULL, false)), "\"configs\":[]"));
    front_free(f);
}
END_TEST

static uint64_t alter(struct front *f, bool incremental, int8_t type, const char *name,
                      const char *key, int8_t op, const char *value, bool validate_only)
{
    struct wire_flat w;
    if (incremental) {
        struct wire_incremental_alter_configs_request *q =
            front_begin(f, &w, WIRE_API_INCREMENTAL_ALTER_CONFIGS);
        q->validate_only = validate_only;
        q->resources =
            wire_flat_array(&w, 1, sizeof(struct wire_incremental_alter_configs_request_resource));
        struct wire_incremental_alter_configs_request_resource *r =
            wire_flat_at(&w, q->resources.at);
        r->resource_type = type;
        r->resource_name = wire_flat_string(&w, name);
        r->configs =
            wire_flat_array(&w, 1, sizeof(struct wire_incremental_alter_configs_request_config));
        struct wire_incremental_alter_configs_request_config *c = wire_flat_at(&w, r->configs.at);
        c->name = wire_flat_string(&w, key);
        c->config_operation = op;
        c->value = wire_flat_string(&w, value);
        return front_send(f, &w, WIRE_API_INCREMENTAL_ALTER_CONFIGS, 1);
    }
    struct wire_alter_configs_request *q = front_begin(f, &w, WIRE_API_ALTER_CONFIGS);
    q->validate_only = validate_only;
    q->resources = wire_flat_array(&w, 1, sizeof(struct wire_alter_configs_request_resource));
    struct wire_alter_configs_request_resource *r = wire_flat_at(&w, q->resources.at);
    r->resource_type = type;
    r->resource_name = wire_flat_string(&w, name);
    r->configs = wire_flat_array(&w, 1, sizeof(struct wire_alter_configs_request_config));
    struct wire_alter_configs_request_config *c = wire_flat_at(&w, r->configs.at);
    c->name = wire_flat_string(&w, key);
    c->value = wire_flat_string(&w, value);
    return front_send(f, &w, WIRE_API_ALTER_CONFIGS, 1);
}

#define ALTERED(type, name)                                                                        \
    "{\"throttleTimeMs\":0,\"responses\":[{\"errorCode\":0,\"errorMessage\":null,"                 \
    "\"resourceType\":" #type ",\"resourceName\":\"" name "\"}]}"

START_TEST(settings_are_changed_one_by_one_or_all_anew)
{
    struct front *f = front_new(NULL, 1);
    front_create_topics(f, 4, "t (0:1) {retention.ms=5|cleanup.policy=delete}", 1000, false);
    ck_said(f, alter(f, true, 2, "t", "segment.bytes", 0, "100", false), ALTERED(2, "t"));
    ck_said(f, alter(f, true, 2, "t", "retention.ms", 1, NULL, false), ALTERED(2, "t"));
    ck_said(f, alter(f, true, 2, "t", "cleanup.policy", 2, "compact", false), ALTERED(2, "t"));
    ck_assert_str_eq(front_znode(f, "/config/topics/t"),
                     "{\"version\":1,\"config\":{\"segment.bytes\":\"100\",\"cleanup.policy\":"
                     "\"delete,compact\"}}");
    ck_said(f, alter(f, true, 2, "t", "cleanup.policy", 3, "delete", true), ALTERED(2, "t"));
    ck_said(f, alter(f, false, 2, "t", "flush.ms", 0, "9", false), ALTERED(2, "t"));
    ck_assert_str_eq(front_znode(f, "/config/topics/t"),
                     "{\"version\":1,\"config\":{\"flush.ms\":\"9\"}}");
    ck_assert_str_eq(front_znode(f, "/config/changes/config_change_0000000003"),
                     "{\"version\":2,\"entity_path\":\"topics/t\"}");
    front_free(f);
}
END_TEST

static const struct {
    bool incremental;
    int8_t type;
    const char *name, *key;
    int8_t op;
    const char *value, *says;
} not_altered[] = {
    {true, 2, "x", "flush.ms", 0, "1",
     "\"errorCode\":3,\"errorMessage\":\"The topic 'x' does not exist.\""},
    {true, 2, "t", "flush.ms", 2, "1",
     "\"errorCode\":42,\"errorMessage\":\"Config value append is not allowed for config key: "
     "flush.ms\""},
    {true, 2, "t", "flush.ms", 0, NULL,
     "\"errorCode\":42,\"errorMessage\":\"Null value not supported for : SET:flush.ms\""},
    {false, 2, "t", "flush.ms", 0, NULL, "\"errorCode\":-1,\"errorMessage\":null"},
    {true, 2, "t", "no.such", 0, "1",
     "\"errorCode\":40,\"errorMessage\":\"Unknown topic config name: no.such\""},
    {false, 2, "t", "flush.ms", 0, "-1",
     "\"errorCode\":42,\"errorMessage\":\"Invalid config value for resource "
     "ConfigResource(type=TOPIC, name='t'): Invalid value -1 for configuration flush.ms: Value "
     "must "
     "be at least 0\""},
    {true, 4, "0", "zookeeper.connect", 0, "a:1",
     "\"errorCode\":42,\"errorMessage\":\"Invalid config value for resource "
     "ConfigResource(type=BROKER, name='0'): Cannot update these configs dynamically: "
     "Set(zookeeper.connect)\""},
    {true, 4, "", "listeners", 0, "PLAINTEXT://:1",
     "\"errorCode\":42,\"errorMessage\":\"Invalid config value for resource "
     "ConfigResource(type=BROKER, name=''): Cannot update these configs at default cluster level, "
     "broker id must be specified: Set(listeners)\""},
    {true, 4, "1", "log.cleaner.threads", 0, "2",
     "\"errorCode\":42,\"errorMessage\":\"Unexpected broker id, expected 0, but received 1\""},
    {false, 8, "0", "root", 0, "INFO",
     "\"errorCode\":42,\"errorMessage\":\"AlterConfigs is deprecated and does not support the "
     "resource type BROKER_LOGGER\""},
};

START_TEST(settings_that_cannot_be_are_refused_with_kafkas_words)
{
    struct front *f = front_new(NULL, 1);
    front_create_topics(f, 4, "t (0:1)", 1000, false);
    const char *said = front_said(f, alter(f, not_altered[_i].incremental, not_altered[_i].type,
                                           not_altered[_i].name, not_altered[_i].key,
                                           not_altered[_i].op, not_altered[_i].value, false));
    if (strstr(said, not_altered[_i].says) == NULL)
        ck_abort_msg("%s", said);
    front_free(f);
}
END_TEST

START_TEST(dynamic_settings_of_brokers_are_seen_in_topics)
{
    struct front *f = front_new(NULL, 1);
    front_create_topics(f, 4, "t (0:1)", 1000, false);
    ck_said(f, alter(f, true, 4, "", "log.retention.ms", 0, "11", false), ALTERED(4, ""));
    ck_said(f, alter(f, true, 4, "0", "log.retention.ms", 0, "12", false), ALTERED(4, "0"));
    ck_assert_str_eq(front_znode(f, "/config/brokers/<default>"),
                     "{\"version\":1,\"config\":{\"log.retention.ms\":\"11\"}}");
    ck_assert_ptr_nonnull(
        strstr(front_said(f, describe(f, 1, 2, "t", "retention.ms", true)),
               "\"value\":\"12\",\"readOnly\":false,\"configSource\":2,\"isSensitive\":false,"
               "\"synonyms\":[{\"name\":\"log.retention.ms\",\"value\":\"12\",\"source\":2},"
               "{\"name\":\"log.retention.ms\",\"value\":\"11\",\"source\":3}"));
    front_free(f);
}
END_TEST

/* ---- producer ids ---- */

static uint64_t init_producer_id(struct front *f, const char *id)
{
    struct wire_flat w;
    struct wire_init_producer_id_request *q = front_begin(f, &w, WIRE_API_INIT_PRODUCER_ID);
    q->transactional_id = wire_flat_string(&w, id);
    q->transaction_timeout_ms = 1000;
    return front_send(f, &w, WIRE_API_INIT_PRODUCER_ID, 4);
}

static void other_claims(struct front *f)
{
    front_set(f, "/latest_producer_id_block",
              "{\"version\":1,\"broker\":5,\"block_start\":\"0\",\"block_end\":\"999\"}");
}

START_TEST(producer_ids_come_in_blocks_that_nobody_else_has)
{
    struct front *f = front_new(NULL, 1);
    ck_said(f, init_producer_id(f, NULL),
            "{\"throttleTimeMs\":0,\"errorCode\":0,\"producerId\":0,\"producerEpoch\":0}");
    ck_said(f, init_producer_id(f, NULL),
            "{\"throttleTimeMs\":0,\"errorCode\":0,\"producerId\":1,\"producerEpoch\":0}");
    ck_assert_str_eq(front_znode(f, "/latest_producer_id_block"),
                     "{\"version\":1,\"broker\":0,\"block_start\":\"0\",\"block_end\":\"999\"}");
    for (int i = 2; i < 1000; i++)
        init_producer_id(f, NULL);
    ck_said(f, init_producer_id(f, NULL),
            "{\"throttleTimeMs\":0,\"errorCode\":0,\"producerId\":1000,\"producerEpoch\":0}");
    ck_said(f, init_producer_id(f, "tx"),
            "{\"throttleTimeMs\":0,\"errorCode\":16,\"producerId\":-1,\"producerEpoch\":-1}");
    ck_said(f, init_producer_id(f, ""),
            "{\"throttleTimeMs\":0,\"errorCode\":42,\"producerId\":-1,\"producerEpoch\":-1}");
    front_free(f);
}
END_TEST

START_TEST(a_block_that_another_claims_first_is_his)
{
    struct front *f = front_new(NULL, 1);
    front_before(f, "/latest_producer_id_block", 2, other_claims);
    ck_said(f, init_producer_id(f, NULL),
            "{\"throttleTimeMs\":0,\"errorCode\":0,\"producerId\":1000,\"producerEpoch\":0}");
    front_free(f);
}
END_TEST

START_TEST(a_block_that_cannot_be_read_is_told_and_left)
{
    struct front *f = front_new(NULL, 1);
    front_set(f, "/latest_producer_id_block", "nonsense");
    ck_said(f, init_producer_id(f, NULL),
            "{\"throttleTimeMs\":0,\"errorCode\":-1,\"producerId\":-1,\"producerEpoch\":-1}");
    ck_assert_str_eq(front_znode(f, "/latest_producer_id_block"), "nonsense");
    front_free(f);
}
END_TEST

/* ---- the life of a session ---- */

static void expire_now(struct front *f)
{
    front_expire(f);
}

START_TEST(what_waits_for_zookeeper_when_the_session_expires_is_answered)
{
    struct front *f = front_new(NULL, 1);
    front_before(f, "/brokers/topics/t", 1, expire_now);
    uint64_t call = front_create_topics(f, 4, "t (0:1)", 1000, false);
    front_advance(f, 30 * SECOND);
    ck_assert_int_eq(front_answers(f, call), 1);
    front_free(f);
}
END_TEST

/*
 * Goal: a request that waits for the registrations of the live brokers goes on in the node's next session.
 * It used to ask again as soon as it was told that the session had expired: within one step, without end.
 */
START_TEST(placing_replicas_outlives_the_session)
{
    struct front *f = front_new(NULL, 2);
    front_before(f, "/brokers/ids/1", 1, expire_now);
    uint64_t call = front_create_topics(f, 4, "t 1 1", 20000, false);
    front_advance(f, 30 * SECOND);
    ck_assert_int_eq(front_answers(f, call), 1);
    ck_assert_ptr_nonnull(strstr(front_znode(f, "/brokers/topics/t"), "\"partitions\""));
    front_free(f);
}
END_TEST

static void metadata_now(struct front *f)
{
    static const int32_t on_it[] = {1};
    struct front_batch spec = {.first_broker = 1,
                               .broker_epoch = front_czxid(f, "/brokers/ids/1"),
                               .controller_epoch = 1,
                               .topic = "other",
                               .leader = 1,
                               .ids = on_it,
                               .count = 1};
    front_tell(f, WIRE_API_UPDATE_METADATA, front_batch_of(&spec));
}

/*
 * Goal: a request that waits for the registrations of the live brokers goes on though the controller says
 * meanwhile who lives. What had been asked was forgotten with the list, and the request waited for ever.
 */
START_TEST(placing_replicas_outlives_new_metadata)
{
    struct front *f = front_new(NULL, 2);
    front_before(f, "/brokers/ids/1", 1, metadata_now);
    uint64_t call = front_create_topics(f, 4, "t 1 1", 20000, false);
    front_advance(f, 30 * SECOND);
    ck_assert_int_eq(front_answers(f, call), 1);
    ck_assert_ptr_nonnull(strstr(front_znode(f, "/brokers/topics/t"), "\"partitions\""));
    front_free(f);
}
END_TEST

START_TEST(requests_beyond_the_limit_are_not_taken)
{
    struct front *f = front_new(NULL, 1);
    char name[32];
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "t%d (0:9)", i);
        ck_assert(kn_node_takes_requests(front_node(f)));
        front_create_topics(f, 4, name, 1000, false);
    }
    ck_assert(!kn_node_takes_requests(front_node(f)));
    front_advance(f, 2 * SECOND);
    ck_assert(kn_node_takes_requests(front_node(f)));
    front_free(f);
}
END_TEST

/* ---- what is elsewhere ---- */

START_TEST(data_is_elsewhere)
{
    struct front *f = front_new(NULL, 1);
    struct wire_flat w;
    front_create_topics(f, 4, "t (0:1)", 1000, false);
    struct wire_list_offsets_request *q = front_begin(f, &w, WIRE_API_LIST_OFFSETS);
    q->topics = wire_flat_array(&w, 1, sizeof(struct wire_list_offsets_request_topic));
    struct wire_list_offsets_request_topic *t = wire_flat_at(&w, q->topics.at);
    t->name = wire_flat_string(&w, "t");
    t->partitions = wire_flat_array(&w, 2, sizeof(struct wire_list_offsets_request_partition));
    struct wire_list_offsets_request_partition *p = wire_flat_at(&w, t->partitions.at);
    p[1].partition_index = 1;
    ck_said(f, front_send(f, &w, WIRE_API_LIST_OFFSETS, 5),
            "{\"throttleTimeMs\":0,\"topics\":[{\"name\":\"t\",\"partitions\":["
            "{\"partitionIndex\":0,\"errorCode\":6,\"timestamp\":-1,\"offset\":-1,\"leaderEpoch\":-"
            "1},"
            "{\"partitionIndex\":1,\"errorCode\":3,\"timestamp\":-1,\"offset\":-1,\"leaderEpoch\":-"
            "1}]}]}");
    struct wire_produce_request *r = front_begin(f, &w, WIRE_API_PRODUCE);
    r->acks = 0;
    ck_said(f, front_send(f, &w, WIRE_API_PRODUCE, 7), "(close)");
    front_free(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("front");
    TCase *way = tcase_create("way"), *topics = tcase_create("topics"),
          *controller = tcase_create("controller"), *settings = tcase_create("settings"),
          *rest = tcase_create("rest");
    tcase_add_test(way, metadata_tells_brokers_and_leaders);
    tcase_add_test(way, every_version_of_metadata_is_answered);
    tcase_add_test(way, a_topic_that_is_not_there_is_unknown_and_a_bad_name_invalid);
    tcase_add_test(way, a_partition_whose_leader_is_gone_has_none);
    tcase_add_test(way, the_cluster_gets_an_id_where_it_has_none);
    tcase_add_test(way, the_id_of_a_cluster_is_kept);
    tcase_add_test(way, the_first_to_look_for_a_coordinator_makes_the_topic);
    tcase_add_test(way, a_coordinator_is_found_by_the_partitions_that_there_are);
    tcase_add_test(way, api_versions_lists_what_is_served);
    tcase_add_test(topics, a_created_topic_is_answered_when_it_has_leaders);
    tcase_add_test(topics, replicas_are_never_chosen_on_a_node_without_data);
    tcase_add_loop_test(topics, a_topic_that_cannot_be_is_refused_with_kafkas_words, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(topics, numbers_and_lists_exclude_each_other);
    tcase_add_test(topics, the_same_topic_twice_is_refused_twice);
    tcase_add_test(topics, to_validate_writes_nothing);
    tcase_add_test(topics, leaders_that_do_not_come_time_out);
    tcase_add_test(topics, a_client_that_has_gone_is_not_answered);
    tcase_add_test(topics, another_controller_is_said_to_be_needed);
    tcase_add_test(topics, a_deleted_topic_is_gone_when_the_answer_says_so);
    tcase_add_test(topics, a_deletion_that_the_controller_does_not_begin_times_out);
    tcase_add_test(topics, deletion_can_be_switched_off);
    tcase_add_test(topics, a_topic_grows_where_its_first_partition_ended);
    tcase_add_loop_test(topics, a_topic_that_cannot_grow_is_refused_with_kafkas_words, 0,
                        (int)(sizeof not_grown / sizeof not_grown[0]));
    tcase_add_test(topics, what_the_controller_writes_meanwhile_is_not_lost);
    tcase_add_test(topics, topics_that_are_asked_for_are_made_where_that_is_on);
    tcase_add_test(controller, an_election_is_answered_when_the_cache_shows_the_leader);
    tcase_add_loop_test(controller, a_reassignment_is_answered_by_the_controller, 0,
                        (int)(sizeof reassigned / sizeof reassigned[0]));
    tcase_add_test(controller, reassignments_in_progress_are_listed);
    tcase_add_test(controller, a_broker_that_wants_to_stop_hears_what_it_still_leads);
    tcase_add_test(settings, settings_are_told_with_where_they_come_from);
    tcase_add_test(settings, a_broker_is_described_by_its_own_node_only);
    tcase_add_test(settings, settings_are_changed_one_by_one_or_all_anew);
    tcase_add_loop_test(settings, settings_that_cannot_be_are_refused_with_kafkas_words, 0,
                        (int)(sizeof not_altered / sizeof not_altered[0]));
    tcase_add_test(settings, dynamic_settings_of_brokers_are_seen_in_topics);
    tcase_add_test(rest, producer_ids_come_in_blocks_that_nobody_else_has);
    tcase_add_test(rest, a_block_that_another_claims_first_is_his);
    tcase_add_test(rest, a_block_that_cannot_be_read_is_told_and_left);
    tcase_add_test(rest, what_waits_for_zookeeper_when_the_session_expires_is_answered);
    tcase_add_test(rest, placing_replicas_outlives_the_session);
    tcase_add_test(rest, placing_replicas_outlives_new_metadata);
    tcase_add_test(rest, requests_beyond_the_limit_are_not_taken);
    tcase_add_test(rest, data_is_elsewhere);
    TCase *all[] = {way, topics, controller, settings, rest};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        tcase_set_timeout(all[i], 60);
        suite_add_tcase(s, all[i]);
    }
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
