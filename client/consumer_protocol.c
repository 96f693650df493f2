/*
 * What the members of a consumer group tell each other through their coordinator, which does not
 * read it: big-endian, texts with a length of 16 bits.
 *
 *     subscription: version i16 | topics | user data | owned partitions (version 1)
 *     assignment:   version i16 | topics with partitions | user data
 *
 * Readers are total: a member of another make may say anything.
 *
 * Source: rdkafka_assignor.c: rd_kafka_consumer_protocol_member_metadata_new;
 * rdkafka_cgrp.c: rd_kafka_group_MemberMetadata_consumer_read; Kafka ConsumerProtocol (KIP-429).
 */
#include <string.h>

#include "client/state.h"

enum { NAME_ROOM = KL_TEXT };

static void put(struct kl_bytes *to, const void *bytes, size_t size)
{
    if (to->bad || (size_t)(to->end - to->at) < size) {
        to->bad = true;
        return;
    }
    memcpy(to->at, bytes, size);
    to->at += size;
}

void kl_write_i16(struct kl_bytes *to, int32_t v)
{
    uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    put(to, b, sizeof b);
}

void kl_write_i32(struct kl_bytes *to, int32_t v)
{
    uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    put(to, b, sizeof b);
}

void kl_write_text(struct kl_bytes *to, const char *text)
{
    kl_write_i16(to, (int32_t)strlen(text));
    put(to, text, strlen(text));
}

static void write_owned(const struct kl_client *c, struct kl_bytes *to)
{
    int32_t topics = 0;

    for (uint32_t i = 1; i <= c->topic_count; i++) {
        for (uint32_t p = kl_topic_at(c, i)->partitions; p != 0; p = kl_partition_at(c, p)->next) {
            topics += kl_partition_at(c, p)->assigned != 0;
        }
    }
    kl_write_i32(to, topics); /* one entry a partition */
    for (uint32_t i = 1; i <= c->topic_count; i++) {
        for (uint32_t p = kl_topic_at(c, i)->partitions; p != 0; p = kl_partition_at(c, p)->next) {
            if (kl_partition_at(c, p)->assigned) {
                kl_write_text(to, kl_topic_at(c, i)->name);
                kl_write_i32(to, 1);
                kl_write_i32(to, kl_partition_at(c, p)->number);
            }
        }
    }
}

void kl_write_subscription(const struct kl_client *c, struct kl_bytes *to, bool with_owned)
{
    int32_t topics = 0;

    for (uint32_t i = 1; i <= c->topic_count; i++) {
        topics += kl_topic_at(c, i)->subscribed != 0;
    }
    kl_write_i16(to, 1);
    kl_write_i32(to, topics);
    for (uint32_t i = 1; i <= c->topic_count; i++) {
        if (kl_topic_at(c, i)->subscribed) {
            kl_write_text(to, kl_topic_at(c, i)->name);
        }
    }
    kl_write_i32(to, 0); /* user data */
    if (with_owned) {
        write_owned(c, to);
    } else {
        kl_write_i32(to, 0);
    }
}

/* ---- reading ---- */

struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static uint32_t number(struct reader *r, size_t size)
{
    uint32_t v = 0;

    if ((size_t)(r->end - r->at) < size) {
        r->bad = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        v = v << 8 | *r->at++;
    }
    return v;
}

static int32_t count(struct reader *r, size_t least)
{
    int32_t n = (int32_t)number(r, 4);

    if (n > 0 && (size_t)n > (size_t)(r->end - r->at) / least) {
        r->bad = true;
    }
    return r->bad || n < 0 ? 0 : n;
}

static void text(struct reader *r, char *to)
{
    int32_t size = (int16_t)number(r, 2);

    to[0] = 0;
    if (r->bad || size < 0 || size >= NAME_ROOM || r->end - r->at < size) {
        r->bad = true;
        return;
    }
    memcpy(to, r->at, (size_t)size);
    to[size] = 0;
    r->at += size;
}

static void topics_with_partitions(struct reader *r,
                                   void (*each)(void *context, const char *name, int32_t partition),
                                   void *context)
{
    char name[NAME_ROOM];

    for (int32_t n = count(r, 6); n > 0 && !r->bad; n--) {
        text(r, name);
        for (int32_t k = count(r, 4); k > 0 && !r->bad; k--) {
            int32_t partition = (int32_t)number(r, 4);
            if (!r->bad && partition >= 0) {
                each(context, name, partition);
            }
        }
    }
}

bool kl_read_subscription(const uint8_t *bytes, int32_t size,
                          void (*topic)(void *context, const char *name),
                          void (*owned)(void *context, const char *name, int32_t partition),
                          void *context)
{
    struct reader r = {bytes, bytes == NULL ? NULL : bytes + (size > 0 ? size : 0), bytes == NULL};
    int32_t version = (int16_t)number(&r, 2);
    char name[NAME_ROOM];

    for (int32_t n = count(&r, 2); n > 0 && !r.bad; n--) {
        text(&r, name);
        if (!r.bad && topic != NULL) {
            topic(context, name);
        }
    }
    r.at += count(&r, 1); /* user data */
    if (version >= 1 && owned != NULL && !r.bad) {
        topics_with_partitions(&r, owned, context);
    }
    return !r.bad;
}

bool kl_read_assignment(const uint8_t *bytes, int32_t size,
                        void (*each)(void *context, const char *name, int32_t partition),
                        void *context)
{
    struct reader r = {bytes, bytes == NULL ? NULL : bytes + (size > 0 ? size : 0), bytes == NULL};

    number(&r, 2);
    if (!r.bad) {
        topics_with_partitions(&r, each, context);
    }
    return !r.bad;
}
