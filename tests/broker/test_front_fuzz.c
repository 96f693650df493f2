/*
 * Requests drawn at random from the tables of every API that is served, in every version: the node
 * never stops, and each request gets exactly one answer, one that can be sent in its version.
 * Between them brokers come and go, time passes, sessions expire.
 *
 * KC_DEEP=1: twenty times as many.
 */
#include <stdio.h>
#include <stdlib.h>

#include "drawn.h"
#include "front_desk.h"

/* Longest timeout that is drawn, and a bit. */
#define PAST_DEADLINES ((int64_t)61000000)

static uint64_t send_random(struct front *f, const struct wire_api_info *api)
{
    struct wire_flat w;
    int16_t version = (int16_t)(api->min + (int16_t)draw((uint32_t)(api->max - api->min) + 1));
    uint8_t *head = front_begin(f, &w, api->key);
    draw_message(&w, api->head[WIRE_REQUEST], head, version);
    return front_send(f, &w, api->key, version);
}

static void disturb(struct front *f)
{
    switch (draw(40)) {
    case 0:
        front_kill_broker(f, 3);
        front_broker(f, 3, "", draw(2) == 0);
        break;
    case 1:
        front_expire(f);
        break;
    case 2:
        front_advance(f, 70000000);
        break;
    default:
        break;
    }
}

START_TEST(every_request_gets_exactly_one_answer)
{
    int rounds = getenv("KC_DEEP") != NULL ? 20000 : 1000;
    struct front *f = front_new(
        _i % 2 ? "auto.create.topics.enable=true\noffsets.topic.num.partitions=3" : NULL, 3);
    uint64_t calls[4000];
    int count = 0;
    draw_from((uint64_t)_i + 1);
    front_create_topics(f, 4, "t (0:1,2 1:2,3);u 3 1", 1000, false);
    for (int i = 0; i < rounds; i++) {
        if (!kn_node_takes_requests(front_node(f)) || count == 4000) {
            front_advance(f, PAST_DEADLINES); /* past any deadline */
            for (int k = 0; k < count; k++)
                if (front_answers(f, calls[k]) != 1)
                    ck_abort_msg("call %d: %d answers", k, front_answers(f, calls[k]));
            count = 0;
            continue;
        }
        calls[count++] = send_random(f, draw_api());
        for (int k = count - 1; k < count; k++)
            ck_assert_int_le(front_answers(f, calls[k]), 1);
        disturb(f);
    }
    front_advance(f, PAST_DEADLINES);
    for (int k = 0; k < count; k++)
        ck_assert_int_eq(front_answers(f, calls[k]), 1);
    ck_assert(kb_broker_is_quiet(front_node(f)->broker));
    front_free(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("front fuzz");
    TCase *c = tcase_create("requests");
    tcase_add_loop_test(c, every_request_gets_exactly_one_answer, 0, 8);
    tcase_set_timeout(c, 600);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
