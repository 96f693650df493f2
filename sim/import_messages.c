/*
 * Requests of a controller to brokers, and their answers.
 *
 *     controller: "Sending LeaderAndIsr request …" ──► send ──► recv ◄── broker: "Handling
 * LeaderAndIsr …" controller: "Received response …"            ◄── recv ◄── send ◄── broker:
 * "Finished LeaderAndIsr …"
 *
 * A controller's lines name a correlation id only until 0.9 (and in answers since 1.1), a broker's
 * always. So a request that a broker has is the first under way to it with that id; else, where the
 * id of none is known, the first of its kind with as many partitions; what was sent before it was
 * lost. Lines about single partitions are gathered until a line is about something else.
 *
 * Source: Kafka ControllerBrokerRequestBatch, RequestSendThread, ReplicaManager, MetadataCache.
 */
#include "sim/import_story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "statemachine/znode.h"

const char *sim_api_text(enum sim_api api)
{
    static const char *const names[] = {"LeaderAndIsr", "UpdateMetadata", "StopReplica"};
    return names[api];
}

/* ---- under way ---- */

/* What is over is not looked at again. */
static void pass_over(struct sim_told *node)
{
    while (node->request_first < node->request_count && node->requests[node->request_first].over)
        node->request_first++;
}

static struct sim_request *find_recv(struct sim_told *node, enum sim_api api, int32_t broker,
                                     int64_t corr, int64_t count)
{
    pass_over(node);
    struct sim_request *first = NULL;
    for (size_t i = node->request_first; i < node->request_count; i++) {
        struct sim_request *r = &node->requests[i];
        if (r->over || r->broker != broker || r->api != api || r->recv != 0)
            continue;
        if (r->corr == corr)
            return r;
        if (r->corr < 0 && first == NULL && (count < 0 || r->count < 0 || r->count == count))
            first = r;
    }
    for (size_t i = node->request_first; first != NULL && &node->requests[i] < first; i++) {
        struct sim_request *r = &node->requests[i];
        if (r->broker == broker && r->api == api && r->recv == 0)
            r->over = true; /* lost */
    }
    return first;
}

static struct sim_request *find_answer(struct sim_told *node, enum sim_api api, int32_t broker,
                                       int64_t corr)
{
    pass_over(node);
    struct sim_request *first = NULL;
    for (size_t i = node->request_first; i < node->request_count; i++) {
        struct sim_request *r = &node->requests[i];
        if (r->over || r->broker != broker || r->api != api)
            continue;
        if (r->corr == corr)
            return r;
        if (r->corr < 0 && first == NULL)
            first = r;
    }
    return first;
}

/* ---- sending ---- */

static void add_part(struct sim_story *s, const struct sim_group_part *part)
{
    struct sim_state_text text;
    sim_span_state(part->state, &text);
    sim_trace_object_begin(s->trace, SIM_F_NONE);
    sim_trace_partition(s->trace, SIM_F_PARTITION, part->tp.topic, part->tp.partition);
    if (text.leader != INT32_MIN)
        sim_trace_int(s->trace, SIM_F_LEADER, text.leader);
    if (text.leader_epoch != INT32_MIN)
        sim_trace_int(s->trace, SIM_F_EPOCH, text.leader_epoch);
    if (text.has_isr)
        sim_trace_ids(s->trace, SIM_F_ISR, text.isr.id, text.isr.count);
    if (text.zk_version != INT32_MIN)
        sim_trace_int(s->trace, SIM_F_ZKVERSION, text.zk_version);
    if (text.has_replicas)
        sim_trace_ids(s->trace, SIM_F_REPLICAS, text.replicas.id, text.replicas.count);
    sim_trace_object_end(s->trace);
}

static void send_one(struct sim_story *s, struct sim_told *node, enum sim_api api, int32_t broker,
                     int64_t corr, int64_t count)
{
    const struct sim_group *g = &node->group;
    if (!sim_story_tell(s, SIM_K_SEND, SIM_LANE_CONTROLLER(node->id), node->cause))
        return;
    sim_trace_int(s->trace, SIM_F_M, (int64_t)sim_trace_open_number(s->trace));
    sim_trace_lane(s->trace, SIM_F_TO, SIM_LANE_BROKER(broker));
    sim_trace_text(s->trace, SIM_F_API, sim_api_text(api));
    if (corr >= 0)
        sim_trace_int(s->trace, SIM_F_CORR, corr);
    if (node->ce >= 0)
        sim_trace_int(s->trace, SIM_F_CE, node->ce);
    if (g->open && g->api == api && g->count > 0) {
        sim_trace_list_begin(s->trace, SIM_F_BODY);
        for (size_t i = 0; i < g->count; i++)
            add_part(s, &g->parts[i]);
        sim_trace_list_end(s->trace);
    }
    uint64_t n = sim_trace_end(s->trace);
    node->requests = sim_grow(node->requests, &node->request_capacity, node->request_count + 1,
                              sizeof(*node->requests));
    node->requests[node->request_count++] = (struct sim_request){
        .api = api, .broker = broker, .ce = node->ce, .corr = corr, .count = count, .record = n};
}

void sim_story_end_group(struct sim_story *s, struct sim_told *node)
{
    struct sim_group *g = &node->group;
    for (size_t i = 0; g->open && i < g->to.count; i++)
        send_one(s, node, g->api, g->to.id[i], g->corr, (int64_t)g->count);
    g->open = false;
    g->count = 0;
}

static bool same_ids(const struct sim_ids *a, const struct sim_ids *b)
{
    return a->count == b->count && memcmp(a->id, b->id, a->count * sizeof(a->id[0])) == 0;
}

/* A line about one partition of a request. */
static void gather(struct sim_story *s, const struct sim_entry *e, enum sim_api api,
                   const struct sim_holes *h)
{
    struct sim_told *node = sim_story_node(s, e->node);
    struct sim_group *g = &node->group;
    struct sim_ids to = {0};
    struct sim_group_part part = {.state = SIM_HOLE(h, 's')};
    int64_t corr = sim_span_number(SIM_HOLE(h, 'k'), -1);
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &part.tp))
        return;
    sim_span_ids(SIM_HOLE(h, 'b').size > 0 ? SIM_HOLE(h, 'b') : SIM_HOLE(h, 'i'), &to);
    if (g->open && (g->api != api || g->corr != corr || !same_ids(&g->to, &to)))
        sim_story_end_group(s, node);
    if (api == SIM_API_LEADER_AND_ISR)
        sim_story_sent_state(s, e, &part.tp, part.state);
    g->open = true;
    g->api = api;
    g->corr = corr;
    g->to = to;
    g->parts = sim_grow(g->parts, &g->capacity, g->count + 1, sizeof(*g->parts));
    g->parts[g->count++] = part;
}

/* The line about the whole of it, which 2.6 and later log too. */
static void send_all(struct sim_story *s, struct sim_told *node, enum sim_api api,
                     const struct sim_ids *to, int64_t count)
{
    struct sim_group *g = &node->group;
    if (g->open && g->api != api)
        sim_story_end_group(s, node);
    for (size_t i = 0; i < to->count; i++)
        send_one(s, node, api, to->id[i], -1, count);
    g->open = false;
    g->count = 0;
}

/* ---- at a broker ---- */

static void set_part(struct sim_story *s, int32_t broker, const struct sim_tp *tp, const char *what,
                     int64_t value)
{
    if (value != INT32_MIN)
        sim_trace_set_int(s->trace,
                          sim_trace_key(s->trace, "b.%" PRId32 ".%s-%" PRId32 ".%s", broker,
                                        tp->topic, tp->partition, what),
                          value);
}

static void set_isr(struct sim_story *s, int32_t broker, const struct sim_tp *tp,
                    const struct sim_ids *isr)
{
    sim_trace_set_ids(s->trace,
                      sim_trace_key(s->trace, "b.%" PRId32 ".%s-%" PRId32 ".isr", broker, tp->topic,
                                    tp->partition),
                      isr->id, isr->count);
}

static void set_metadata(struct sim_story *s, int32_t broker, const struct sim_tp *tp,
                         const struct sim_state_text *text)
{
    sim_trace_set_begin(s->trace, sim_trace_key(s->trace, "b.%" PRId32 ".md.%s-%" PRId32, broker,
                                                tp->topic, tp->partition));
    sim_trace_object_begin(s->trace, SIM_F_NONE);
    sim_trace_int(s->trace, SIM_F_LEADER, text->leader != INT32_MIN ? text->leader : -1);
    sim_trace_int(s->trace, SIM_F_EPOCH, text->leader_epoch != INT32_MIN ? text->leader_epoch : -1);
    sim_trace_ids(s->trace, SIM_F_ISR, text->isr.id, text->isr.count);
    sim_trace_ids(s->trace, SIM_F_REPLICAS, text->replicas.id, text->replicas.count);
    sim_trace_object_end(s->trace);
    sim_trace_set_end(s->trace);
}

/* What one partition of the request says, as facts of the open record. */
static void set_told(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_tp tp;
    struct sim_state_text text;
    struct sim_span state = SIM_HOLE(h, 's');
    sim_span_state(state, &text);
    if (e->word == WORD_RECV_METADATA_GONE && sim_span_partition(SIM_HOLE(h, 'p'), &tp)) {
        sim_trace_set_null(s->trace, sim_trace_key(s->trace, "b.%" PRId32 ".md.%s-%" PRId32,
                                                   e->node, tp.topic, tp.partition));
        return;
    }
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &tp)) {
        /* 2.8 has the partition inside: topicName='orders', partitionIndex=0 */
        const char *name = sim_span_find(state, "topicName='");
        const char *index = sim_span_find(state, "partitionIndex=");
        const char *end = state.at + state.size;
        if (name == NULL || index == NULL)
            return;
        const char *close = memchr(name + 11, '\'', (size_t)(end - name - 11));
        char word[300];
        size_t digits = 0;
        while (index + 15 + digits < end && index[15 + digits] >= '0' && index[15 + digits] <= '9')
            digits++;
        if (close == NULL || close - name - 11 > 249)
            return;
        int size = snprintf(word, sizeof(word), "%.*s-%.*s", (int)(close - name - 11), name + 11,
                            (int)digits, index + 15);
        if (digits == 0 || digits > 10 ||
            !sim_span_partition((struct sim_span){word, (size_t)size}, &tp))
            return;
    }
    if (e->word == WORD_RECV_METADATA_ONE) {
        set_metadata(s, e->node, &tp, &text);
        return;
    }
    if (e->word != WORD_RECV_LEADER_AND_ISR_ONE)
        return;
    set_part(s, e->node, &tp, "leader", text.leader);
    set_part(s, e->node, &tp, "epoch", text.leader_epoch);
    set_part(s, e->node, &tp, "zkv", text.zk_version);
    if (text.has_isr && text.leader == e->node)
        set_isr(s, e->node, &tp, &text.isr);
}

static void receive(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h,
                    enum sim_api api, int64_t count)
{
    struct sim_told *node = sim_story_node(s, e->node);
    int32_t controller = (int32_t)sim_span_number(SIM_HOLE(h, 'c'), -1);
    int64_t corr = sim_span_number(SIM_HOLE(h, 'k'), -1),
            ce = sim_span_number(SIM_HOLE(h, 'e'), -1);
    bool one = e->word == WORD_RECV_LEADER_AND_ISR_ONE || e->word == WORD_RECV_METADATA_ONE ||
               e->word == WORD_RECV_METADATA_GONE || e->word == WORD_RECV_STOP_ONE;
    if (node->at.record != 0 && node->at.api == api && node->at.controller == controller &&
        node->at.corr == corr) { /* more of the same request */
        if (one && sim_story_tell(s, SIM_K_LEARN, SIM_LANE_BROKER(e->node), node->at.record)) {
            set_told(s, e, h);
            sim_trace_end(s->trace);
        }
        return;
    }
    struct sim_told *from = sim_story_node(s, controller);
    sim_story_end_group(s, from);
    struct sim_request *r = find_recv(from, api, e->node, corr, one ? -1 : count);
    if (!sim_story_tell(s, SIM_K_RECV, SIM_LANE_BROKER(e->node), r != NULL ? r->record : 0))
        return;
    if (r != NULL)
        sim_trace_int(s->trace, SIM_F_M, (int64_t)r->record);
    sim_trace_lane(s->trace, SIM_F_FRM, SIM_LANE_CONTROLLER(controller));
    sim_trace_text(s->trace, SIM_F_API, sim_api_text(api));
    if (ce < 0 && r != NULL)
        ce = r->ce;
    if (ce >= 0)
        sim_trace_int(s->trace, SIM_F_CE, ce);
    sim_trace_int(s->trace, SIM_F_OK, 1);
    if (ce >= 0)
        sim_trace_set_int(s->trace, sim_trace_key(s->trace, "b.%" PRId32 ".ce", e->node), ce);
    set_told(s, e, h);
    uint64_t n = sim_trace_end(s->trace);
    if (r != NULL) {
        r->recv = n;
        r->corr = corr;
    }
    node = sim_story_node(s, e->node);
    node->at.api = api;
    node->at.controller = controller;
    node->at.corr = corr;
    node->at.record = n;
}

static void refuse(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    int32_t controller = (int32_t)sim_span_number(SIM_HOLE(h, 'c'), -1);
    int64_t ce = sim_span_number(SIM_HOLE(h, 'e'), -1),
            corr = sim_span_number(SIM_HOLE(h, 'k'), -1);
    const struct sim_told *node = sim_story_node(s, e->node);
    enum sim_api api = sim_span_begins(SIM_HOLE(h, 'w'), "StopReplica") ? SIM_API_STOP_REPLICA
                       : sim_span_begins(SIM_HOLE(h, 'w'), "UpdateMetadata")
                           ? SIM_API_UPDATE_METADATA
                           : SIM_API_LEADER_AND_ISR;
    struct sim_ids latest;
    uint64_t by = node->at.record != 0 && node->at.corr == corr ? node->at.record : 0;
    sim_span_ids(SIM_HOLE(h, 'x'), &latest);
    if (!sim_story_tell(s, SIM_K_RECV, SIM_LANE_BROKER(e->node), by))
        return;
    if (controller >= 0)
        sim_trace_lane(s->trace, SIM_F_FRM, SIM_LANE_CONTROLLER(controller));
    sim_trace_text(s->trace, SIM_F_API, sim_api_text(api));
    if (ce >= 0)
        sim_trace_int(s->trace, SIM_F_CE, ce);
    sim_trace_int(s->trace, SIM_F_ERROR, 11);
    sim_trace_int(s->trace, SIM_F_OK, 0);
    sim_trace_text(s->trace, SIM_F_CODE, "STALE_CONTROLLER_EPOCH");
    if (ce >= 0)
        sim_trace_int(s->trace, SIM_F_HAVE, ce);
    if (latest.count > 0)
        sim_trace_int(s->trace, SIM_F_WANT, latest.id[latest.count - 1]);
    sim_trace_end(s->trace);
}

static void becomes(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    bool leads = e->word == WORD_LEADS;
    struct sim_tp tp;
    struct sim_ids isr;
    int64_t epoch = sim_span_number(SIM_HOLE(h, 'g'), -1);
    int64_t leader = leads ? e->node : sim_span_number(SIM_HOLE(h, 'l'), INT32_MIN);
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &tp) ||
        !sim_story_tell(s, SIM_K_REPLICA, SIM_LANE_BROKER(e->node),
                        sim_story_node(s, e->node)->at.record))
        return;
    sim_span_ids(SIM_HOLE(h, 'i'), &isr);
    sim_trace_text(s->trace, SIM_F_WHAT, leads ? "leader" : "follower");
    sim_trace_partition(s->trace, SIM_F_PARTITION, tp.topic, tp.partition);
    if (leader != INT32_MIN)
        sim_trace_int(s->trace, SIM_F_LEADER, leader);
    sim_trace_int(s->trace, SIM_F_EPOCH, epoch);
    sim_trace_int(s->trace, SIM_F_OFFSET, sim_span_number(SIM_HOLE(h, 'o'), -1));
    if (leads)
        sim_trace_ids(s->trace, SIM_F_ISR, isr.id, isr.count);
    set_part(s, e->node, &tp, "leader", leader);
    set_part(s, e->node, &tp, "epoch", epoch);
    set_part(s, e->node, &tp, "hw", sim_span_number(SIM_HOLE(h, 'h'), INT32_MIN));
    if (leads)
        set_isr(s, e->node, &tp, &isr);
    sim_trace_end(s->trace);
}

static void stops(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_tp tp;
    bool deletes = sim_span_is(SIM_HOLE(h, 'w'), "true") ||
                   sim_span_find(SIM_HOLE(h, 's'), "deletePartition=true") != NULL;
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &tp) ||
        !sim_story_tell(s, SIM_K_REPLICA, SIM_LANE_BROKER(e->node),
                        sim_story_node(s, e->node)->at.record))
        return;
    sim_trace_text(s->trace, SIM_F_WHAT, deletes ? "deleted" : "stopped");
    sim_trace_partition(s->trace, SIM_F_PARTITION, tp.topic, tp.partition);
    sim_trace_end(s->trace);
}

/* A leader wrote its ISR: the znode, where no transaction and no controller told of it. */
static void isr_updated(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_tp tp;
    struct sim_ids isr;
    int64_t version = sim_span_number(SIM_HOLE(h, 'v'), -1);
    if (!sim_span_partition(SIM_HOLE(h, 'p'), &tp) ||
        !sim_story_tell(s, SIM_K_REPLICA, SIM_LANE_BROKER(e->node), 0))
        return;
    sim_span_ids(SIM_HOLE(h, 'i'), &isr);
    sim_trace_text(s->trace, SIM_F_WHAT, "isr");
    sim_trace_partition(s->trace, SIM_F_PARTITION, tp.topic, tp.partition);
    sim_trace_ids(s->trace, SIM_F_ISR, isr.id, isr.count);
    if (version >= 0)
        sim_trace_int(s->trace, SIM_F_ZKVERSION, version);
    set_isr(s, e->node, &tp, &isr);
    if (version >= 0)
        set_part(s, e->node, &tp, "zkv", version);
    uint64_t n = sim_trace_end(s->trace);
    for (size_t i = 0; i < s->node_count && !sim_story_has_txns(s); i++) {
        struct sim_partition_told *p = sim_story_partition(s, s->nodes[i].id, &tp);
        if (!p->has_li || p->li.leader != e->node || version <= p->li.zk_version)
            continue;
        char path[SM_PATH_MAX], json[SM_STATE_BYTES_MAX];
        struct sm_leader_and_isr li = p->li;
        li.isr = sm_list_of(isr.id,
                            (int32_t)(isr.count < SM_REPLICAS_MAX ? isr.count : SM_REPLICAS_MAX));
        li.zk_version = (int32_t)version;
        p->li = li;
        size_t size = sm_znode_encode_state(json, &li);
        sm_path_partition_state(path, tp.topic, tp.partition);
        sim_story_znode(s, path, json, size, (int32_t)version, SIM_LANE_BROKER(e->node), n);
    }
}

/* ---- answers ---- */

static void answered(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    int32_t controller = (int32_t)sim_span_number(SIM_HOLE(h, 'c'), -1);
    struct sim_told *from = sim_story_node(s, controller);
    struct sim_request *r =
        find_answer(from, SIM_API_LEADER_AND_ISR, e->node, sim_span_number(SIM_HOLE(h, 'k'), -1));
    if (r == NULL || r->recv == 0 || r->answer != 0)
        return;
    if (!sim_story_tell(s, SIM_K_SEND, SIM_LANE_BROKER(e->node), r->recv))
        return;
    sim_trace_int(s->trace, SIM_F_M, (int64_t)sim_trace_open_number(s->trace));
    sim_trace_lane(s->trace, SIM_F_TO, SIM_LANE_CONTROLLER(controller));
    sim_trace_text(s->trace, SIM_F_API, sim_api_text(SIM_API_LEADER_AND_ISR));
    sim_trace_int(s->trace, SIM_F_RE, (int64_t)r->record);
    r->answer = sim_trace_end(s->trace);
}

/* "127.0.0.1:9092 (id: 1 rack: null)", "id:1,host:…,port:9092" */
static int32_t broker_in(struct sim_span text)
{
    static const char *const marks[] = {"(id: ", "id:"};
    for (size_t i = 0; i < 2; i++) {
        const char *at = sim_span_find(text, marks[i]);
        struct sim_ids ids;
        if (at == NULL)
            continue;
        at += strlen(marks[i]);
        sim_span_ids((struct sim_span){at, (size_t)(text.at + text.size - at)}, &ids);
        return ids.count > 0 ? ids.id[0] : -1;
    }
    return -1;
}

static bool api_in(struct sim_span text, enum sim_api *api)
{
    static const struct {
        const char *word;
        enum sim_api api;
    } words[] = {
        {"LEADER_AND_ISR", SIM_API_LEADER_AND_ISR},   {"LeaderAndIsr", SIM_API_LEADER_AND_ISR},
        {"UPDATE_METADATA", SIM_API_UPDATE_METADATA}, {"UpdateMetadata", SIM_API_UPDATE_METADATA},
        {"STOP_REPLICA", SIM_API_STOP_REPLICA},       {"StopReplica", SIM_API_STOP_REPLICA},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (sim_span_begins(text, words[i].word)) {
            *api = words[i].api;
            return true;
        }
    return false;
}

static int64_t error_in(struct sim_span text)
{
    static const char *const marks[] = {"errorCode=", "error_code="};
    for (size_t i = 0; i < 2; i++) {
        const char *at = sim_span_find(text, marks[i]);
        size_t digits = 0;
        int64_t error;
        if (at == NULL)
            continue;
        at += strlen(marks[i]);
        while (at + digits < text.at + text.size && at[digits] >= '0' && at[digits] <= '9')
            digits++;
        return sim_span_int((struct sim_span){at, digits}, &error) ? error : -1;
    }
    return -1;
}

static void response(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    enum sim_api api;
    struct sim_ids ids;
    int32_t broker = broker_in(SIM_HOLE(h, 'x'));
    int64_t corr = sim_span_number(SIM_HOLE(h, 'k'), -1), error = error_in(SIM_HOLE(h, 's'));
    if (!api_in(SIM_HOLE(h, 'w'), &api) && !api_in(SIM_HOLE(h, 's'), &api))
        return;
    if (corr < 0) { /* 0.8: UpdateMetadataResponse(CORRELATION,ERROR) */
        sim_span_ids(SIM_HOLE(h, 's'), &ids);
        corr = ids.count > 0 && SIM_HOLE(h, 'w').size == 0 ? ids.id[0] : -1;
        error = ids.count > 1 ? ids.id[ids.count - 1] : error;
    }
    struct sim_told *node = sim_story_node(s, e->node);
    sim_story_end_group(s, node);
    struct sim_request *r = find_answer(node, api, broker, corr);
    uint64_t by = r == NULL ? 0 : r->answer != 0 ? r->answer : r->recv != 0 ? r->recv : r->record;
    if (!sim_story_tell(s, SIM_K_RECV, SIM_LANE_CONTROLLER(e->node), by))
        return;
    if (r != NULL && r->answer != 0)
        sim_trace_int(s->trace, SIM_F_M, (int64_t)r->answer);
    if (r != NULL)
        sim_trace_int(s->trace, SIM_F_RE, (int64_t)r->record);
    sim_trace_lane(s->trace, SIM_F_FRM, SIM_LANE_BROKER(broker < 0 ? 0 : broker));
    sim_trace_text(s->trace, SIM_F_API, sim_api_text(api));
    if (error >= 0)
        sim_trace_int(s->trace, SIM_F_ERROR, error);
    sim_trace_end(s->trace);
    if (r != NULL)
        r->over = true;
}

/* ---- which line is what ---- */

void sim_story_message(struct sim_story *s, const struct sim_entry *e, const struct sim_holes *h)
{
    struct sim_told *node = sim_story_node(s, e->node);
    struct sim_ids to = {0};
    int64_t n = sim_span_number(SIM_HOLE(h, 'n'), 0), m = sim_span_number(SIM_HOLE(h, 'm'), 0);
    switch ((enum sim_word)e->word) {
    case WORD_SEND_LEADER_AND_ISR:
        sim_span_ids(SIM_HOLE(h, 'b'), &to);
        send_all(s, node, SIM_API_LEADER_AND_ISR, &to, n + m);
        return;
    case WORD_SEND_METADATA:
        sim_span_ids(SIM_HOLE(h, 'i'), &to);
        send_all(s, node, SIM_API_UPDATE_METADATA, &to, n);
        return;
    case WORD_SEND_STOP:
        sim_span_ids(SIM_HOLE(h, 'b'), &to);
        send_all(s, node, SIM_API_STOP_REPLICA, &to, n);
        return;
    case WORD_SEND_LEADER_AND_ISR_ONE:
        gather(s, e, SIM_API_LEADER_AND_ISR, h);
        return;
    case WORD_SEND_METADATA_ONE:
        gather(s, e, SIM_API_UPDATE_METADATA, h);
        return;
    case WORD_SEND_STOP_ONE:
        gather(s, e, SIM_API_STOP_REPLICA, h);
        return;
    case WORD_RESPONSE:
        response(s, e, h);
        return;
    case WORD_RECV_LEADER_AND_ISR:
    case WORD_RECV_LEADER_AND_ISR_ONE:
        receive(s, e, h, SIM_API_LEADER_AND_ISR, n);
        return;
    case WORD_RECV_METADATA:
        receive(s, e, h, SIM_API_UPDATE_METADATA, n + m);
        return;
    case WORD_RECV_METADATA_ONE:
    case WORD_RECV_METADATA_GONE:
        receive(s, e, h, SIM_API_UPDATE_METADATA, -1);
        return;
    case WORD_RECV_STOP:
        receive(s, e, h, SIM_API_STOP_REPLICA, n);
        return;
    case WORD_RECV_STOP_ONE:
        if (SIM_HOLE(h, 'k').size > 0)
            receive(s, e, h, SIM_API_STOP_REPLICA, -1);
        stops(s, e, h);
        return;
    case WORD_DONE_LEADER_AND_ISR:
        answered(s, e, h);
        return;
    case WORD_LEADS:
    case WORD_FOLLOWS:
        becomes(s, e, h);
        return;
    case WORD_STALE:
        refuse(s, e, h);
        return;
    case WORD_ISR_UPDATED:
        isr_updated(s, e, h);
        return;
    case WORD_UNKNOWN:
    case WORD_OTHER:
    case WORD_NOTE:
    case WORD_EVENT:
    case WORD_PARTITION_NEW:
    case WORD_PARTITION_ONLINE:
    case WORD_PARTITION_MOVE:
    case WORD_REPLICA_MOVE:
    case WORD_PARTITION_REFUSED:
    case WORD_REPLICA_REFUSED:
    case WORD_ISR_WITHOUT:
    case WORD_LEADER_AND_ISR:
    case WORD_EPOCH_UP:
    case WORD_ELECTED:
    case WORD_NOT_ELECTED:
    case WORD_RESIGNED:
    case WORD_MOVED:
    case WORD_BROKERS:
    case WORD_LIVE:
    case WORD_SHUTTING:
    case WORD_EPOCHS:
    case WORD_TOPICS:
    case WORD_TOPIC_GONE:
    case WORD_ASSIGNED:
    case WORD_ELECTION:
    case WORD_CONTROLLED_SHUTDOWN:
    case WORD_REPLICAS_FOUND:
    case WORD_PARTITIONS_FOUND:
    case WORD_CHANNEL:
    case WORD_STARTING:
    case WORD_STARTED:
    case WORD_STOPPED:
    case WORD_SESSION:
    case WORD_SESSION_EXPIRED:
    case WORD_REGISTERING:
    case WORD_REGISTERED:
    case WORD_TRUNCATES:
    case WORD_STALE_ONE:
    case WORD_END:
        if (e->is_controller && sim_span_is(e->logger, "state.change.logger"))
            sim_story_end_group(s, node);
        return;
    }
}
