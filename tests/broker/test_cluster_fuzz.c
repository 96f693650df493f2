/*
 * Requests drawn at random to whole nodes with data: no node ever stops, every block stays sound, a
 * call has at most one answer (the desk asserts it), and once all members are gone nothing waits.
 * Between them nodes die and come back, and time passes.
 *
 * KC_DEEP=1: ten times as many.
 */
#include <stdlib.h>

#include "tests/broker/cluster_desk.h"
#include "tests/broker/drawn.h"

#define SECOND ((int64_t)1000000)

static const char *const settings[] = {"offsets.topic.num.partitions",
                                       "2",
                                       "transaction.state.log.num.partitions",
                                       "2",
                                       "group.min.session.timeout.ms",
                                       "1",
                                       "group.initial.rebalance.delay.ms",
                                       "100",
                                       "auto.create.topics.enable",
                                       "true",
                                       NULL};

static void check_all(struct desk *d)
{
    for (int i = 1; i <= 3; i++)
        if (desk_is_alive(d, i))
            kb_broker_check(desk_node(d, i)->broker);
}

static void send(struct desk *d, int node)
{
    struct wire_flat w;
    const struct wire_api_info *api = draw_api();
    int16_t version = (int16_t)(api->min + (int16_t)draw((uint32_t)(api->max - api->min) + 1));
    if (api->key == WIRE_API_CONTROLLED_SHUTDOWN || !desk_is_alive(d, node) ||
        !kn_node_takes_requests(desk_node(d, node)))
        return;
    void *head = desk_begin(d, &w, api->key);
    draw_message(&w, api->head[WIRE_REQUEST], head, version);
    desk_send(d, node, &w, api->key, version);
}

static void disturb(struct desk *d, int node)
{
    switch (draw(60)) {
    case 0:
        if (desk_is_alive(d, node))
            desk_kill(d, node);
        break;
    case 1:
    case 2:
        if (!desk_is_alive(d, node))
            desk_start(d, node);
        break;
    case 3:
        desk_run(d, 5 * SECOND);
        break;
    default:
        desk_run(d, SECOND / 50);
        break;
    }
}

static void find_coordinators(struct desk *d)
{
    for (int8_t type = 0; type < 2; type++) { /* makes the internal topics */
        struct wire_flat w;
        struct wire_find_coordinator_request *q = desk_begin(d, &w, WIRE_API_FIND_COORDINATOR);
        q->key = wire_flat_string(&w, "t");
        q->key_type = type;
        desk_send(d, 1, &w, WIRE_API_FIND_COORDINATOR, 3);
        desk_run(d, SECOND);
    }
}

START_TEST(nodes_bear_any_request)
{
    int rounds = getenv("KC_DEEP") != NULL ? 30000 : 3000;
    struct desk *d = desk_new_with(3, settings);
    draw_from((uint64_t)_i + 1);
    desk_run(d, SECOND);
    find_coordinators(d);
    for (int i = 0; i < rounds; i++) {
        send(d, 1 + (int)draw(3));
        disturb(d, 1 + (int)draw(3));
        if (i % 16 == 0)
            check_all(d);
    }
    check_all(d);
    desk_free(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cluster fuzz");
    TCase *c = tcase_create("requests");
    tcase_add_loop_test(c, nodes_bear_any_request, 0, 6);
    tcase_set_timeout(c, 600);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
