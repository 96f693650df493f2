/*
 * Answers of the transaction coordinator, built in the scratch and put at once.
 *
 * Producers of before KIP-588 do not know PRODUCER_FENCED; they are told INVALID_PRODUCER_EPOCH.
 *
 * Source: KafkaApis.handleInitProducerIdRequest, handleAddPartitionToTxnRequest,
 * handleAddOffsetsToTxnRequest, handleEndTxnRequest.
 */
#include "broker/txn_state.h"

struct kb_tx_call kb_tx_call_of(const struct kb_tstep *s)
{
    return (struct kb_tx_call){.id = s->in->call_id,
                               .request = s->in->message,
                               .unknown = s->in->unknown,
                               .producer_id = -1,
                               .epoch = KB_TX_NONE,
                               .api = s->in->api,
                               .version = s->in->version};
}

static int16_t told(const struct kb_tx_call *call, int32_t error)
{
    int16_t knows = call->api == WIRE_API_INIT_PRODUCER_ID ? 4 : 2;

    return (int16_t)(error == WIRE_ERROR_PRODUCER_FENCED && call->version < knows
                         ? WIRE_ERROR_INVALID_PRODUCER_EPOCH
                         : error);
}

static void fill_partitions(struct wire_flat *f, struct wire_add_partitions_to_txn_response *out,
                            const struct kb_tx_call *call, int16_t error)
{
    const struct wire_add_partitions_to_txn_request *r = call->request;
    const struct wire_add_partitions_to_txn_request_topic *topics =
        WIRE_ITEMS(r, r->topics, struct wire_add_partitions_to_txn_request_topic);
    uint32_t index = 0;

    out->results = wire_flat_array(f, r->topics.count,
                                   sizeof(struct wire_add_partitions_to_txn_response_topic_result));
    for (int32_t i = 0; i < out->results.count; i++) {
        struct wire_add_partitions_to_txn_response_topic_result *t =
            wire_flat_at(f, out->results.at);
        const int32_t *partitions = WIRE_ITEMS(r, topics[i].partitions, int32_t);
        t[i].name = wire_flat_string(f, wire_text(r, topics[i].name));
        t[i].results =
            wire_flat_array(f, topics[i].partitions.count,
                            sizeof(struct wire_add_partitions_to_txn_response_partition_result));
        struct wire_add_partitions_to_txn_response_partition_result *p =
            wire_flat_at(f, t[i].results.at);
        for (int32_t n = 0; n < t[i].results.count; n++, index++) {
            p[n].partition_index = partitions[n];
            p[n].error_code = (int16_t)(call->unknown != NULL && call->unknown[index] != 0
                                            ? WIRE_ERROR_UNKNOWN_TOPIC_OR_PARTITION
                                            : error);
        }
    }
}

void kb_tx_answer(const struct kb_tstep *s, const struct kb_tx_call *call, int32_t error)
{
    struct wire_flat f;
    int16_t code = told(call, error);
    void *head = wire_flat_begin(&f, s->out->scratch, kb_txns_scratch_size(&s->x->limits),
                                 wire_head_size(WIRE_RESPONSE, call->api));

    wire_defaults(WIRE_RESPONSE, call->api, head);
    if (call->api == WIRE_API_INIT_PRODUCER_ID) {
        struct wire_init_producer_id_response *r = head;
        r->error_code = code;
        r->producer_id = call->producer_id;
        r->producer_epoch = call->epoch;
    } else if (call->api == WIRE_API_ADD_PARTITIONS_TO_TXN) {
        fill_partitions(&f, head, call, code);
    } else if (call->api == WIRE_API_ADD_OFFSETS_TO_TXN) {
        ((struct wire_add_offsets_to_txn_response *)head)->error_code = code;
    } else {
        ((struct wire_end_txn_response *)head)->error_code = code;
    }
    size_t size = wire_flat_end(&f);
    assert(size != 0);
    s->out->put(s->out->context, &(struct kb_txns_output){.kind = KB_TXNS_OUT_ANSWER,
                                                          .call_id = call->id,
                                                          .api = call->api,
                                                          .version = call->version,
                                                          .message = f.bytes,
                                                          .size = (uint32_t)size});
}
