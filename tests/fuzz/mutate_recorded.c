/*
 * The driver of fuzz_wire: damages bytes that Apache Kafka wrote (tests/wire/recorded/), which hold
 * zeros, so that the driver for texts cannot have them. N rounds from a fixed seed.
 *
 *     fuzz_wire [rounds [seed]]
 */
#define _POSIX_C_SOURCE 200809L
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../wire/recorded.h"

enum { SAMPLES_MAX = 4096, INPUT_MAX = 8192, DAMAGES_MAX = 5 };

struct sample {
    uint8_t *bytes; /* API, version and direction, body */
    size_t size;
};

static struct sample samples[SAMPLES_MAX];
static uint32_t sample_count;
static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % below);
}

static void add(uint8_t first, uint8_t second, const uint8_t *bytes, size_t size)
{
    if (sample_count == SAMPLES_MAX || size > INPUT_MAX - 2)
        return;
    struct sample *s = &samples[sample_count++];
    s->size = size + 2;
    s->bytes = malloc(s->size);
    if (s->bytes == NULL)
        abort();
    s->bytes[0] = first;
    s->bytes[1] = second;
    memcpy(s->bytes + 2, bytes, size);
}

static void load_messages(void)
{
    struct recorded_file *f = recorded_open();
    struct recorded r;
    while (recorded_next(f, &r))
        add((uint8_t)r.api, (uint8_t)(r.version << 1 | (r.direction == WIRE_RESPONSE)), r.bytes,
            r.size);
    recorded_close(f);
}

/* Batches are few beside the messages: each counts as often as this. */
enum { BATCH_WEIGHT = 4 };

static void load_batches(void)
{
    static uint8_t bytes[1 << 16];
    FILE *in = fopen(KC_SOURCE_DIR "/tests/wire/recorded/batches.txt", "r");
    char *line = NULL;
    size_t capacity = 0;
    while (in != NULL && getline(&line, &capacity, in) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "batch ", 6) != 0 || strlen(line) > sizeof bytes)
            continue;
        size_t size = recorded_unhex(line + 6, bytes);
        for (int i = 0; i < BATCH_WEIGHT; i++)
            add(255, 0, bytes, size);
    }
    free(line);
    if (in != NULL)
        fclose(in);
}

/* Numbers on which a reader of lengths turns. */
static const uint8_t turning[] = {0, 1, 2, 3, 0x7f, 0x80, 0xff, 0xfe, 0x40};

static size_t damage(uint8_t *bytes, size_t size)
{
    size_t at = draw((uint32_t)size);
    const struct sample *other = &samples[draw(sample_count)];
    size_t part = draw((uint32_t)other->size) / 2;
    switch (draw(6)) {
    case 0:
        bytes[at] = (uint8_t)draw(256);
        return size;
    case 1:
        bytes[at] = turning[draw(sizeof turning)];
        return size;
    case 2:
        bytes[at] ^= (uint8_t)(1u << draw(8));
        return size;
    case 3:
        return at + 1; /* cut */
    case 4:
        if (size + part > INPUT_MAX)
            return size;
        memmove(bytes + at + part, bytes + at, size - at);
        memcpy(bytes + at, other->bytes, part);
        return size + part;
    default:
        memmove(bytes + at, bytes + at + 1, size - at - 1);
        return size > 1 ? size - 1 : 1;
    }
}

/* The entry sees memory of exactly the input's size, for the sanitizer's sake. */
static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size);
    if (copy == NULL)
        abort();
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 100000;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 0x2545f4914f6cdd1d;
    static uint8_t input[INPUT_MAX];
    load_messages();
    load_batches();
    for (long round = 0; round < rounds; round++) {
        const struct sample *s = &samples[draw(sample_count)];
        size_t size = s->size;
        memcpy(input, s->bytes, size);
        for (uint32_t left = 1 + draw(DAMAGES_MAX); left > 0; left--)
            size = damage(input, size);
        run(input, size);
    }
    for (uint32_t i = 0; i < sample_count; i++)
        free(samples[i].bytes);
    printf("%ld inputs\n", rounds);
    return 0;
}
