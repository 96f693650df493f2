/*
 * Goal: a node's session over the adapter keeps its promises whatever happens to server and
 * network. Method: node/session.c over the adapter over a real server, with a proxy between them
 * that cuts, holds and delays. What every operation answers is compared with the embedded server by
 *         equal_through_adapter; here it is order, loss, expiry, watches, bulk reads and the end.
 *
 *     test_zookeeper [NAME]
 *
 * Exits 77 where this machine has no ZooKeeper server.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../zookeeper/equal/server.h"
#include "proxy.h"
#include "zookeeper_desk.h"

static int port;

static const char *at_port(int p, const char *chroot)
{
    static char servers[4][256];
    static int next;
    char *to = servers[next++ % 4];
    snprintf(to, sizeof servers[0], "127.0.0.1:%d%s", p, chroot);
    return to;
}

static void make_node(const char *path)
{
    struct desk *d = desk_new(at_port(port, ""), 10000, false);
    desk_open(d);
    desk_create(d, path, NULL, 0);
    CHECK(desk_until_answered(d));
    desk_free(d);
}

static struct wire_zk_op operation(enum wire_zk_opcode opcode)
{
    return (struct wire_zk_op){.opcode = (uint8_t)opcode, .version = WIRE_ZK_ANY_VERSION};
}

static void add_set(struct desk *d, const char *path, const char *data, int version)
{
    struct wire_zk_op op = operation(WIRE_ZK_SET_DATA);
    op.version = version;
    op.data_size = (uint32_t)strlen(data);
    desk_op(d, op, path, data);
}

static bool has_data(struct wire_zk_result_view v, const char *text)
{
    return v.result->has_data && v.result->data_size == strlen(text) &&
           memcmp(v.data, text, strlen(text)) == 0;
}

/* ---- operations ---- */

static void operations_below_a_chroot(void)
{
    make_node("/chroot");
    struct desk *d = desk_new(at_port(port, "/chroot"), 10000, false);
    desk_open(d);
    uint32_t made = desk_create(d, "/a", "x", 0), empty = desk_create(d, "/empty", "", 0);
    uint32_t null = desk_create(d, "/null", NULL, WIRE_ZK_EPHEMERAL);
    uint32_t in_order = desk_create(d, "/a/s-", "y", WIRE_ZK_SEQUENTIAL);
    uint32_t read_empty = desk_get(d, "/empty", false), read_null = desk_get(d, "/null", false);
    uint32_t list = desk_children(d, "/", true), stale = desk_set(d, "/a", "z", 7);
    uint32_t sync = desk_sync(d, "/"), missing = desk_exists(d, "/b", true);
    desk_begin(d, true);
    struct wire_zk_op create = operation(WIRE_ZK_CREATE), check = operation(WIRE_ZK_CHECK);
    desk_op(d, create, "/b", NULL);
    create.flags = WIRE_ZK_SEQUENTIAL;
    desk_op(d, create, "/b/s-", NULL);
    check.version = 0;
    desk_op(d, check, "/a", NULL);
    add_set(d, "/a", "both", 0);
    uint32_t multi = desk_send(d);
    desk_begin(d, true);
    desk_op(d, check, "/b", NULL);
    add_set(d, "/a", "again", 0);
    uint32_t refused = desk_send(d);
    CHECK(desk_until_answered(d));
    CHECK(strcmp(desk_result(d, made, 0).path, "/a") == 0);
    CHECK(desk_result(d, made, 0).result->stat.czxid > 0);
    CHECK(desk_err(d, empty) == WIRE_ZK_OK && desk_err(d, null) == WIRE_ZK_OK);
    CHECK(strcmp(desk_result(d, in_order, 0).path, "/a/s-0000000000") == 0);
    CHECK(has_data(desk_result(d, read_empty, 0), ""));
    CHECK(!desk_result(d, read_null, 0).result->has_data);
    CHECK(desk_result(d, read_null, 0).result->stat.ephemeral_owner == desk_session(d));
    CHECK(desk_result(d, list, 0).result->name_count == 3);
    CHECK(desk_err(d, stale) == WIRE_ZK_BAD_VERSION && desk_err(d, sync) == WIRE_ZK_OK);
    CHECK(strcmp(desk_result(d, sync, 0).path, "/") == 0);
    CHECK(desk_err(d, missing) == WIRE_ZK_NO_NODE && desk_err(d, multi) == WIRE_ZK_OK);
    CHECK(strcmp(desk_result(d, multi, 0).path, "/b") == 0);
    CHECK(strcmp(desk_result(d, multi, 1).path, "/b/s-0000000000") == 0);
    CHECK(desk_result(d, multi, 3).result->stat.version == 1);
    CHECK(desk_err(d, refused) == WIRE_ZK_BAD_VERSION);
    CHECK(desk_result(d, refused, 0).result->err == WIRE_ZK_OK);
    CHECK(desk_result(d, refused, 1).result->err == WIRE_ZK_BAD_VERSION);
    CHECK(desk_count(d, "event NodeCreated /b") == 1);
    CHECK(desk_count(d, "event NodeChildrenChanged /") == 1);
    CHECK(live_zookeeper_zxid(desk_adapter(d)) >= desk_result(d, made, 0).result->stat.czxid);
    desk_free(d);
}

static void what_cannot_be_sent_is_answered_in_its_turn(void)
{
    static char large[1100000];
    memset(large, 'x', sizeof large - 1);
    struct desk *d = desk_new(at_port(port, ""), 10000, false);
    desk_open(d);
    uint32_t before = desk_get(d, "/", false);
    uint32_t bad_path = desk_get(d, "no/slash", false);
    uint32_t between = desk_get(d, "/", false);
    uint32_t too_large = desk_create(d, "/too-large", large, 0);
    desk_begin(d, true);
    desk_op(d, operation(WIRE_ZK_GET_DATA), "/", NULL);
    desk_op(d, operation(WIRE_ZK_DELETE), "/", NULL);
    uint32_t mixed = desk_send(d);
    desk_begin(d, true);
    desk_op(d, operation(WIRE_ZK_CREATE), "/a//b", NULL);
    uint32_t bad_in_multi = desk_send(d);
    desk_begin(d, false);
    desk_op(d, operation(WIRE_ZK_CHECK), "/", NULL);
    uint32_t no_such = desk_send(d), after = desk_get(d, "/", false);
    desk_begin(d, true);
    uint32_t nothing = desk_send(d);
    CHECK(desk_until_answered(d));
    CHECK(desk_err(d, before) == WIRE_ZK_OK && desk_err(d, between) == WIRE_ZK_OK);
    CHECK(desk_err(d, bad_path) == WIRE_ZK_BAD_ARGUMENTS);
    CHECK(desk_err(d, too_large) == WIRE_ZK_MARSHALLING);
    CHECK(desk_err(d, mixed) == WIRE_ZK_MARSHALLING);
    CHECK(desk_err(d, bad_in_multi) == WIRE_ZK_BAD_ARGUMENTS);
    CHECK(desk_err(d, no_such) == WIRE_ZK_UNIMPLEMENTED);
    CHECK(desk_err(d, after) == WIRE_ZK_OK && desk_err(d, nothing) == WIRE_ZK_OK);
    CHECK(desk_count(d, "disconnected") == 0);
    CHECK(desk_logged(d, "MARSHALLINGERROR (create /too-large, 1 operations)"));
    desk_free(d);
}

/* ---- order ---- */

enum { NODES = 40, MIXED = 10000 };

struct mixed {
    struct desk *d;
    int versions[NODES];
    uint64_t seed;
    struct expected {
        int32_t err;
        int version; /* of the stat; a bulk read: of its first node */
        int node, count;
    } expected[MIXED];
};

static uint32_t draw(struct mixed *m, uint32_t below)
{
    m->seed = m->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(m->seed >> 33) % below;
}

static const char *node_path(int node)
{
    static char path[4][64];
    static int next;
    char *to = path[next++ % 4];
    snprintf(to, sizeof path[0], "/mixed/%d", node);
    return to;
}

/* Asks for something whose answer is known, since this session is alone. */
static struct expected ask_something(struct mixed *m)
{
    int node = (int)draw(m, NODES), *version = &m->versions[node];
    switch (draw(m, 10)) {
    case 0:
    case 1:
        desk_set(m->d, node_path(node), "data", *version);
        return (struct expected){.version = ++*version, .node = -1};
    case 2:
        desk_set(m->d, node_path(node), "data", *version + 1);
        return (struct expected){.err = WIRE_ZK_BAD_VERSION, .node = -1};
    case 3:
        desk_begin(m->d, true);
        add_set(m->d, node_path(node), "multi", *version);
        desk_send(m->d);
        return (struct expected){.version = ++*version, .node = -1};
    case 4:
        desk_begin(m->d, true);
        for (int i = 0; i < 5; i++)
            desk_op(m->d, operation(WIRE_ZK_GET_DATA), node_path((node + i) % NODES), NULL);
        desk_send(m->d);
        return (struct expected){.version = *version, .node = node, .count = 5};
    case 5:
        desk_create(m->d, node_path(node), NULL, 0);
        return (struct expected){.err = WIRE_ZK_NODE_EXISTS, .node = -1};
    default:
        desk_get(m->d, node_path(node), false);
        return (struct expected){.version = *version, .node = -1};
    }
}

static void mixed_requests_in_order(bool bulk)
{
    static struct mixed m;
    static int versions[MIXED][NODES];
    m = (struct mixed){.seed = 1};
    make_node("/mixed");
    m.d = desk_new(at_port(port, ""), 30000, bulk);
    desk_open(m.d);
    for (int i = 0; i < NODES; i++) {
        desk_delete(m.d, node_path(i), WIRE_ZK_ANY_VERSION);
        desk_create(m.d, node_path(i), "", 0);
    }
    CHECK(desk_until_answered(m.d));
    uint32_t first = 2 * NODES;
    for (int i = 0; i < MIXED; i++) {
        m.expected[i] = ask_something(&m);
        memcpy(versions[i], m.versions, sizeof m.versions);
    }
    CHECK(desk_until_answered(m.d));
    for (int i = 0; i < MIXED; i++) {
        const struct expected *e = &m.expected[i];
        uint32_t number = first + (uint32_t)i;
        CHECK(desk_err(m.d, number) == e->err);
        if (e->err == WIRE_ZK_OK)
            CHECK(desk_result(m.d, number, 0).result->stat.version == e->version);
        for (int k = 0; k < e->count; k++)
            CHECK(desk_result(m.d, number, (uint32_t)k).result->stat.version ==
                  versions[i][(e->node + k) % NODES]);
    }
    struct live_zookeeper_counters counters = live_zookeeper_counters(desk_adapter(m.d));
    CHECK((counters.bulk_reads > 0) == bulk && (counters.bulk_fallbacks > 0) == !bulk);
    CHECK(counters.replies == first + MIXED && counters.disconnects == 0);
    desk_free(m.d);
}

static void ten_thousand_mixed_requests_in_order(void)
{
    mixed_requests_in_order(false);
}

static void ten_thousand_with_bulk_reads_beside_them(void)
{
    mixed_requests_in_order(true);
}

/* ---- loss, watches, expiry ---- */

static void watches_live_through_a_reconnection(void)
{
    make_node("/watched");
    struct live_proxy *proxy = live_proxy_new(port);
    struct desk *d = desk_new(at_port(live_proxy_port(proxy), ""), 10000, false);
    struct desk *other = desk_new(at_port(port, ""), 10000, false);
    desk_open(d);
    desk_open(other);
    int64_t session = desk_session(d);
    for (int i = 0; i < 3; i++) /* told once, however often it was asked for */
        desk_get(d, "/watched", true);
    desk_children(d, "/watched", true);
    desk_exists(d, "/watched/later", true);
    CHECK(desk_until_answered(d));
    live_proxy_limit(proxy, 0);
    live_proxy_cut(proxy);
    CHECK(desk_until_lines(d, "disconnected", 1));
    desk_set(other, "/watched", "new", WIRE_ZK_ANY_VERSION);
    desk_create(other, "/watched/later", NULL, 0);
    CHECK(desk_until_answered(other));
    uint32_t read = desk_get(d, "/watched", true);
    live_proxy_limit(proxy, -1);
    CHECK(desk_until_answered(d));
    CHECK(desk_session(d) == session);
    CHECK(desk_position(d, "connected") == 2);
    CHECK(desk_count(d, "event NodeDataChanged /watched") == 1);
    CHECK(desk_count(d, "event NodeChildrenChanged /watched") == 1);
    CHECK(desk_count(d, "event NodeCreated /watched/later") == 1);
    CHECK(desk_position(d, "event NodeDataChanged /watched") > desk_position(d, "connected"));
    CHECK(desk_position(d, "reply 5") > desk_position(d, "event NodeDataChanged /watched"));
    CHECK(has_data(desk_result(d, read, 0), "new"));
    desk_set(other, "/watched", "newer", WIRE_ZK_ANY_VERSION);
    CHECK(desk_until_answered(other));
    CHECK(desk_until_lines(d, "event NodeDataChanged /watched", 2));
    desk_run(d, 50);
    CHECK(desk_count(d, "event NodeDataChanged /watched") == 2);
    desk_free(other);
    desk_free(d);
    live_proxy_free(proxy);
}

/* The client has its connection back before the session asks for it; the event must wait. */
static void an_event_waits_until_the_session_is_connected(void)
{
    make_node("/early");
    struct live_proxy *proxy = live_proxy_new(port);
    struct live_zookeeper_config config = {.servers = at_port(live_proxy_port(proxy), "")};
    struct desk *d = desk_new_configured(&config, 10000);
    struct desk *other = desk_new(at_port(port, ""), 10000, false);
    desk_open(d);
    desk_open(other);
    desk_get(d, "/early", true);
    CHECK(desk_until_answered(d));
    live_zookeeper_hang_up(desk_adapter(d)); /* unknown to its session */
    desk_set(other, "/early", "new", WIRE_ZK_ANY_VERSION);
    CHECK(desk_until_answered(other));
    desk_run(d, 100);
    CHECK(desk_count(d, "event NodeDataChanged /early") == 0);
    live_proxy_cut(proxy); /* nobody is told of it, there being no connection */
    desk_run(d, 100);
    CHECK(desk_count(d, "disconnected") == 0);
    desk_free(other);
    desk_free(d);
    live_proxy_free(proxy);
}

static void what_was_lost_is_asked_again(void)
{
    make_node("/lost");
    struct live_proxy *proxy = live_proxy_new(port);
    struct desk *d = desk_new(at_port(live_proxy_port(proxy), ""), 10000, true);
    desk_open(d);
    uint32_t first = desk_create(d, "/lost/n", "", 0);
    CHECK(desk_until_answered(d));
    for (int round = 0; round < 20; round++) {
        CHECK(desk_until_lines(d, "connected", round));
        for (int i = 0; i < 50; i++) {
            desk_set(d, "/lost/n", "x", WIRE_ZK_ANY_VERSION);
            desk_begin(d, true);
            desk_op(d, operation(WIRE_ZK_GET_DATA), "/lost/n", NULL);
            desk_op(d, operation(WIRE_ZK_GET_DATA), "/lost/none", NULL);
            desk_send(d);
        }
        live_proxy_hold(proxy, round % 3 == 1, round % 3 == 2);
        desk_run(d, round % 5);
        live_proxy_cut(proxy);
        live_proxy_hold(proxy, false, false);
        CHECK(desk_until_lines(d, "disconnected", round + 1));
    }
    uint32_t last = desk_get(d, "/lost/n", false);
    CHECK(desk_until_answered(d));
    CHECK(desk_count(d, "connected") == 20 && desk_count(d, "created") == 1);
    int32_t version = 0; /* each write once or more, and every read sees those before it */
    for (uint32_t i = first + 1; i < last; i++) {
        CHECK(desk_err(d, i) == WIRE_ZK_OK);
        CHECK(desk_result(d, i, 0).result->stat.version >= version + (i % 2 == 1));
        version = desk_result(d, i, 0).result->stat.version;
    }
    CHECK(desk_result(d, last, 0).result->stat.version == version && version >= 1000);
    desk_free(d);
    live_proxy_free(proxy);
}

static void a_session_that_was_cut_off_too_long_has_expired(void)
{
    make_node("/expiry");
    struct live_proxy *proxy = live_proxy_new(port);
    struct desk *d = desk_new(at_port(live_proxy_port(proxy), ""), 1000, true);
    struct desk *other = desk_new(at_port(port, ""), 10000, false);
    desk_open(d);
    desk_open(other);
    desk_create(d, "/expiry/e", NULL, WIRE_ZK_EPHEMERAL);
    desk_get(d, "/expiry", true);
    CHECK(desk_until_answered(d));
    int64_t session = desk_session(d);
    desk_exists(other, "/expiry/e", true);
    live_proxy_hold(proxy, true, true);
    uint32_t waiting = desk_get(d, "/expiry", false);
    CHECK(desk_until_lines(d, "disconnected", 1));
    CHECK(desk_until_lines(other, "event NodeDeleted /expiry/e", 1));
    CHECK(desk_count(d, "expired") == 0); /* only the server can say so */
    live_proxy_cut(proxy);
    live_proxy_hold(proxy, false, false);
    CHECK(desk_until_lines(d, "expired", 1));
    CHECK(desk_until_answered(d));
    CHECK(desk_err(d, waiting) == WIRE_ZK_SESSION_EXPIRED);
    desk_open(d);
    CHECK(desk_session(d) != session && desk_session(d) != 0);
    uint32_t again = desk_create(d, "/expiry/e", NULL, WIRE_ZK_EPHEMERAL);
    desk_set(other, "/expiry", "x", WIRE_ZK_ANY_VERSION);
    CHECK(desk_until_answered(d) && desk_until_answered(other));
    desk_run(d, 50);
    CHECK(desk_err(d, again) == WIRE_ZK_OK);
    CHECK(desk_count(d, "event NodeDataChanged /expiry") == 0); /* watches went with the session */
    CHECK(live_zookeeper_counters(desk_adapter(d)).expires == 1);
    desk_free(other);
    desk_free(d);
    live_proxy_free(proxy);
}

static void a_session_may_be_short_of_a_connection(void)
{
    struct live_proxy *proxy = live_proxy_new(port);
    struct desk *d = desk_new(at_port(live_proxy_port(proxy), ""), 20000, false);
    desk_open(d);
    int64_t session = desk_session(d);
    for (int i = 1; i <= 5; i++) {
        live_proxy_cut(proxy);
        CHECK(desk_until_lines(d, "connected", i));
        desk_get(d, "/", false);
        CHECK(desk_until_answered(d));
    }
    CHECK(desk_session(d) == session && desk_count(d, "expired") == 0);
    desk_free(d);
    live_proxy_free(proxy);
}

/* Two proxies stand for two servers. */
static void a_session_moves_to_another_server(void)
{
    struct live_proxy *one = live_proxy_new(port), *two = live_proxy_new(port);
    char servers[128];
    snprintf(servers, sizeof servers, "127.0.0.1:%d,127.0.0.1:%d", live_proxy_port(one),
             live_proxy_port(two));
    live_proxy_limit(two, 0);
    struct desk *d = desk_new(servers, 10000, true);
    desk_open(d);
    int64_t session = desk_session(d);
    CHECK(live_proxy_accepted(one) > 0);
    for (int round = 1; round <= 4; round++) {
        live_proxy_limit(round % 2 == 1 ? one : two, 0);
        live_proxy_limit(round % 2 == 1 ? two : one, -1);
        live_proxy_cut(round % 2 == 1 ? one : two);
        CHECK(desk_until_lines(d, "connected", round));
        desk_get(d, "/", false);
        desk_begin(d, true);
        desk_op(d, operation(WIRE_ZK_GET_DATA), "/", NULL);
        desk_send(d);
        CHECK(desk_until_answered(d));
    }
    CHECK(desk_session(d) == session && desk_count(d, "expired") == 0);
    desk_free(d);
    live_proxy_free(one);
    live_proxy_free(two);
}

/* ---- slow, silent, absent servers ---- */

static void slow_answers_lose_nothing(void)
{
    struct live_proxy *proxy = live_proxy_new(port);
    struct desk *d = desk_new(at_port(live_proxy_port(proxy), ""), 6000, true);
    live_proxy_delay(proxy, 500);
    desk_open(d);
    for (int i = 0; i < 2000; i++)
        desk_get(d, "/", false);
    desk_begin(d, true);
    desk_op(d, operation(WIRE_ZK_GET_DATA), "/", NULL);
    desk_send(d);
    CHECK(desk_until_answered(d));
    CHECK(desk_count(d, "disconnected") == 0);
    desk_free(d);
    live_proxy_free(proxy);
}

static void a_server_that_comes_late_is_found(void)
{
    struct live_proxy *proxy = live_proxy_new(port);
    live_proxy_limit(proxy, 0);
    struct desk *d = desk_new(at_port(live_proxy_port(proxy), ""), 1200, true);
    desk_start(d);
    desk_run(d, 3000);
    int tries = live_proxy_accepted(proxy);
    CHECK(tries > 2 && tries < 400); /* it keeps trying, and does not spin */
    CHECK(desk_count(d, "created") == 0);
    CHECK(desk_logged(d, "has answered yet"));
    CHECK(desk_logged_count(d, "") < 40);
    live_proxy_limit(proxy, -1);
    CHECK(desk_until_lines(d, "created", 1));
    desk_free(d);
    live_proxy_free(proxy);
}

static void names_that_cannot_be_resolved_are_said(void)
{
    struct desk *d = desk_new("no-such-host.invalid:2181", 2000, true);
    desk_start(d);
    desk_run(d, 300);
    CHECK(desk_logged(d, "ERROR cannot resolve the ZooKeeper server 'no-such-host.invalid'"));
    CHECK(desk_logged_count(d, "") < 30);
    desk_free(d);
    char servers[128];
    snprintf(servers, sizeof servers, "no-such-host.invalid,localhost:%d", port);
    d = desk_new(servers, 2000, true);
    desk_open(d);
    CHECK(desk_logged(d, "WARN cannot resolve the ZooKeeper server 'no-such-host.invalid'"));
    desk_free(d);
}

static void connect_strings_that_make_no_sense_are_refused(void)
{
    static const char *const bad[] = {"",         ",",        "a:0",       "a:65536", "a:x",
                                      "a:1,",     "a:1/b//c", "a:1/b/",    "[::1",    "[]:1",
                                      "a:1/../b", ":2181",    "a:2181x/b", "a:-1",    "a: 1"};
    static const char *const good[] = {"a", "a:1,b:2/c", "[::1]:2181", "[::1]", "a:1/", " a:1 , b"};
    uv_loop_t loop;
    char error[256];
    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct live_zookeeper_config config = {.servers = bad[i]};
        if (live_zookeeper_new(&loop, &config, error, sizeof error) != NULL)
            printf("taken: '%s'\n", bad[i]);
        CHECK(strncmp(error, "zookeeper.connect: ", 19) == 0);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct live_zookeeper_config config = {.servers = good[i]};
        struct live_zookeeper *z = live_zookeeper_new(&loop, &config, error, sizeof error);
        CHECK(z != NULL);
        live_zookeeper_free(z, NULL, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    CHECK(uv_loop_close(&loop) == 0);
}

static void a_server_that_stands_still(void)
{
    struct desk *d = desk_new(at_port(port, ""), 1500, true), *closing = NULL;
    closing = desk_new(at_port(port, ""), 1500, true);
    desk_open(d);
    desk_open(closing);
    real_pause(true);
    CHECK(desk_until_lines(d, "disconnected", 1));
    uint32_t read = desk_get(d, "/", false);
    desk_get(closing, "/", false);
    desk_free(closing); /* within its 30 s */
    CHECK(desk_reply(d, read) == NULL);
    real_pause(false);
    CHECK(desk_until_answered(d));
    desk_free(d);
}

static void a_server_that_is_killed_and_comes_back(void)
{
    make_node("/restart");
    struct desk *d = desk_new(at_port(port, ""), 20000, true);
    desk_open(d);
    desk_create(d, "/restart/e", NULL, WIRE_ZK_EPHEMERAL);
    desk_children(d, "/restart", true);
    CHECK(desk_until_answered(d));
    int64_t session = desk_session(d);
    for (int i = 0; i < 300; i++)
        desk_set(d, "/restart", "x", WIRE_ZK_ANY_VERSION);
    real_kill();
    CHECK(desk_until_lines(d, "disconnected", 1));
    CHECK(real_start_again(port));
    CHECK(desk_until_answered(d));
    CHECK(desk_session(d) == session);
    uint32_t here = desk_exists(d, "/restart/e", false);
    desk_create(d, "/restart/later", NULL, 0);
    desk_begin(d, true);
    desk_op(d, operation(WIRE_ZK_GET_CHILDREN), "/restart", NULL);
    uint32_t list = desk_send(d);
    CHECK(desk_until_answered(d));
    CHECK(desk_err(d, here) == WIRE_ZK_OK);
    CHECK(desk_result(d, list, 0).result->name_count == 2);
    CHECK(desk_until_lines(d, "event NodeChildrenChanged /restart", 1));
    desk_free(d);
}

/* ---- bulk reads ---- */

/* Nodes of many kinds, some missing, then the same bulk reads twice. */
static uint32_t read_in_bulk(struct desk *d)
{
    desk_begin(d, true);
    for (int i = 0; i < 12; i++) {
        char path[32];
        snprintf(path, sizeof path, "/n%d", i);
        desk_op(d, operation(WIRE_ZK_GET_DATA), path, NULL);
    }
    desk_op(d, operation(WIRE_ZK_GET_CHILDREN), "/", NULL);
    desk_op(d, operation(WIRE_ZK_GET_CHILDREN), "/n0", NULL);
    desk_op(d, operation(WIRE_ZK_GET_CHILDREN), "/none", NULL);
    desk_op(d, operation(WIRE_ZK_GET_DATA), "/", NULL);
    return desk_send(d);
}

static void fill_bulk(struct desk *d)
{
    static char large[300000];
    memset(large, 'l', sizeof large - 1);
    for (int i = 0; i < 12; i++) {
        char path[32];
        snprintf(path, sizeof path, "/n%d", i);
        if (i % 4 != 3)
            desk_create(d, path, i == 0 ? NULL : i == 1 ? "" : i == 2 ? large : path, 0);
    }
    desk_create(d, "/n0/child", NULL, 0);
    CHECK(desk_until_answered(d));
}

static void bulk_reads_over_both_ways_are_equal(void)
{
    make_node("/bulk");
    struct desk *one = desk_new(at_port(port, "/bulk"), 10000, false);
    struct desk *bulk = desk_new(at_port(port, "/bulk"), 10000, true);
    desk_open(one);
    desk_open(bulk);
    fill_bulk(one);
    uint32_t a = read_in_bulk(one), b = read_in_bulk(bulk);
    CHECK(desk_until_answered(one) && desk_until_answered(bulk));
    CHECK(live_zookeeper_counters(desk_adapter(one)).bulk_reads == 0);
    CHECK(live_zookeeper_counters(desk_adapter(bulk)).bulk_reads == 1);
    CHECK(live_zookeeper_counters(desk_adapter(bulk)).bulk_fallbacks == 0);
    const struct wire_zk_reply *x = desk_reply(one, a), *y = desk_reply(bulk, b);
    CHECK(x->size == y->size && x->err == WIRE_ZK_OK && y->err == WIRE_ZK_OK && x->count == 16);
    CHECK(memcmp(x + 1, y + 1, x->size - sizeof *x) == 0);
    CHECK(desk_result(bulk, b, 3).result->err == WIRE_ZK_NO_NODE);
    CHECK(desk_result(bulk, b, 14).result->err == WIRE_ZK_NO_NODE);
    CHECK(!desk_result(bulk, b, 0).result->has_data);
    CHECK(has_data(desk_result(bulk, b, 1), ""));
    CHECK(desk_result(bulk, b, 2).result->data_size == 299999);
    CHECK(desk_result(bulk, b, 12).result->name_count == 9);
    desk_free(one);
    desk_free(bulk);
}

static void an_older_server_is_read_one_by_one(void)
{
    make_node("/older");
    struct live_proxy *proxy = live_proxy_new(port);
    live_proxy_trap(proxy, 22);
    struct desk *d = desk_new(at_port(live_proxy_port(proxy), "/older"), 10000, true);
    desk_open(d);
    fill_bulk(d);
    for (int i = 0; i < 6; i++) {
        uint32_t number = read_in_bulk(d);
        CHECK(desk_until_answered(d));
        CHECK(desk_err(d, number) == WIRE_ZK_OK && desk_reply(d, number)->count == 16);
        desk_run(d, 500);
    }
    CHECK(desk_logged_count(d, "does not know multiRead") == 1);
    CHECK(live_zookeeper_counters(desk_adapter(d)).bulk_fallbacks == 6);
    CHECK(desk_count(d, "disconnected") == 0);
    desk_free(d);
    live_proxy_free(proxy);
}

static void without_a_second_connection_bulk_reads_go_over_the_first(void)
{
    make_node("/single");
    struct live_proxy *proxy = live_proxy_new(port);
    live_proxy_limit(proxy, 1);
    struct desk *d = desk_new(at_port(live_proxy_port(proxy), "/single"), 10000, true);
    desk_open(d);
    fill_bulk(d);
    uint32_t number = read_in_bulk(d);
    CHECK(desk_until_answered(d));
    CHECK(desk_err(d, number) == WIRE_ZK_OK && desk_reply(d, number)->count == 16);
    CHECK(live_zookeeper_counters(desk_adapter(d)).bulk_fallbacks == 1);
    live_proxy_limit(proxy, -1); /* and takes the other way when there is one */
    for (int i = 0; i < 100 && live_zookeeper_counters(desk_adapter(d)).bulk_reads == 0; i++) {
        read_in_bulk(d);
        CHECK(desk_until_answered(d));
        desk_run(d, 100);
    }
    CHECK(live_zookeeper_counters(desk_adapter(d)).bulk_reads == 1);
    desk_free(d);
    live_proxy_free(proxy);
}

static void large_lists_of_children(void)
{
    enum { CHILDREN = 20000, GROUP = 500 };
    make_node("/large");
    struct desk *d = desk_new(at_port(port, "/large"), 30000, true);
    desk_open(d);
    for (int i = 0; i < CHILDREN; i += GROUP) {
        desk_begin(d, true);
        for (int k = i; k < i + GROUP; k++) {
            char path[160];
            snprintf(path, sizeof path, "/%0100d", (k * 7919) % CHILDREN);
            desk_op(d, operation(WIRE_ZK_CREATE), path, NULL);
        }
        desk_send(d);
    }
    uint32_t list = desk_children(d, "/", true);
    desk_begin(d, true);
    desk_op(d, operation(WIRE_ZK_GET_CHILDREN), "/", NULL);
    uint32_t bulk = desk_send(d);
    CHECK(desk_until_answered(d));
    struct wire_zk_result_view a = desk_result(d, list, 0), b = desk_result(d, bulk, 0);
    CHECK(a.result->name_count == CHILDREN && b.result->name_count == CHILDREN);
    CHECK(a.result->data_size == CHILDREN * 101 && b.result->data_size == a.result->data_size);
    CHECK(memcmp(a.data, b.data, a.result->data_size) == 0);
    const char *previous = NULL;
    for (const char *n = NULL; (n = wire_zk_name_next(&a, n)) != NULL; previous = n)
        CHECK(previous == NULL || strcmp(previous, n) < 0);
    desk_free(d);
}

/* ---- the end ---- */

static void it_ends_with_thousands_under_way(void)
{
    make_node("/end");
    struct desk *other = desk_new(at_port(port, ""), 10000, false);
    desk_open(other);
    for (int round = 0; round < 10; round++) {
        struct desk *d = desk_new(at_port(port, "/end"), 10000, true);
        desk_open(d);
        desk_create(d, "/e", NULL, WIRE_ZK_EPHEMERAL);
        CHECK(desk_until_answered(d));
        for (int i = 0; i < 1000; i++) {
            desk_get(d, "/e", true);
            if (i % 10 == 0) {
                desk_begin(d, true);
                add_set(d, "/e", "x", WIRE_ZK_ANY_VERSION);
                desk_send(d);
            }
            if (round % 2 == 1 && i % 100 == 0)
                read_in_bulk(d);
        }
        desk_run(d, round);
        desk_free(d);
        uint32_t gone = desk_exists(other, "/end/e", false);
        CHECK(desk_until_answered(other));
        CHECK(desk_err(other, gone) == WIRE_ZK_NO_NODE); /* at once, not when it expires */
    }
    desk_free(other);
}

static void it_ends_at_any_moment(void)
{
    struct live_proxy *proxy = live_proxy_new(port);
    for (int round = 0; round < 30; round++) {
        struct desk *d =
            desk_new(round % 4 == 0 ? "no-such-host.invalid" : at_port(live_proxy_port(proxy), ""),
                     5000, true);
        if (round > 0)
            desk_start(d);
        if (round % 3 == 2)
            live_proxy_cut(proxy);
        for (int i = 0; i < round; i++)
            uv_sleep(round % 2), desk_run(d, 1);
        desk_free(d);
    }
    live_proxy_free(proxy);
}

static void a_hung_up_session_goes_on(void)
{
    struct desk *d = desk_new(at_port(port, ""), 10000, true);
    desk_open(d);
    struct live_zookeeper *z = desk_adapter(d);
    for (int i = 0; i < 100; i++)
        desk_get(d, "/", false);
    CHECK(live_zookeeper_outstanding(z) == 100);
    live_zookeeper_hang_up(z);
    CHECK(live_zookeeper_outstanding(z) == 0);
    desk_run(d, 50);
    CHECK(desk_answered(d) == 0);
    desk_free(d);
}

static const struct test {
    const char *name;
    void (*run)(void);
} tests[] = {
#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
    TEST(connect_strings_that_make_no_sense_are_refused),
    TEST(operations_below_a_chroot),
    TEST(what_cannot_be_sent_is_answered_in_its_turn),
    TEST(ten_thousand_mixed_requests_in_order),
    TEST(ten_thousand_with_bulk_reads_beside_them),
    TEST(watches_live_through_a_reconnection),
    TEST(an_event_waits_until_the_session_is_connected),
    TEST(what_was_lost_is_asked_again),
    TEST(a_session_that_was_cut_off_too_long_has_expired),
    TEST(a_session_may_be_short_of_a_connection),
    TEST(a_session_moves_to_another_server),
    TEST(slow_answers_lose_nothing),
    TEST(a_server_that_comes_late_is_found),
    TEST(names_that_cannot_be_resolved_are_said),
    TEST(bulk_reads_over_both_ways_are_equal),
    TEST(an_older_server_is_read_one_by_one),
    TEST(without_a_second_connection_bulk_reads_go_over_the_first),
    TEST(large_lists_of_children),
    TEST(it_ends_with_thousands_under_way),
    TEST(it_ends_at_any_moment),
    TEST(a_hung_up_session_goes_on),
    TEST(a_server_that_stands_still),
    TEST(a_server_that_is_killed_and_comes_back),
#undef TEST
};

int main(int count, char **arguments)
{
    int run = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    port = real_start();
    if (port == 0)
        return 77;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        if (count > 1 && strcmp(arguments[1], tests[i].name) != 0)
            continue;
        printf("%s\n", tests[i].name);
        tests[i].run();
        run++;
    }
    real_stop();
    printf("%d tests\n", run);
    return run > 0 ? 0 : 1;
}
