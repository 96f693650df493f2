/*
 * One channel between two threads, whose packets are staged or not as it comes: all records, their
 * timestamps, texts and marks arrive, in order; in a ring of its own and in one of many.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "mix.h"
#include "stream/ring.h"

typedef struct {
    int64_t number;
    st_str text;
} numbered;
ST_TYPE(numbered, number, text);

typedef struct {
    int64_t number, twice, thrice;
} plain;
ST_TYPE(plain, number, twice, thrice);

#define RECORDS 200000

static struct ring *ring;
static bool with_text;
static uint64_t random_state;

/* The text of record `number`: now and then longer than a packet has room for. */
static uint32_t text_of(int64_t number, char *text)
{
    uint32_t size = number % 5000 == 0 ? PACKET_TEXT_SIZE + 7 : (uint32_t)(number % 23);
    memset(text, 'a' + (int)(number % 26), size);
    return size;
}

static bool put(int64_t number)
{
    struct packet *p = ring_open(ring);
    char *to = p->records + (size_t)p->count * ring->layout.size;
    if (with_text) {
        static char text[PACKET_TEXT_SIZE + 8];
        uint32_t size = text_of(number, text);
        char *at = packet_text(ring, size);
        if (at == NULL) {
            return false;
        }
        memcpy(at, text, size);
        numbered one = {number, {packet_text_read(ring, at), size, 0}};
        memcpy(to, &one, sizeof one);
    } else {
        plain one = {number, 2 * number, 3 * number};
        memcpy(to, &one, sizeof one);
    }
    int64_t *times = packet_times(p, 1, number % 1000 < 900);
    if (times != NULL) {
        *times = number * 7;
    }
    p->count++;
    return true;
}

static void *produce(void *arg)
{
    for (int64_t number = 0; number < RECORDS;) {
        while (ring_is_full(ring)) {
            sched_yield();
        }
        ring->is_near = draw(&random_state, 3) == 0; /* taken when a packet is opened */
        struct packet *p = ring_open(ring);
        for (uint64_t left = 1 + draw(&random_state, BATCH_SIZE); left > 0 && number < RECORDS;
             left--) {
            if (!put(number)) {
                break;
            }
            number++;
            if (draw(&random_state, 100) == 0 && p->mark_count < PACKET_MARKS) {
                p->marks[p->mark_count++] = (struct mark){MARK_WATERMARK, p->count, number};
            }
        }
        ring_publish(ring);
    }
    return arg;
}

static void check_packet(const struct packet *p, int64_t *number)
{
    int64_t first = *number;
    for (uint32_t k = 0; k < p->count; k++, ++*number) {
        const char *record = p->records + (size_t)k * ring->layout.size;
        if (with_text) {
            char text[PACKET_TEXT_SIZE + 8];
            uint32_t size = text_of(*number, text);
            numbered one;
            memcpy(&one, record, sizeof one);
            ck_assert(one.number == *number && one.text.size == size);
            ck_assert(memcmp(one.text.data, text, size) == 0);
        } else {
            plain one;
            memcpy(&one, record, sizeof one);
            ck_assert(one.number == *number && one.twice == 2 * *number);
            ck_assert(one.thrice == 3 * *number);
        }
        int64_t time = *number % 1000 < 900 ? *number * 7 : ST_TIME_MIN;
        ck_assert((p->timed != 0 ? p->times[k] : ST_TIME_MIN) == time);
    }
    for (uint32_t m = 0; m < p->mark_count; m++) {
        ck_assert(p->marks[m].kind == MARK_WATERMARK);
        ck_assert(first + p->marks[m].before == p->marks[m].value);
    }
}

START_TEST(all_arrives_staged_or_not)
{
    pthread_t producer;
    with_text = _i % 2 == 1;
    random_state = 1;
    ring = aligned_alloc(64, (sizeof *ring + 63) / 64 * 64);
    memset(ring, 0, sizeof *ring);
    ring_init(ring, with_text ? &st_type_numbered : &st_type_plain, RING_ROUND_SIZE, _i >= 2);
    ck_assert(pthread_create(&producer, NULL, produce, NULL) == 0);
    for (int64_t number = 0; number < RECORDS;) {
        const struct packet *p = ring_peek(ring);
        if (p == NULL) {
            sched_yield();
            continue;
        }
        check_packet(p, &number);
        ring_foresee(ring);
        ring_pop(ring);
    }
    pthread_join(producer, NULL);
    ck_assert(ring_is_clear(ring));
    ring_free(ring);
    free(ring);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *tc = tcase_create("ring");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, all_arrives_staged_or_not, 0, 4);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
