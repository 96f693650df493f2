/*
 * Before the node knows of its first session: the paths that every Kafka broker makes at its start
 * where they are missing.
 *
 *     connected ──► create each path ──► the node is told
 *
 * The requests go over the session that the node will have. Where the connection breaks meanwhile,
 * the node's session makes another, and this begins again.
 *
 * Source: Kafka KafkaZkClient.createTopLevelPaths.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <string.h>

#include "live/process_state.h"
#include "statemachine/znode.h"

enum { REQUEST_BYTES = 1024 };

static void create(struct live_process *p, const char *path)
{
    uint64_t bytes[REQUEST_BYTES / 8];
    struct wire_zk_builder b;
    wire_zk_begin(&b, bytes, sizeof bytes, ++p->prepare.asked, false);
    wire_zk_add(&b, (struct wire_zk_op){.opcode = WIRE_ZK_CREATE}, path, NULL);
    const struct wire_zk_request *request = wire_zk_end(&b);
    assert(request != NULL);
    live_zookeeper_send(p->zookeeper, request);
}

void live_prepare_begin(struct live_process *p, const struct live_zk_input *connected)
{
    struct live_prepare *r = &p->prepare;
    r->is_running = true;
    r->asked = r->answered = 0;
    r->connected = *connected;
    if (strchr(p->options.settings.zookeeper, '/') != NULL)
        create(p, "/"); /* the chroot itself */
    for (size_t i = 0; sm_persistent_paths[i] != NULL; i++)
        create(p, sm_persistent_paths[i]);
}

static void end(struct live_process *p)
{
    struct live_prepare *r = &p->prepare;
    r->is_running = false;
    r->is_done = true;
    live_from_zookeeper(p, &r->connected);
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
    r->answered++;
    if (reply->err != WIRE_ZK_OK && reply->err != WIRE_ZK_NODE_EXISTS)
        fail(p, reply->err);
    if (r->answered == r->asked && !p->is_ending)
        end(p);
}
