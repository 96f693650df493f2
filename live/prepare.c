/*
 * Before the node knows of its first session: the paths that every Kafka broker makes at its start
 * where they are missing, and the cluster id.
 *
 *     connected ──► create each path ──► read /cluster/id ──► (create it) ──► the node is told
 *
 * The requests go over the session that the node will have. Where the connection breaks meanwhile,
 * the node's session makes another, and this begins again.
 *
 * Source: Kafka KafkaZkClient.createTopLevelPaths, createOrGetClusterId;
 * CoreUtils.generateUuidAsBase64.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "live/process_state.h"
#include "statemachine/znode.h"

#define CLUSTER      "/cluster"
#define CLUSTER_ID   "/cluster/id"
#define CLUSTER_JSON "{\"version\":\"1\",\"id\":\"%s\"}"

enum { REQUEST_BYTES = 1024 };

static void ask(struct live_process *p, struct wire_zk_op op, const char *path, const char *data)
{
    uint64_t bytes[REQUEST_BYTES / 8];
    struct wire_zk_builder b;
    op.data_size = data == NULL ? 0 : (uint32_t)strlen(data);
    wire_zk_begin(&b, bytes, sizeof bytes, ++p->prepare.asked, false);
    wire_zk_add(&b, op, path, data);
    const struct wire_zk_request *request = wire_zk_end(&b);
    assert(request != NULL);
    live_zookeeper_send(p->zookeeper, request);
}

static void create(struct live_process *p, const char *path, const char *data)
{
    ask(p, (struct wire_zk_op){.opcode = WIRE_ZK_CREATE}, path, data);
}

void live_prepare_begin(struct live_process *p, const struct live_zk_input *connected)
{
    struct live_prepare *r = &p->prepare;
    r->is_running = true;
    r->asked = r->answered = 0;
    r->connected = *connected;
    if (strchr(p->options.settings.zookeeper, '/') != NULL)
        create(p, "/", NULL); /* the chroot itself */
    for (size_t i = 0; sm_persistent_paths[i] != NULL; i++)
        create(p, sm_persistent_paths[i], NULL);
    create(p, CLUSTER, NULL);
    ask(p, (struct wire_zk_op){.opcode = WIRE_ZK_GET_DATA}, CLUSTER_ID, NULL);
}

static void end(struct live_process *p)
{
    struct live_prepare *r = &p->prepare;
    r->is_running = false;
    r->is_done = true;
    live_log(p->logs, KC_INFO, "Cluster ID = %s", r->cluster_id);
    live_from_zookeeper(p, &r->connected);
}

/* 16 random bytes in URL-safe base64 without padding: 22 characters. */
static void make_cluster_id(char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t random[18] = {0};
    ssize_t got = getrandom(random, 16, 0);
    assert(got == 16);
    for (int i = 0; i < 6; i++) {
        uint32_t three =
            (uint32_t)random[3 * i] << 16 | (uint32_t)random[3 * i + 1] << 8 | random[3 * i + 2];
        for (int k = 0; k < 4; k++)
            out[4 * i + k] = digits[three >> (18 - 6 * k) & 63];
    }
    out[22] = '\0';
}

static void make_cluster(struct live_process *p)
{
    char json[96];
    make_cluster_id(p->prepare.cluster_id);
    snprintf(json, sizeof json, CLUSTER_JSON, p->prepare.cluster_id);
    create(p, CLUSTER_ID, json);
    ask(p, (struct wire_zk_op){.opcode = WIRE_ZK_GET_DATA}, CLUSTER_ID, NULL);
}

/* {"version":"1","id":"…"}; anything else leaves the id empty. */
static void read_cluster(struct live_process *p, const struct wire_zk_result_view *v)
{
    char text[256], *id;
    size_t size = v->result->data_size < sizeof text ? v->result->data_size : sizeof text - 1;
    memcpy(text, v->data, size);
    text[size] = '\0';
    id = strstr(text, "\"id\"");
    id = id == NULL ? NULL : strchr(id + 4, '"');
    size_t length = id == NULL ? 0 : strcspn(id + 1, "\"");
    p->prepare.cluster_id[0] = '\0';
    if (length > 0 && length < sizeof p->prepare.cluster_id) {
        memcpy(p->prepare.cluster_id, id + 1, length);
        p->prepare.cluster_id[length] = '\0';
    }
}

static void fail(struct live_process *p, int32_t err)
{
    fflush(stdout);
    fprintf(stderr, "kcsim: ZooKeeper %s refuses to make Kafka's paths: %s\n",
            p->options.settings.zookeeper, wire_zk_err_name(err));
    live_end(p, LIVE_EXIT_FAILED);
}

void live_prepare_reply(struct live_process *p, const struct wire_zk_reply *reply)
{
    struct live_prepare *r = &p->prepare;
    struct wire_zk_result_view v = {0};
    r->answered++;
    bool is_read = wire_zk_result_next(reply, &v) && v.result->opcode == WIRE_ZK_GET_DATA;
    if (is_read && reply->err == WIRE_ZK_OK)
        read_cluster(p, &v);
    else if (is_read && reply->err == WIRE_ZK_NO_NODE)
        make_cluster(p);
    else if (reply->err != WIRE_ZK_OK && reply->err != WIRE_ZK_NODE_EXISTS)
        fail(p, reply->err);
    if (r->answered == r->asked && !p->is_ending)
        end(p);
}
