/*
 * Records to subtasks by key: what goes eight at a time gives the same as what goes one by one, and
 * both what st_key_group says; every record is picked once; hashes of text are Java's.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mix.h"
#include "stream/route.h"

typedef struct {
    int64_t value, key, time;
} numbered;
ST_TYPE(numbered, value, key, time);

typedef struct {
    st_str text;
    int64_t count;
} worded;
ST_TYPE(worded, text, count);

typedef struct __attribute__((packed)) {
    int32_t before;
    int64_t key, value;
    int32_t behind;
} packed;
ST_TYPE(packed, before, key, value, behind);

typedef struct __attribute__((packed)) {
    int32_t before;
    st_str text;
    int32_t behind;
} packed_text;
ST_TYPE(packed_text, before, text, behind);

static uint64_t random_one(void)
{
    static uint64_t at = 1;
    return mix(at++);
}

/* Every record of a batch once, to the owner of its key group, in its order. */
static void check_batch(const struct router *r, const st_key_spec *spec, const void *records,
                        uint32_t size, uint32_t count)
{
    uint32_t rings[PICKS_MAX], seen = 0;
    uint16_t picks[PICKS_MAX];
    int64_t times[BATCH_SIZE], picked_times[PICKS_MAX];
    char *copies = malloc((size_t)BATCH_SIZE * size);
    for (uint32_t k = 0; k < count; k++) {
        times[k] = (int64_t)random_one();
    }
    router_choose(r, records, size, count, rings);
    for (uint32_t ring = 0; ring < r->ring_count; ring++) {
        uint32_t picked = router_pick(r, rings, count, ring, picks);
        router_gather(r, copies, records, size, picks, picked);
        router_pick_times(r, rings, count, ring, times, picks, picked, picked_times);
        for (uint32_t p = 0; p < picked; p++) {
            const char *record = (const char *)records + (size_t)picks[p] * size;
            uint32_t group = st_key_group(st_key_hash(spec, record), r->max_parallelism);
            ck_assert(st_key_group_owner(group, r->ring_count, r->max_parallelism) == ring);
            ck_assert(p == 0 || picks[p] > picks[p - 1]);
            ck_assert(memcmp(copies + (size_t)p * size, record, size) == 0);
            ck_assert(picked_times[p] == times[picks[p]]);
        }
        seen += picked;
    }
    ck_assert(seen == count);
    free(copies);
}

static void both_ways(const st_key_spec *spec, uint32_t size, const void *records, uint32_t count)
{
    static const uint32_t groups[] = {128, 1, 2, 100, 32768, 7};
    static const uint32_t rings[] = {1, 2, 3, 7, 8, 100};
    for (uint32_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        for (uint32_t n = 0; n < sizeof rings / sizeof rings[0] && rings[n] <= groups[g]; n++) {
            struct router r;
            router_init(&r, spec, rings[n], groups[g]);
            check_batch(&r, spec, records, size, count);
            r.wider = false;
            check_batch(&r, spec, records, size, count);
            r.wide = false;
            check_batch(&r, spec, records, size, count);
            router_free(&r);
        }
    }
}

static const st_key_spec by_number = ST_KEY(numbered, key);
static const st_key_spec by_two = ST_KEY(numbered, key, time);
static const st_key_spec by_packed = ST_KEY(packed, key);
static const st_key_spec by_packed_text = ST_KEY(packed_text, text);
static const st_key_spec by_text = ST_KEY(worded, text);

START_TEST(numbers_go_to_the_owners_of_their_groups)
{
    static const uint32_t counts[] = {0, 1, 7, 8, 9, 31, 255, 257, BATCH_SIZE - 1, BATCH_SIZE};
    for (uint32_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        /* Of this size and no more, so that the sanitizers see a step behind the last. */
        numbered *records = malloc((counts[c] + (counts[c] == 0)) * sizeof *records);
        for (uint32_t k = 0; k < counts[c]; k++) {
            records[k] =
                (numbered){(int64_t)random_one(), (int64_t)(random_one() >> random_one() % 64), 3};
        }
        both_ways(&by_number, sizeof *records, records, counts[c]);
        both_ways(&by_two, sizeof *records, records, counts[c]);
        free(records);
    }
}
END_TEST

/* A key need not lie at a multiple of its size. */
START_TEST(packed_keys_go_to_the_owners_of_their_groups)
{
    packed records[BATCH_SIZE];
    packed_text texts[BATCH_SIZE];
    for (uint32_t k = 0; k < BATCH_SIZE; k++) {
        records[k] = (packed){(int32_t)random_one(), (int64_t)random_one(), 1, 2};
        texts[k] = (packed_text){1, {&"abcdefgh"[k % 8], 1 + k % 7 % (8 - k % 8), 0}, 2};
    }
    both_ways(&by_packed, sizeof *records, records, BATCH_SIZE);
    both_ways(&by_packed_text, sizeof *texts, texts, BATCH_SIZE);
}
END_TEST

/* Java's String.hashCode as its documentation has it, for text of ASCII. */
static int32_t plain_hash(const char *text, uint32_t size)
{
    uint32_t h = 0;
    for (uint32_t i = 0; i < size; i++) {
        h = 31 * h + (uint8_t)text[i];
    }
    return (int32_t)h;
}

/* Of `least` to `most` bytes. */
static void check_texts(uint32_t least, uint32_t most)
{
    worded records[BATCH_SIZE];
    for (uint32_t k = 0; k < BATCH_SIZE; k++) {
        uint32_t size = least + (uint32_t)(random_one() % (most - least + 1));
        char *text = malloc(size + (size == 0));
        for (uint32_t i = 0; i < size; i++) {
            text[i] = (char)(random_one() % 128);
        }
        records[k] = (worded){{text, size, 0}, k};
        ck_assert(st_key_hash(&by_text, &records[k]) == plain_hash(text, size));
    }
    both_ways(&by_text, sizeof *records, records, BATCH_SIZE);
    for (uint32_t k = 0; k < BATCH_SIZE; k++) {
        free((void *)(uintptr_t)records[k].text.data);
    }
}

START_TEST(texts_go_to_the_owners_of_their_groups)
{
    check_texts(0, 40);
    check_texts(0, 8);
    check_texts(1, 8); /* all of eight are short */
    check_texts(8, 9);
}
END_TEST

/* Short ones at the end of a page behind which there is none, and some beyond ASCII among them. */
START_TEST(short_texts_are_not_read_beyond_their_page)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(pages != MAP_FAILED && mprotect(pages + page, page, PROT_NONE) == 0);
    memcpy(pages + page - 16, "abcdefghij\xC3\xA4stuv", 16);
    worded records[64];
    for (uint32_t k = 0; k < 64; k++) {
        uint32_t size = k % 9, back = k < 32 ? 16 : size + k % 4;
        records[k] = (worded){{pages + page - back, size, 0}, k};
        ck_assert(st_key_hash(&by_text, &records[k]) ==
                  java_hash_of_long_text(records[k].text.data, size));
    }
    both_ways(&by_text, sizeof *records, records, 64);
    munmap(pages, 2 * page);
}
END_TEST

START_TEST(text_beyond_ascii_hashes_as_java_does)
{
    static const struct {
        const char *text;
        int32_t hash;
    } cases[] = {
        {"", 0},
        {"a", 97},
        {"\xC3\xA4", 0xE4}, /* one unit */
        {"Gr\xC3\xB6\xC3\x9F"
         "e",
         ((('G' * 31 + 'r') * 31 + 0xF6) * 31 + 0xDF) * 31 + 'e'},
        {"\xE2\x82\xAC", 0x20AC},                   /* the euro */
        {"\xF0\x9F\x98\x80", 0xD83D * 31 + 0xDE00}, /* two units */
        {"\xFF", 0xFFFD},                           /* malformed */
    };
    for (uint32_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        worded record = {{cases[c].text, (uint32_t)strlen(cases[c].text), 0}, 1};
        ck_assert(st_key_hash(&by_text, &record) == cases[c].hash);
    }
    char mixed[] = "eight by8\xC3\xA4 and the rest of it";
    uint32_t h = (uint32_t)plain_hash(mixed, 9) * 31 + 0xE4;
    for (const char *rest = mixed + 11; *rest != '\0'; rest++) {
        h = 31 * h + (uint8_t)*rest;
    }
    worded record = {{mixed, sizeof mixed - 1, 0}, 1};
    ck_assert(st_key_hash(&by_text, &record) == (int32_t)h);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("routing");
    TCase *tc = tcase_create("route");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, packed_keys_go_to_the_owners_of_their_groups);
    tcase_add_test(tc, numbers_go_to_the_owners_of_their_groups);
    tcase_add_test(tc, short_texts_are_not_read_beyond_their_page);
    tcase_add_test(tc, texts_go_to_the_owners_of_their_groups);
    tcase_add_test(tc, text_beyond_ascii_hashes_as_java_does);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
