/*
 * The group coordinator under anything that clients, logs and leaders can do, by seed.
 *
 *     some clients, static and dynamic, join, sync, commit, vanish, come back as if new
 *     appends end late or fail; leadership goes and comes; transactions commit and abort
 *
 * After every event: the block's own invariants; generations never fall; a generation has one set
 * of members and one assignment for each, whoever asks and whenever; a commit that was answered
 * without an error came from the generation of that moment; and after a reload all that the log
 * kept is what it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/broker/group_desk.h"

enum { CLIENTS = 5, STEPS = 400, SEEDS = 300, SEEN = 4096 };
static const char *const GROUPS[] = {"g", "h"};

struct client {
    char id[64];
    const char *group, *instance;
    uint64_t joining, syncing, committing;
    int32_t generation;
    bool leads;
    char members[CLIENTS * 4][64]; /* of the generation, where it leads */
    int32_t member_count;
};
struct seen { /* what a member of a generation was told */
    char group[4], id[64], assignment[80];
    int32_t generation;
};

struct world {
    struct desk *d;
    uint64_t rng;
    struct client clients[CLIENTS];
    struct seen *seen;
    uint32_t seen_count;
    int32_t epoch, highest[2];
    bool lost; /* a write failed: Kafka warns and goes on, and the log lacks it */
    int32_t commits, stables, reloads, fenced, txns;
};

static uint32_t pick(struct world *w, uint32_t n)
{
    w->rng = w->rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->rng >> 33) % n;
}

static void forget(struct client *c)
{
    const char *group = c->group, *instance = c->instance;
    *c = (struct client){.group = group, .instance = instance, .generation = -1};
}

/* ---- answers ---- */

static void saw(struct world *w, const struct client *c, const char *assignment)
{
    for (uint32_t i = 0; i < w->seen_count; i++) {
        const struct seen *s = &w->seen[i];
        if (strcmp(s->group, c->group) == 0 && s->generation == c->generation &&
            strcmp(s->id, c->id) == 0) {
            ck_assert_str_eq(s->assignment, assignment);
            return;
        }
    }
    ck_assert_uint_lt(w->seen_count, SEEN);
    struct seen *s = &w->seen[w->seen_count++];
    snprintf(s->group, sizeof s->group, "%s", c->group);
    snprintf(s->id, sizeof s->id, "%s", c->id);
    snprintf(s->assignment, sizeof s->assignment, "%s", assignment);
    s->generation = c->generation;
    w->stables++;
}

static void take_join(struct world *w, struct client *c)
{
    const struct wire_join_group_response *r = desk_joined(w->d, c->joining);

    if (c->joining == 0 || r == NULL) {
        return;
    }
    c->joining = 0;
    if (r->error_code == WIRE_ERROR_MEMBER_ID_REQUIRED) {
        snprintf(c->id, sizeof c->id, "%s", wire_text(r, r->member_id));
        return;
    }
    if (r->error_code != 0) {
        w->fenced += r->error_code == WIRE_ERROR_FENCED_INSTANCE_ID;
        forget(c);
        return;
    }
    snprintf(c->id, sizeof c->id, "%s", wire_text(r, r->member_id));
    c->generation = r->generation_id;
    c->leads = strcmp(c->id, wire_text(r, r->leader)) == 0;
    const struct wire_join_group_response_member *m =
        WIRE_ITEMS(r, r->members, struct wire_join_group_response_member);
    ck_assert_int_le(r->members.count, CLIENTS * 4);
    c->member_count = r->members.count;
    for (int32_t i = 0; i < r->members.count; i++) {
        snprintf(c->members[i], sizeof c->members[i], "%s", wire_text(r, m[i].member_id));
    }
}

static void take_sync(struct world *w, struct client *c)
{
    const struct wire_sync_group_response *r = desk_synced(w->d, c->syncing);
    char text[80] = "";

    if (c->syncing == 0 || r == NULL) {
        return;
    }
    c->syncing = 0;
    if (r->error_code != 0) {
        return;
    }
    ck_assert_int_lt(r->assignment.size, (int32_t)sizeof text);
    if (r->assignment.size > 0) {
        memcpy(text, wire_data(r, r->assignment), (size_t)r->assignment.size);
    }
    const char *at = strchr(text, '@'); /* a leader wrote its generation into it */
    ck_assert(text[0] == 0 || atoi(at + 1) == c->generation);
    if (c->instance == NULL) { /* a static member may hear of it under another id */
        saw(w, c, text);
    }
}

/* ---- what clients do ---- */

static void join(struct world *w, struct client *c)
{
    c->joining = desk_join(w->d, (struct desk_join){.group = c->group,
                                                    .member = c->id,
                                                    .instance = c->instance,
                                                    .metadata = pick(w, 8) == 0 ? "other" : NULL,
                                                    .protocol = "range",
                                                    .second = pick(w, 3) == 0 ? "sticky" : NULL,
                                                    .rebalance_ms = 20000});
    c->syncing = 0;
}

static void sync_group(struct world *w, struct client *c)
{
    const char *to[CLIENTS * 8 + 1] = {NULL};
    char texts[CLIENTS * 4][80];
    int32_t n = 0;

    for (int32_t i = 0; c->leads && i < c->member_count; i++) {
        if (pick(w, 10) != 0) {
            snprintf(texts[n], sizeof texts[n], "%s@%d", c->members[i], (int)c->generation);
            to[2 * n] = c->members[i];
            to[2 * n + 1] = texts[n];
            n++;
        }
    }
    c->syncing = desk_sync(w->d, c->group, c->id, c->generation, c->instance, to);
}

static int32_t generation_of(const struct world *w, const char *group)
{
    struct kb_group_view view;

    for (uint32_t at = 0; kb_groups_next(w->d->g, &at, &view);) {
        if (strcmp(view.id, group) == 0) {
            return view.generation;
        }
    }
    return -1;
}

/* Refused at once, or let in: then the generation is the one of now. */
static void commit(struct world *w, struct client *c)
{
    int32_t asked = pick(w, 3) == 0 ? c->generation - 1 : c->generation;
    int32_t now = generation_of(w, c->group);
    uint32_t held = w->d->held_count, log = w->d->log_count;

    if (asked < 0 || c->id[0] == 0 || (held != 0 && !w->d->hold)) { /* others' would be written */
        return;
    }
    desk_commit(w->d, c->group, c->id, asked, "t", (int32_t)pick(w, 2), pick(w, 100));
    if (w->d->held_count > held || w->d->log_count > log) {
        ck_assert_int_eq(asked, now);
        w->commits++;
    }
}

static void client_acts(struct world *w, struct client *c)
{
    switch (pick(w, 8)) {
    case 0:
        forget(c); /* the process is another one now */
        break;
    case 1:
        if (c->id[0] != 0 && pick(w, 4) == 0) {
            desk_leave(w->d, c->group, c->id, c->instance, (int16_t)(2 + 2 * (int)pick(w, 2)));
        }
        break;
    case 2:
        commit(w, c);
        break;
    case 3:
        desk_heartbeat(w->d, c->group, c->id, c->generation, c->instance);
        break;
    default:
        if (c->joining == 0 && (c->generation < 0 || pick(w, 3) == 0)) {
            join(w, c);
        } else if (c->joining == 0 && c->syncing == 0) {
            sync_group(w, c);
        }
        break;
    }
}

/* ---- what brokers do ---- */

static uint64_t digest(const struct desk *d)
{
    uint64_t sum = 0;
    for (int32_t p = 0; p < (int32_t)kb_groups_limits(d->g)->partitions; p++) {
        sum = sum * 31 + kb_groups_digest(d->g, p);
    }
    return sum;
}

static bool moving(const struct desk *d)
{
    struct kb_group_view view;

    for (uint32_t at = 0; kb_groups_next(d->g, &at, &view);) {
        if (view.state != KB_GROUP_STABLE && view.state != KB_GROUP_EMPTY) {
            return true;
        }
    }
    return d->held_count != 0;
}

/* Where no group is in a rebalance and no append open, nothing may be lost. */
static void reload(struct world *w)
{
    bool exact = !moving(w->d) && !w->lost;
    uint64_t before = digest(w->d);

    desk_resign(w->d, ++w->epoch);
    while (w->d->held_count != 0) {
        desk_end_append(w->d, WIRE_ERROR_NOT_LEADER_OR_FOLLOWER);
    }
    desk_elect(w->d, ++w->epoch);
    if (exact) {
        ck_assert_uint_eq(digest(w->d), before);
        w->reloads++;
    }
    w->lost = false;
    w->highest[0] = w->highest[1] = 0; /* a generation that was not written comes again */
    w->seen_count = 0;
}

static void transaction(struct world *w)
{
    int64_t producer_id = pick(w, 2);

    if (pick(w, 2) == 0) {
        desk_txn_commit(w->d, GROUPS[pick(w, 2)], producer_id, "", -1, "t", (int32_t)pick(w, 2),
                        pick(w, 100));
    } else if (w->d->held_count == 0) { /* a marker follows what it ends */
        desk_marker(w->d, GROUPS[pick(w, 2)], producer_id, pick(w, 2) == 0);
        w->txns++;
    }
}

static void check(struct world *w)
{
    for (int i = 0; i < CLIENTS; i++) {
        take_join(w, &w->clients[i]);
        take_sync(w, &w->clients[i]);
    }
    for (int i = 0; i < 2; i++) {
        int32_t generation = generation_of(w, GROUPS[i]);
        ck_assert(generation == -1 || generation >= w->highest[i]);
        w->highest[i] = generation == -1 ? 0 : generation;
    }
}

static void run(struct world *w, uint64_t seed)
{
    w->d = desk_new();
    w->rng = seed * 7919 + 1;
    w->seen_count = 0;
    w->lost = false;
    w->epoch = 1;
    w->highest[0] = w->highest[1] = 0;
    for (int i = 0; i < CLIENTS; i++) {
        w->clients[i].group = GROUPS[i == CLIENTS - 1];
        w->clients[i].instance = i == 0 ? "one" : i == 1 ? "two" : NULL;
        forget(&w->clients[i]);
    }
    for (int n = 0; n < STEPS; n++) {
        uint32_t what = pick(w, 40);
        if (what < 26) {
            client_acts(w, &w->clients[pick(w, CLIENTS)]);
        } else if (what < 33) {
            desk_pass(w->d, pick(w, 10) == 0 ? 15000 : pick(w, 2500));
        } else if (what < 35) {
            w->d->hold = pick(w, 3) == 0;
        } else if (what < 38) {
            if (w->d->held_count != 0) {
                bool fails = pick(w, 6) == 0;
                desk_end_append(w->d, fails ? WIRE_ERROR_NOT_ENOUGH_REPLICAS : 0);
                w->lost = w->lost || fails;
            }
        } else if (what == 38) {
            transaction(w);
        } else if (pick(w, 3) == 0) {
            reload(w);
        }
        check(w);
    }
    desk_free(w->d);
}

/* Goal: all of the above; and that the runs were worth it. */
START_TEST(anything_may_happen)
{
    struct world *w = calloc(1, sizeof *w);

    ck_assert(w != NULL);
    w->seen = calloc(SEEN, sizeof *w->seen);
    ck_assert(w->seen != NULL);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run(w, seed);
    }
    ck_assert_int_gt(w->commits, 50);
    ck_assert_int_gt(w->stables, 50);
    ck_assert_int_gt(w->reloads, 20);
    ck_assert_int_gt(w->txns, 20);
    free(w->seen);
    free(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broker: groups, random");
    TCase *tc = tcase_create("random");

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, anything_may_happen);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
