/*
 * The plain driver: takes a sample, damages it a few times, runs the fuzzer's entry; N rounds from
 * a fixed seed, so that a failure is found again. Without coverage to guide it, it relies on
 * splicing: parts of one sample inside another reach states that single bytes do not.
 *
 *     fuzz_znode [rounds [seed]]
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 4096, DAMAGES_MAX = 6 };

struct input {
    uint8_t bytes[INPUT_MAX];
    size_t size;
};

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % below);
}

static const char *any_sample(void)
{
    uint32_t count = 0;
    while (fuzz_samples[count] != NULL)
        count++;
    return fuzz_samples[draw(count)];
}

/* Puts `size` bytes in at `at`, as far as there is room. */
static void insert(struct input *in, size_t at, const void *bytes, size_t size)
{
    if (size > INPUT_MAX - in->size)
        return;
    memmove(in->bytes + at + size, in->bytes + at, in->size - at);
    memmove(in->bytes + at, bytes, size); /* `bytes` may be the input's own */
    in->size += size;
}

static void cut(struct input *in, size_t at, size_t size)
{
    if (size > in->size - at)
        size = in->size - at;
    memmove(in->bytes + at, in->bytes + at + size, in->size - at - size);
    in->size -= size;
}

/* Bytes on which a JSON scanner turns. */
static const char turning[] = "{}[],:\"\\0123456789-+.eEu/ \n\x00\x1f\x7f\x80\xc0\xe0\xed\xf4\xff";

static void damage(struct input *in)
{
    size_t at = draw((uint32_t)in->size + 1);
    char c = turning[draw(sizeof turning)];
    const char *other = any_sample();
    size_t from = draw((uint32_t)strlen(other) + 1);
    switch (draw(6)) {
    case 0:
        if (at < in->size)
            in->bytes[at] = (uint8_t)draw(256);
        break;
    case 1:
        if (at < in->size)
            in->bytes[at] = (uint8_t)c;
        break;
    case 2:
        insert(in, at, &c, 1);
        break;
    case 3:
        cut(in, at, 1 + draw(8));
        break;
    case 4:
        insert(in, at, other + from, draw((uint32_t)(strlen(other) - from) + 1));
        break;
    default:
        insert(in, at, in->bytes, draw((uint32_t)in->size + 1));
    }
}

/* The entry sees memory of exactly the input's size, for the sanitizer's sake. */
static void run(const struct input *in)
{
    uint8_t *copy = malloc(in->size > 0 ? in->size : 1);
    if (copy == NULL)
        abort();
    memcpy(copy, in->bytes, in->size);
    LLVMFuzzerTestOneInput(copy, in->size);
    free(copy);
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 100000;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 0x2545f4914f6cdd1d;
    static struct input in;
    for (long round = 0; round < rounds; round++) {
        const char *sample = any_sample();
        in.size = strlen(sample);
        memcpy(in.bytes, sample, in.size);
        for (uint32_t left = 1 + draw(DAMAGES_MAX); left > 0; left--)
            damage(&in);
        run(&in);
    }
    printf("%ld inputs\n", rounds);
    return 0;
}
