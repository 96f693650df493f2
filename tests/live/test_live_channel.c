/*
 * Goal: a request to a broker is answered, or fails once, whatever the other end does.
 * Method: a server in the same loop that behaves as told, on loopback.
 */
#define _GNU_SOURCE
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "live/channel.h"
#include "sim/allocate.h"

enum behaviour {
    ANSWERS,
    BYTE_BY_BYTE,
    CLOSES,
    SILENT,
    LIES_ABOUT_SIZE,
    ANSWERS_ANOTHER,
    CHATTERS
};

static uv_loop_t loop;
static uv_tcp_t server, peers[64];
static uv_timer_t limit;
static uint32_t peer_count, port;
static enum behaviour behaviour;
static size_t received;
static uint8_t last_frame[1 << 16];
static struct live_channels *channels;

static struct {
    uint32_t answered, failed;
    uint64_t correlation;
    char why[128];
    uint8_t answer[64];
    size_t size;
} seen;

/* ---- the server ---- */

static void give_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    static char bytes[65536];
    (void)handle;
    (void)wanted;
    *buffer = uv_buf_init(bytes, sizeof bytes);
}

static void on_sent(uv_write_t *write, int status)
{
    (void)status;
    free(write->data);
    free(write);
}

static void say(uv_stream_t *to, const void *bytes, size_t size)
{
    uv_write_t *write = sim_alloc(sizeof *write);
    write->data = sim_copy(bytes, size);
    uv_buf_t buffer = uv_buf_init(write->data, (unsigned)size);
    uv_write(write, to, &buffer, 1, on_sent);
}

static void behave(uv_stream_t *peer, const uint8_t *correlation)
{
    uint8_t answer[] = {0, 0, 0, 8, 0, 0, 0, 0, 'g', 'o', 'o', 'd'};
    memcpy(answer + 4, correlation, 4);
    switch (behaviour) {
    case ANSWERS:
        say(peer, answer, sizeof answer);
        break;
    case BYTE_BY_BYTE:
        for (size_t i = 0; i < sizeof answer; i++)
            say(peer, answer + i, 1);
        break;
    case CLOSES:
        uv_close((uv_handle_t *)peer, NULL);
        break;
    case SILENT:
        break;
    case LIES_ABOUT_SIZE:
        say(peer, "\xff\xff\xff\xff....", 8);
        break;
    case ANSWERS_ANOTHER:
        answer[7]++;
        say(peer, answer, sizeof answer);
        break;
    case CHATTERS:
        say(peer, answer, sizeof answer);
        say(peer, answer, sizeof answer);
        break;
    }
}

static void on_request(uv_stream_t *peer, ssize_t size, const uv_buf_t *buffer)
{
    if (size <= 0)
        return;
    ck_assert_uint_le(received + (size_t)size, sizeof last_frame);
    memcpy(last_frame + received, buffer->base, (size_t)size);
    received += (size_t)size;
    size_t whole = 4 + ((size_t)last_frame[2] << 8 | last_frame[3]);
    if (received < whole)
        return;
    received = 0;
    behave(peer, last_frame + 8);
}

static void on_connection(uv_stream_t *stream, int status)
{
    ck_assert_int_eq(status, 0);
    uv_tcp_t *peer = &peers[peer_count++];
    uv_tcp_init(&loop, peer);
    uv_accept(stream, (uv_stream_t *)peer);
    received = 0;
    uv_read_start((uv_stream_t *)peer, give_buffer, on_request);
}

/* ---- the caller ---- */

static void on_answered(void *context, const struct live_request *request, const uint8_t *bytes,
                        size_t size)
{
    (void)context;
    seen.answered++;
    seen.correlation = request->correlation;
    seen.size = size;
    memcpy(seen.answer, bytes, size < sizeof seen.answer ? size : sizeof seen.answer);
    uv_stop(&loop);
}

static void on_failed(void *context, const struct live_request *request, const char *why)
{
    (void)context;
    seen.failed++;
    seen.correlation = request->correlation;
    snprintf(seen.why, sizeof seen.why, "%s", why);
    uv_stop(&loop);
}

static void on_limit(uv_timer_t *timer)
{
    (void)timer;
    uv_stop(&loop);
}

static void setup(void)
{
    struct sockaddr_in at;
    struct live_channels_config config = {.connect_timeout_us = 500000,
                                          .request_timeout_us = 200000,
                                          .answered = on_answered,
                                          .failed = on_failed};
    memset(&seen, 0, sizeof seen);
    peer_count = 0;
    uv_loop_init(&loop);
    uv_tcp_init(&loop, &server);
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_bind(&server, (struct sockaddr *)&at, 0);
    uv_listen((uv_stream_t *)&server, 8, on_connection);
    int size = sizeof at;
    uv_tcp_getsockname(&server, (struct sockaddr *)&at, &size);
    port = ntohs(at.sin_port);
    uv_timer_init(&loop, &limit);
    channels = live_channels_new(&loop, &config);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void teardown(void)
{
    live_channels_free(channels);
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0) {
        uv_walk(&loop, close_handle, NULL);
    }
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void run_for(uint64_t ms)
{
    uv_timer_start(&limit, on_limit, ms, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_timer_stop(&limit);
}

static void send_to(const char *host, uint32_t to_port, uint64_t correlation, size_t body)
{
    struct live_request r = {.broker_id = 1, .correlation = correlation};
    snprintf(r.address.host, sizeof r.address.host, "%s", host);
    r.address.port = (int32_t)to_port;
    r.head_size = 12;
    r.body_from = 3;
    r.body = live_body_new(body + 3);
    memset(r.body->bytes, 'b', body + 3);
    r.head[2] = (uint8_t)((8 + body) >> 8);
    r.head[3] = (uint8_t)(8 + body);
    for (int i = 0; i < 4; i++)
        r.head[8 + i] = (uint8_t)(correlation >> (24 - 8 * i));
    live_channel_send(channels, &r);
}

START_TEST(a_request_is_answered)
{
    behaviour = (enum behaviour)_i;
    for (uint64_t i = 1; i <= 20; i++) {
        send_to(i % 2 == 0 ? "localhost" : "127.0.0.1", port, i, 1000 * i);
        run_for(5000);
        ck_assert_uint_eq(seen.answered, i);
        ck_assert_uint_eq(seen.correlation, i);
        ck_assert_uint_eq(seen.size, 8);
        ck_assert_mem_eq(seen.answer + 4, "good", 4);
        ck_assert_mem_eq(last_frame + 12, "bbbb", 4);
    }
    ck_assert_uint_eq(seen.failed, 0);
    ck_assert_uint_eq(peer_count, 1);
    ck_assert_uint_eq(live_channels_waiting_bytes(channels), 0);
}
END_TEST

START_TEST(what_a_broker_does_wrong_fails_once)
{
    behaviour = (enum behaviour)_i;
    send_to("127.0.0.1", port, 7, 100);
    run_for(5000);
    ck_assert_uint_eq(seen.failed, 1);
    ck_assert_uint_eq(seen.answered, 0);
    run_for(300);
    ck_assert_uint_eq(seen.failed, 1);
    behaviour = ANSWERS;
    send_to("127.0.0.1", port, 8, 100);
    run_for(5000);
    ck_assert_uint_eq(seen.answered, 1);
    ck_assert_uint_eq(seen.correlation, 8);
}
END_TEST

START_TEST(nobody_there_fails)
{
    send_to("127.0.0.1", 1, 1, 10);
    run_for(5000);
    ck_assert_uint_eq(seen.failed, 1);
    send_to("no-such-host.invalid", 9092, 2, 10);
    run_for(10000);
    ck_assert_uint_eq(seen.failed, 2);
}
END_TEST

START_TEST(a_closed_channel_forgets)
{
    behaviour = SILENT;
    send_to("127.0.0.1", port, 1, 10);
    run_for(50);
    live_channel_close(channels, 1);
    live_channel_close(channels, 1);
    run_for(400);
    ck_assert_uint_eq(seen.failed + seen.answered, 0);
    send_to("localhost", port, 2, 10); /* closed while the name is being resolved */
    live_channel_close(channels, 1);
    behaviour = ANSWERS;
    send_to("localhost", port, 3, 10);
    run_for(5000);
    ck_assert_uint_eq(seen.answered, 1);
    ck_assert_uint_eq(seen.correlation, 3);
}
END_TEST

/* What comes unasked breaks the connection, not the next request. */
START_TEST(chatter_is_not_believed)
{
    behaviour = CHATTERS;
    send_to("127.0.0.1", port, 1, 10);
    run_for(5000);
    run_for(100);
    behaviour = ANSWERS;
    send_to("127.0.0.1", port, 2, 10);
    run_for(5000);
    ck_assert_uint_eq(seen.correlation, 2);
    ck_assert_uint_ge(seen.answered + seen.failed, 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("live channel");
    TCase *t = tcase_create("channel");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_request_is_answered, ANSWERS, BYTE_BY_BYTE + 1);
    tcase_add_loop_test(t, what_a_broker_does_wrong_fails_once, CLOSES, ANSWERS_ANOTHER + 1);
    tcase_add_test(t, nobody_there_fails);
    tcase_add_test(t, a_closed_channel_forgets);
    tcase_add_test(t, chatter_is_not_believed);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
