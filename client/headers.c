/*
 * Headers of records that wait to be sent (rule headers): kept behind key and value, each as its
 * sizes and its bytes.
 *
 *     blob: | key | value | sizes, key, value | sizes, key, value | …
 *
 * A batch has them in the form of Kafka (wire/record_batch.h).
 *
 * Source: rdkafka_header.c: rd_kafka_headers_t, rd_kafka_header_add.
 */
#include <assert.h>
#include <string.h>

#include "client/state.h"

static size_t length(int32_t size)
{
    return size > 0 ? (size_t)size : 0;
}

size_t kl_headers_size(const struct kl_input *in)
{
    size_t size = 0;

    for (uint32_t i = 0; i < in->header_count; i++) {
        const struct wire_log_header *h = &in->headers[i];
        assert(h->key_size >= 0);
        size += sizeof(struct kl_piece) + length(h->key_size) + length(h->value_size);
    }
    return size;
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy(to, bytes, size);
    }
    return to + size;
}

void kl_headers_keep(const struct kl_input *in, uint8_t *to)
{
    for (uint32_t i = 0; i < in->header_count; i++) {
        const struct wire_log_header *h = &in->headers[i];
        const struct kl_piece sizes = {h->key_size, h->value_size};
        to = put(to, &sizes, sizeof sizes);
        to = put(to, h->key, length(h->key_size));
        to = put(to, h->value, length(h->value_size));
    }
}

void kl_headers_read(const struct kl_record *r, const uint8_t *from, struct wire_log_header *out)
{
    struct kl_piece sizes;

    for (uint32_t i = 0; i < r->header_count; i++) {
        memcpy(&sizes, from, sizeof sizes);
        from += sizeof sizes;
        out[i] = (struct wire_log_header){
            .key = from,
            .key_size = sizes.key_size,
            .value = sizes.value_size < 0 ? NULL : from + length(sizes.key_size),
            .value_size = sizes.value_size};
        from += length(sizes.key_size) + length(sizes.value_size);
    }
}
