/*
 * Numbers dealt out to subtasks in any order of their steps, with checkpoints whose barriers each
 * takes at a moment of its own, some of them given up, and restores at any parallelism: what was
 * out before the barriers and what comes out after the restore is every number once. A subtask that
 * takes a `known` too late is caught.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mix.h"
#include "stream/dealer.h"

#define SUBTASKS_MAX 5
#define COUNT_MAX    400

static uint64_t random_state;

struct subtask {
    struct hand hand;
    int64_t barrier;
    struct bytes section;                           /* at the barrier */
    uint32_t out[COUNT_MAX], out_before[COUNT_MAX]; /* how often; before the barrier */
};

struct job {
    struct dealer dealer;
    struct subtask subtasks[SUBTASKS_MAX];
    uint32_t parallelism;
    int64_t wanted;
    bool careless;
};

static void step(struct job *job, uint32_t s)
{
    struct subtask *subtask = &job->subtasks[s];
    struct hand *hand = &subtask->hand;
    if (hand->begun.count == 0) {
        uint64_t next = dealer_next(&job->dealer);
        if (job->careless || job->wanted == subtask->barrier) {
            hand_know(hand, next);
        }
        (void)hand_claim(hand, &job->dealer, 1 + draw(&random_state, 40));
    }
    struct range *first = hand_first(hand);
    if (first != NULL) {
        for (uint64_t left = 1 + draw(&random_state, first->to - first->from); left > 0; left--) {
            subtask->out[first->from++]++;
        }
        hand_put_out(hand, first);
    }
}

static void take_barrier(struct job *job, uint32_t s)
{
    struct subtask *subtask = &job->subtasks[s];
    bytes_free(&subtask->section);
    subtask->section = (struct bytes){0};
    hand_write(&subtask->hand, s == 0 ? &job->dealer : NULL, &subtask->section);
    memcpy(subtask->out_before, subtask->out, sizeof subtask->out);
    subtask->barrier = job->wanted;
}

/* Steps and barriers in any order, until each subtask has taken its barrier and some more is out.
 */
static void run_to_checkpoint(struct job *job)
{
    for (uint64_t left = draw(&random_state, 60); left > 0; left--) {
        step(job, (uint32_t)draw(&random_state, job->parallelism));
    }
    job->wanted++;
    for (uint32_t in = 0; in < job->parallelism;) {
        uint32_t s = (uint32_t)draw(&random_state, job->parallelism);
        if (draw(&random_state, 3) == 0 && job->subtasks[s].barrier < job->wanted) {
            take_barrier(job, s);
            in++;
        } else if (draw(&random_state, 30) == 0) { /* given up, and the next one begun */
            job->wanted++;
            in = 0;
        } else {
            step(job, s);
        }
    }
    for (uint64_t left = draw(&random_state, 20); left > 0; left--) {
        step(job, (uint32_t)draw(&random_state, job->parallelism));
    }
}

static void job_free(struct job *job)
{
    for (uint32_t s = 0; s < SUBTASKS_MAX; s++) {
        hand_free(&job->subtasks[s].hand);
        bytes_free(&job->subtasks[s].section);
    }
    dealer_free(&job->dealer);
    free(job);
}

static struct job *job_new(uint64_t count, uint32_t parallelism)
{
    struct job *job = calloc(1, sizeof *job);
    job->dealer.count = count;
    job->parallelism = parallelism;
    return job;
}

/* From the sections of `from`; what was out before its barriers counts as out. */
static struct job *restored(const struct job *from, uint32_t parallelism)
{
    struct job *job = job_new(from->dealer.count, parallelism);
    for (uint32_t s = 0; s < parallelism; s++) {
        uint32_t dealt = 0;
        for (uint32_t o = 0; o < from->parallelism; o++) {
            const struct bytes *section = &from->subtasks[o].section;
            struct reader reader = {section->data, section->data + section->size, false};
            bool same = parallelism == from->parallelism;
            hand_read(&job->subtasks[s].hand, s == 0 ? &job->dealer : NULL, &reader,
                      job->dealer.count, same ? 0 : s, same ? s == o : parallelism, &dealt);
            ck_assert(!reader.bad && reader.at == reader.end);
        }
    }
    for (uint32_t s = 0; s < from->parallelism; s++) {
        for (uint32_t k = 0; k < COUNT_MAX; k++) {
            job->subtasks[0].out[k] += from->subtasks[s].out_before[k];
        }
    }
    return job;
}

static void run_to_end(struct job *job)
{
    for (bool some = true; some;) {
        some = dealer_next(&job->dealer) < job->dealer.count;
        for (uint32_t s = 0; s < job->parallelism; s++) {
            some |= job->subtasks[s].hand.begun.count > 0;
        }
        step(job, (uint32_t)draw(&random_state, job->parallelism));
    }
}

static bool is_exact(const struct job *job)
{
    for (uint64_t k = 0; k < job->dealer.count; k++) {
        uint32_t times = 0;
        for (uint32_t s = 0; s < job->parallelism; s++) {
            times += job->subtasks[s].out[k];
        }
        if (times != 1) {
            return false;
        }
    }
    return true;
}

static bool round_is_exact(bool careless)
{
    uint64_t count = 1 + draw(&random_state, COUNT_MAX);
    struct job *job = job_new(count, 1 + (uint32_t)draw(&random_state, SUBTASKS_MAX));
    for (uint64_t restores = 1 + draw(&random_state, 4); restores > 0; restores--) {
        job->careless = careless;
        run_to_checkpoint(job);
        struct job *next = restored(job, draw(&random_state, 2) == 0
                                             ? job->parallelism
                                             : 1 + (uint32_t)draw(&random_state, SUBTASKS_MAX));
        job_free(job);
        job = next;
    }
    run_to_end(job);
    bool exact = is_exact(job);
    job_free(job);
    return exact;
}

START_TEST(every_number_once)
{
    for (random_state = 1; random_state <= 20000; random_state++) {
        uint64_t seed = random_state;
        ck_assert_msg(round_is_exact(false), "seed %lu", (unsigned long)seed);
        random_state = seed;
    }
}
END_TEST

START_TEST(who_knows_too_late_is_caught)
{
    int caught = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        random_state = seed;
        caught += !round_is_exact(true);
    }
    ck_assert_int_gt(caught, 100);
}
END_TEST

/* Ranges that no program of ours wrote. */
START_TEST(anything_can_be_read)
{
    for (random_state = 1; random_state <= 20000;) {
        char bytes[120];
        size_t size = draw(&random_state, sizeof bytes);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = draw(&random_state, 3) == 0 ? (char)draw(&random_state, 256) : 0;
        }
        struct hand hand = {0};
        struct dealer dealer = {.count = 100};
        struct reader reader = {bytes, bytes + size, false};
        uint32_t dealt = 0;
        hand_read(&hand, &dealer, &reader, dealer.count, 0, 1, &dealt);
        for (int i = 0; i < 200 && (hand.begun.count > 0 || hand_claim(&hand, &dealer, 7)); i++) {
            struct range *first = hand_first(&hand);
            ck_assert(first->from < first->to && first->to <= dealer.count);
            first->from++;
            hand_put_out(&hand, first);
        }
        hand_free(&hand);
        dealer_free(&dealer);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dealer");
    TCase *tc = tcase_create("dealer");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, every_number_once);
    tcase_add_test(tc, who_knows_too_late_is_caught);
    tcase_add_test(tc, anything_can_be_read);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
