/*
 * Goal: whatever clients send, the listener neither crashes nor stops serving others, and its
 * memory is what has arrived. Method: rounds of clients in the same loop that send good frames,
 * pieces of frames, sizes that lie and noise, and close in the middle; requests are answered at
 * once, later, never, or closed. After each round a good client is served; at the end nothing is
 * left.
 *
 *     fuzz_listener [ROUNDS]
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/listener.h"
#include "sim/allocate.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("fuzz_listener: %s, line %d, round %u\n", #condition, __LINE__, round_number);  \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { CLIENTS = 8, FRAME_MAX = 5000, WAITING_MAX = 64 };

static uint32_t round_number;
static uv_loop_t loop;
static struct live_listener *listener;
static uint64_t state = 88172645463325252u;
static uint64_t waiting[WAITING_MAX];
static uint32_t waiting_count, requests, refusals, echoes;
static bool is_plain; /* requests are echoed at once */
static bool good_is_waiting;

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % n;
}

static uint8_t *frame_of(const uint8_t *bytes, size_t size, size_t *whole)
{
    uint8_t *frame = sim_realloc(NULL, size + 4);
    frame[0] = (uint8_t)(size >> 24);
    frame[1] = (uint8_t)(size >> 16);
    frame[2] = (uint8_t)(size >> 8);
    frame[3] = (uint8_t)size;
    if (size > 0)
        memcpy(frame + 4, bytes, size);
    *whole = size + 4;
    return frame;
}

static bool on_request(void *context, uint64_t connection, const uint8_t *bytes, size_t size)
{
    size_t whole;
    (void)context;
    CHECK(size <= FRAME_MAX);
    requests++;
    uint32_t what = is_plain ? 0 : below(7);
    if (what == 6) { /* not now */
        refusals++;
        return false;
    }
    if (what == 5 && waiting_count < WAITING_MAX) {
        waiting[waiting_count++] = connection;
    } else if (what == 4) {
        live_listener_close(listener, connection);
    } else if (what == 3) {
        live_listener_answer(listener, connection, NULL, 0);
    } else {
        uint8_t *frame = frame_of(bytes, size, &whole);
        live_listener_answer(listener, connection, frame, whole);
    }
    return true;
}

/* ---- clients ---- */

struct client {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uint8_t bytes[4 * FRAME_MAX + 64];
    size_t size;
    bool is_good; /* sends one frame and waits for its echo */
    size_t got;
};

static void on_sent(uv_write_t *write, int status)
{
    (void)status;
    free(write);
}

static void give_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    static char bytes[65536];
    (void)handle;
    (void)wanted;
    *buffer = uv_buf_init(bytes, sizeof bytes);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void finish(struct client *c)
{
    good_is_waiting = good_is_waiting && !c->is_good;
    if (!uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_answer(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct client *c = stream->data;
    (void)buffer;
    if (size < 0) {
        finish(c);
        return;
    }
    c->got += (size_t)size;
    if (c->is_good && c->got == c->size) {
        echoes++;
        finish(c);
    }
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct client *c = connect->data;
    if (status < 0) {
        finish(c);
        return;
    }
    uv_read_start((uv_stream_t *)&c->tcp, give_buffer, on_answer);
    for (size_t at = 0; at < c->size;) {
        size_t piece = c->is_good ? c->size : 1 + below((uint32_t)(c->size - at));
        uv_write_t *write = sim_alloc(sizeof *write);
        uv_buf_t buffer = uv_buf_init((char *)c->bytes + at, (unsigned)piece);
        uv_write(write, (uv_stream_t *)&c->tcp, &buffer, 1, on_sent);
        at += piece;
    }
    if (!c->is_good && below(3) == 0)
        finish(c);
}

static struct client *new_client(void)
{
    struct client *c = sim_alloc(sizeof *c);
    struct sockaddr_in at;
    uv_ip4_addr("127.0.0.1", live_listener_port(listener), &at);
    uv_tcp_init(&loop, &c->tcp);
    c->tcp.data = c->connect.data = c;
    uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&at, on_connected);
    return c;
}

static void add_frame(struct client *c, uint32_t claimed, uint32_t size)
{
    uint8_t *at = c->bytes + c->size;
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(claimed >> (24 - 8 * i));
    for (uint32_t i = 0; i < size; i++)
        at[4 + i] = (uint8_t)below(256);
    c->size += size + 4;
}

static void send_noise(void)
{
    struct client *c = new_client();
    for (uint32_t n = 1 + below(3); n > 0; n--) {
        uint32_t size = below(8) == 0 ? below(FRAME_MAX) : below(200);
        static const uint32_t lies[] = {0xffffffff, 0x80000000, 0x7fffffff, FRAME_MAX + 1, 0};
        uint32_t claimed = below(4) > 0 ? size : below(2) == 0 ? lies[below(5)] : size + below(50);
        add_frame(c, claimed, size);
    }
}

/* Where the listener has as many connections as it may, the client comes again. */
static void serve_a_good_client(void)
{
    uint32_t before = echoes;
    is_plain = true;
    for (uint32_t tries = 0; echoes == before; tries++) {
        struct client *c = new_client();
        c->is_good = good_is_waiting = true;
        add_frame(c, 100, 100);
        while (good_is_waiting)
            uv_run(&loop, UV_RUN_ONCE);
        CHECK(tries < 10000);
    }
    is_plain = false;
}

static void answer_what_waits(void)
{
    while (waiting_count > 0) {
        size_t whole;
        uint8_t *frame = frame_of((const uint8_t *)"late", 4, &whole);
        live_listener_answer(listener, waiting[--waiting_count], frame, whole);
    }
}

static void play_round(void)
{
    for (int i = 0; i < CLIENTS; i++)
        send_noise();
    for (int i = 0; i < 30; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (below(3) == 0)
            live_listener_offer(listener);
    }
    answer_what_waits();
    serve_a_good_client();
}

static void close_client(uv_handle_t *handle, void *context)
{
    (void)context;
    if (handle->type == UV_TCP && handle->data != NULL && !uv_is_closing(handle))
        uv_close(handle, on_closed);
}

int main(int argc, char **argv)
{
    uint32_t rounds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 300;
    struct live_listener_config config = {.address = {.host = "127.0.0.1", .port = 0},
                                          .request_max_bytes = FRAME_MAX,
                                          .idle_us = 50000,
                                          .connections_max = 200,
                                          .request = on_request};
    int error = 0;
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&loop);
    listener = live_listener_new(&loop, &config, &error);
    CHECK(listener != NULL);
    for (round_number = 1; round_number <= rounds; round_number++)
        play_round();
    /* those that were left half-way are idle: they are closed */
    while (live_listener_connections(listener) > 0) {
        answer_what_waits();
        live_listener_offer(listener);
        uv_run(&loop, UV_RUN_ONCE);
    }
    live_listener_free(listener);
    uv_walk(&loop, close_client, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
    printf("fuzz_listener: %u requests, %u of them not taken at first, %u good clients served\n",
           requests, refusals, echoes);
    return 0;
}
