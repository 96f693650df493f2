/* The session's outputs become calls of the adapter, its inputs and outputs lines of text. */
#define _GNU_SOURCE
#include "zookeeper_desk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/session.h"

enum { LINES_MAX = 65536, LOG_MAX = 4096, REQUEST_MAX = 1 << 21, WAIT_MS = 30000 };

struct desk {
    uv_loop_t loop;
    uv_timer_t timer, limit;
    struct live_zookeeper *z;
    struct kn_session *session;
    struct wire_zk_reply **replies;
    uint32_t asked, answered, capacity;
    char **lines;
    int line_count;
    char **log;
    int log_count;
    bool is_late, is_freed, has_expired;
    uint64_t bytes[REQUEST_MAX / 8];
    struct wire_zk_builder builder;
};

void desk_check(bool holds, const char *text, const char *file, int line)
{
    if (holds)
        return;
    printf("%s:%d: does not hold: %s\n", file, line, text);
    fflush(stdout);
    abort();
}

static void step(struct desk *d, struct kn_session_input in);

static int64_t now_us(struct desk *d)
{
    uv_update_time(&d->loop);
    return (int64_t)uv_now(&d->loop) * 1000;
}

__attribute__((format(printf, 2, 3))) static void tell(struct desk *d, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    CHECK(d->line_count < LINES_MAX);
    CHECK(vasprintf(&d->lines[d->line_count++], format, arguments) >= 0);
    va_end(arguments);
}

/* ---- the session's outputs ---- */

static void on_timer(uv_timer_t *timer)
{
    step(timer->data, (struct kn_session_input){.kind = KN_SESSION_IN_TIMER});
}

static void on_reply(struct desk *d, uint32_t number, const struct wire_zk_reply *reply)
{
    CHECK(number == d->answered); /* in order, each once */
    CHECK(wire_zk_reply_valid(reply, reply->size));
    d->replies[number] = malloc(reply->size);
    memcpy(d->replies[number], reply, reply->size);
    d->answered++;
    if (d->line_count > 0 && strncmp(d->lines[d->line_count - 1], "event", 5) == 0)
        tell(d, "reply %u", number);
}

static void on_output(void *context, const struct kn_session_output *o)
{
    struct desk *d = context;
    int64_t now = now_us(d);
    switch ((enum kn_session_output_kind)o->kind) {
    case KN_SESSION_OUT_NONE:
        return;
    case KN_SESSION_OUT_CONNECT:
        live_zookeeper_connect(d->z, o->session, o->password, o->timeout_us);
        return;
    case KN_SESSION_OUT_HANG_UP:
        live_zookeeper_hang_up(d->z);
        return;
    case KN_SESSION_OUT_SEND:
        live_zookeeper_send(d->z, o->request);
        return;
    case KN_SESSION_OUT_PING:
        live_zookeeper_ping(d->z);
        return;
    case KN_SESSION_OUT_CLOSE:
        live_zookeeper_close(d->z);
        return;
    case KN_SESSION_OUT_TIMER:
        if (o->due_us < 0)
            uv_timer_stop(&d->timer);
        else
            uv_timer_start(&d->timer, on_timer,
                           o->due_us > now ? (uint64_t)(o->due_us - now) / 1000 + 1 : 0, 0);
        return;
    case KN_SESSION_OUT_REPLY:
        on_reply(d, o->owner, o->reply);
        return;
    case KN_SESSION_OUT_CREATED:
        tell(d, "created");
        return;
    case KN_SESSION_OUT_CONNECTED:
        tell(d, "connected");
        return;
    case KN_SESSION_OUT_DISCONNECTED:
        tell(d, "disconnected");
        return;
    case KN_SESSION_OUT_EXPIRED:
        tell(d, "expired");
        d->has_expired = true;
        return;
    case KN_SESSION_OUT_CLOSED:
        tell(d, "closed");
        return;
    }
}

static void step(struct desk *d, struct kn_session_input in)
{
    struct kn_session_outputs out = {.put = on_output, .context = d};
    enum sm_err err = kn_session_step(d->session, now_us(d), &in, &out);
    CHECK(err == SM_ERR_OK || err == SM_ERR_ILLEGAL_STATE);
    CHECK(err == SM_ERR_OK || in.kind == KN_SESSION_IN_CLOSE);
}

/* ---- the adapter's inputs ---- */

static void on_input(void *context, const struct live_zk_input *in)
{
    struct desk *d = context;
    switch (in->kind) {
    case LIVE_ZK_NONE:
        return;
    case LIVE_ZK_CONNECTED:
        step(d, (struct kn_session_input){.kind = KN_SESSION_IN_CONNECTED,
                                          .session = in->session,
                                          .password = in->password,
                                          .timeout_us = in->timeout_us});
        return;
    case LIVE_ZK_DISCONNECTED:
        step(d, (struct kn_session_input){.kind = KN_SESSION_IN_DISCONNECTED});
        return;
    case LIVE_ZK_REPLY:
        CHECK(in->latency_us >= 0);
        step(d, (struct kn_session_input){.kind = KN_SESSION_IN_REPLY, .reply = in->reply});
        return;
    case LIVE_ZK_EVENT:
        tell(d, "event %s %s", wire_zk_event_name((enum wire_zk_event_type)in->event_type),
             in->path);
        step(d, (struct kn_session_input){.kind = KN_SESSION_IN_HEARD});
        return;
    case LIVE_ZK_PONG:
        step(d, (struct kn_session_input){.kind = KN_SESSION_IN_HEARD});
        return;
    case LIVE_ZK_CLOSED:
        tell(d, "session closed");
        return;
    }
}

static void on_log(void *context, enum live_zk_level level, const char *text)
{
    static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    struct desk *d = context;
    if (d->log_count < LOG_MAX)
        CHECK(asprintf(&d->log[d->log_count++], "%s %s", names[level], text) >= 0);
}

/* ---- beginning and end ---- */

struct desk *desk_new_configured(const struct live_zookeeper_config *config, int timeout_ms)
{
    char error[256];
    struct desk *d = calloc(1, sizeof *d);
    struct live_zookeeper_config mine = *config;
    struct kn_session_limits limits = {.request_bytes = 64u << 20};
    struct kn_session_config session = {.timeout_us = timeout_ms * 1000ll, .reconnect_us = 50000};
    CHECK(d != NULL && uv_loop_init(&d->loop) == 0);
    d->lines = calloc(LINES_MAX, sizeof *d->lines);
    d->log = calloc(LOG_MAX, sizeof *d->log);
    uv_timer_init(&d->loop, &d->timer);
    uv_timer_init(&d->loop, &d->limit);
    d->timer.data = d->limit.data = d;
    d->session = calloc(1, kn_session_size(&limits));
    kn_session_init(d->session, &limits, &session);
    mine.take = on_input;
    mine.log = on_log;
    mine.context = d;
    d->z = live_zookeeper_new(&d->loop, &mine, error, sizeof error);
    CHECK(d->z != NULL);
    return d;
}

struct desk *desk_new(const char *servers, int timeout_ms, bool bulk)
{
    struct live_zookeeper_config config = {
        .servers = servers, .bulk = bulk, .log_level = LIVE_ZK_INFO};
    return desk_new_configured(&config, timeout_ms);
}

static void on_freed(void *context)
{
    ((struct desk *)context)->is_freed = true;
}

static void on_limit(uv_timer_t *timer)
{
    ((struct desk *)timer->data)->is_late = true;
}

static void begin_waiting(struct desk *d, int ms)
{
    d->is_late = false;
    uv_update_time(&d->loop);
    uv_timer_start(&d->limit, on_limit, (uint64_t)ms, 0);
}

void desk_free(struct desk *d)
{
    uv_timer_stop(&d->timer); /* the session is told nothing any more */
    live_zookeeper_free(d->z, on_freed, d);
    begin_waiting(d, WAIT_MS);
    while (!d->is_freed && !d->is_late)
        uv_run(&d->loop, UV_RUN_ONCE);
    CHECK(d->is_freed);
    uv_close((uv_handle_t *)&d->timer, NULL);
    uv_close((uv_handle_t *)&d->limit, NULL);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&d->loop) == 0);
    for (uint32_t i = 0; i < d->capacity; i++)
        free(d->replies[i]);
    for (int i = 0; i < d->line_count; i++)
        free(d->lines[i]);
    for (int i = 0; i < d->log_count; i++)
        free(d->log[i]);
    free(d->replies);
    free(d->lines);
    free(d->log);
    free(d->session);
    free(d);
}

void desk_start(struct desk *d)
{
    d->has_expired = false;
    step(d, (struct kn_session_input){.kind = KN_SESSION_IN_OPEN});
}

void desk_open(struct desk *d)
{
    int created = desk_count(d, "created");
    desk_start(d);
    CHECK(desk_until_lines(d, "created", created + 1));
}

/* ---- requests ---- */

void desk_begin(struct desk *d, bool multi)
{
    wire_zk_begin(&d->builder, d->bytes, sizeof d->bytes, d->asked, multi);
}

void desk_op(struct desk *d, struct wire_zk_op op, const char *path, const void *data)
{
    wire_zk_add(&d->builder, op, path, data);
}

uint32_t desk_send(struct desk *d)
{
    const struct wire_zk_request *request = wire_zk_end(&d->builder);
    CHECK(request != NULL);
    if (d->asked == d->capacity) {
        d->capacity = d->capacity == 0 ? 64 : 2 * d->capacity;
        d->replies = realloc(d->replies, d->capacity * sizeof *d->replies);
        memset(d->replies + d->asked, 0, (d->capacity - d->asked) * sizeof *d->replies);
    }
    uint32_t number = d->asked++;
    step(d, (struct kn_session_input){
                .kind = KN_SESSION_IN_REQUEST, .owner = number, .request = request});
    return number;
}

static uint32_t one(struct desk *d, struct wire_zk_op op, const char *path, const char *data)
{
    op.data_size = data == NULL ? 0 : (uint32_t)strlen(data);
    desk_begin(d, false);
    desk_op(d, op, path, data);
    return desk_send(d);
}

uint32_t desk_create(struct desk *d, const char *path, const char *data, int flags)
{
    return one(d, (struct wire_zk_op){.opcode = WIRE_ZK_CREATE, .flags = (uint8_t)flags}, path,
               data);
}

uint32_t desk_delete(struct desk *d, const char *path, int version)
{
    return one(d, (struct wire_zk_op){.opcode = WIRE_ZK_DELETE, .version = version}, path, NULL);
}

uint32_t desk_set(struct desk *d, const char *path, const char *data, int version)
{
    return one(d, (struct wire_zk_op){.opcode = WIRE_ZK_SET_DATA, .version = version}, path, data);
}

uint32_t desk_exists(struct desk *d, const char *path, bool watch)
{
    return one(d, (struct wire_zk_op){.opcode = WIRE_ZK_EXISTS, .watch = watch}, path, NULL);
}

uint32_t desk_get(struct desk *d, const char *path, bool watch)
{
    return one(d, (struct wire_zk_op){.opcode = WIRE_ZK_GET_DATA, .watch = watch}, path, NULL);
}

uint32_t desk_children(struct desk *d, const char *path, bool watch)
{
    return one(d, (struct wire_zk_op){.opcode = WIRE_ZK_GET_CHILDREN, .watch = watch}, path, NULL);
}

uint32_t desk_sync(struct desk *d, const char *path)
{
    return one(d, (struct wire_zk_op){.opcode = WIRE_ZK_SYNC}, path, NULL);
}

/* ---- waiting ---- */

static void deny(struct desk *d)
{
    while (d->has_expired && kn_session_outstanding(d->session) > 0 &&
           kn_session_state(d->session) == KN_SESSION_EXPIRED)
        step(d, (struct kn_session_input){.kind = KN_SESSION_IN_DENY});
}

bool desk_until_answered(struct desk *d)
{
    begin_waiting(d, WAIT_MS);
    while (d->answered < d->asked && !d->is_late) {
        deny(d);
        if (d->answered < d->asked)
            uv_run(&d->loop, UV_RUN_ONCE);
    }
    return d->answered == d->asked;
}

bool desk_until_lines(struct desk *d, const char *line, int count)
{
    begin_waiting(d, WAIT_MS);
    while (desk_count(d, line) < count && !d->is_late)
        uv_run(&d->loop, UV_RUN_ONCE);
    deny(d);
    return desk_count(d, line) >= count;
}

void desk_run(struct desk *d, int ms)
{
    begin_waiting(d, ms);
    while (!d->is_late)
        uv_run(&d->loop, UV_RUN_ONCE);
}

/* ---- what was told ---- */

const struct wire_zk_reply *desk_reply(struct desk *d, uint32_t number)
{
    CHECK(number < d->asked);
    return d->replies[number];
}

int32_t desk_err(struct desk *d, uint32_t number)
{
    const struct wire_zk_reply *reply = desk_reply(d, number);
    CHECK(reply != NULL);
    return reply->err;
}

struct wire_zk_result_view desk_result(struct desk *d, uint32_t number, uint32_t i)
{
    struct wire_zk_result_view v = {0};
    const struct wire_zk_reply *reply = desk_reply(d, number);
    CHECK(reply != NULL);
    for (uint32_t k = 0; k <= i; k++)
        CHECK(wire_zk_result_next(reply, &v));
    return v;
}

int desk_count(const struct desk *d, const char *line)
{
    int count = 0;
    for (int i = 0; i < d->line_count; i++)
        count += strcmp(d->lines[i], line) == 0;
    return count;
}

int desk_position(const struct desk *d, const char *line)
{
    for (int i = 0; i < d->line_count; i++)
        if (strcmp(d->lines[i], line) == 0)
            return i;
    return -1;
}

int desk_logged_count(const struct desk *d, const char *part)
{
    int count = 0;
    for (int i = 0; i < d->log_count; i++)
        count += strstr(d->log[i], part) != NULL;
    return count;
}

bool desk_logged(const struct desk *d, const char *part)
{
    return desk_logged_count(d, part) > 0;
}

uint32_t desk_answered(const struct desk *d)
{
    return d->answered;
}

struct live_zookeeper *desk_adapter(struct desk *d)
{
    return d->z;
}

int64_t desk_session(const struct desk *d)
{
    return kn_session_id(d->session);
}

void desk_print(const struct desk *d)
{
    for (int i = 0; i < d->line_count; i++)
        printf("  %s\n", d->lines[i]);
    for (int i = 0; i < d->log_count; i++)
        printf("  log: %s\n", d->log[i]);
}
