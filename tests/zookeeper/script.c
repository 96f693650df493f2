#include "script.h"

#include <assert.h>
#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCRATCH = 1 << 20 };
static uint64_t scratch[SCRATCH / 8], request_bytes[SCRATCH / 8];

/* ---- outputs ---- */

static void say(struct script *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s->out + s->out_size, sizeof s->out - s->out_size, format, args);
    va_end(args);
    s->out_size += (size_t)n;
    assert(s->out_size < sizeof s->out);
}

static void say_stat(struct script *s, const struct wire_zk_stat *t)
{
    say(s, " c%" PRId64 " m%" PRId64 " p%" PRId64 " v%d cv%d n%d len%d", t->czxid, t->mzxid,
        t->pzxid, t->version, t->cversion, t->num_children, t->data_length);
    if (t->ephemeral_owner != 0)
        say(s, " owner %" PRId64, t->ephemeral_owner);
}

static void say_result(struct script *s, const struct wire_zk_result_view *v)
{
    const struct wire_zk_result *r = v->result;
    say(s, " %s %s", wire_zk_opcode_name((enum wire_zk_opcode)r->opcode), wire_zk_err_name(r->err));
    if (r->err != WIRE_ZK_OK)
        return;
    if (r->path_size != 0)
        say(s, " %s", v->path);
    if (r->opcode == WIRE_ZK_GET_DATA)
        say(s, " %s%.*s", r->has_data ? "=" : "null", (int)r->data_size, (const char *)v->data);
    if (r->opcode == WIRE_ZK_GET_CHILDREN)
        for (const char *name = NULL; (name = wire_zk_name_next(v, name)) != NULL;)
            say(s, " %s", name);
    if (s->shows_stat)
        say_stat(s, &r->stat);
}

static void say_reply(struct script *s, const struct kz_output *o)
{
    struct wire_zk_result_view v = {0};
    ck_assert(wire_zk_reply_valid(o->reply, o->reply->size));
    say(s, "  %u <-", o->conn);
    if (o->reply->multi || o->reply->count == 0)
        say(s, " %s:", wire_zk_err_name(o->reply->err));
    while (wire_zk_result_next(o->reply, &v))
        say_result(s, &v);
    say(s, " @%" PRId64 "\n", o->reply->zxid);
}

static void put(void *context, const struct kz_output *o)
{
    struct script *s = context;
    switch ((enum kz_output_kind)o->kind) {
    case KZ_OUT_NONE:
        return;
    case KZ_OUT_CONNECTED:
        if (o->session == 0) {
            say(s, "  %u refused\n", o->conn);
            return;
        }
        s->passwords[o->session % 64] = o->password;
        say(s, "  %u is session %" PRId64 ", timeout %" PRId64 " ms\n", o->conn, o->session,
            o->timeout_us / 1000);
        return;
    case KZ_OUT_REPLY:
        say_reply(s, o);
        return;
    case KZ_OUT_EVENT:
        say(s, "  %u !! %s %s\n", o->conn, wire_zk_event_name((enum wire_zk_event_type)o->type),
            o->path);
        return;
    case KZ_OUT_CLOSED:
        say(s, "  %u closed\n", o->conn);
        return;
    case KZ_OUT_EXPIRED:
        say(s, "  session %" PRId64 " expired @%" PRId64 "\n", o->session, o->zxid);
        return;
    case KZ_OUT_APPLIED:
        if (s->shows_applied) {
            say(s, "  applied %s %s @%" PRId64, wire_zk_opcode_name((enum wire_zk_opcode)o->type),
                o->path, o->zxid);
            say_stat(s, o->stat);
            say(s, "\n");
        }
        return;
    }
}

static void step(struct script *s, struct kz_input in)
{
    struct kz_outputs out = {
        .put = put, .context = s, .scratch = scratch, .scratch_size = s->scratch_size};
    uint64_t before = kz_server_digest(s->server);
    size_t said = s->out_size;
    s->err = kz_server_step(s->server, s->now_us, &in, &out);
    s->short_of = out.short_of;
    kz_server_check(s->server);
    if (s->err == SM_ERR_LIMIT) {
        ck_assert_uint_eq(s->out_size, said);
        ck_assert_uint_eq(kz_server_digest(s->server), before);
        say(s, "  LIMIT %s\n", s->short_of);
    }
}

/* ---- lines ---- */

static void add_op(struct script *s, struct wire_zk_builder *b, char *text)
{
    char *words[5] = {0};
    int count = 0;
    for (char *w = strtok(text, " "); w != NULL && count < 5; w = strtok(NULL, " "))
        words[count++] = w;
    static const struct {
        const char *name;
        enum wire_zk_opcode opcode;
    } names[] = {{"create", WIRE_ZK_CREATE},
                 {"delete", WIRE_ZK_DELETE},
                 {"exists", WIRE_ZK_EXISTS},
                 {"stat", WIRE_ZK_EXISTS},
                 {"get", WIRE_ZK_GET_DATA},
                 {"set", WIRE_ZK_SET_DATA},
                 {"children", WIRE_ZK_GET_CHILDREN},
                 {"check", WIRE_ZK_CHECK},
                 {"sync", WIRE_ZK_SYNC},
                 {"nop", WIRE_ZK_NOP}};
    size_t size = strcspn(words[0], ":!");
    struct wire_zk_op op = {.version = WIRE_ZK_ANY_VERSION};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].name) == size && strncmp(words[0], names[i].name, size) == 0)
            op.opcode = (uint8_t)names[i].opcode;
    s->shows_stat |= strcmp(words[0], "stat") == 0;
    op.watch = words[0][size] == '!';
    for (const char *f = words[0] + size; *f != 0; f++)
        op.flags |= *f == 'e' ? WIRE_ZK_EPHEMERAL : *f == 's' ? WIRE_ZK_SEQUENTIAL : 0;
    bool writes = op.opcode == WIRE_ZK_CREATE || op.opcode == WIRE_ZK_SET_DATA;
    const char *data = writes ? words[2] : NULL, *version = words[writes ? 3 : 2];
    if (version != NULL)
        op.version = atoi(version);
    if (data != NULL && strcmp(data, "-") == 0)
        data = NULL;
    if (data != NULL && strcmp(data, "\"\"") == 0)
        data = "";
    op.data_size = data == NULL ? 0 : (uint32_t)strlen(data);
    wire_zk_add(b, op, words[1] != NULL ? words[1] : "", data);
}

static void request_line(struct script *s, uint32_t conn, char *text)
{
    struct wire_zk_builder b;
    text += strspn(text, " ");
    bool multi = strncmp(text, "multi", 5) == 0;
    s->shows_stat = false;
    wire_zk_begin(&b, request_bytes, sizeof request_bytes, 1, multi);
    text += multi ? 5 : 0;
    while (*text != 0) {
        size_t size = strcspn(text, ";");
        char op[2048];
        snprintf(op, sizeof op, "%.*s", (int)size, text);
        if (strspn(op, " ") != strlen(op))
            add_op(s, &b, op);
        text += size + (text[size] == ';');
    }
    const struct wire_zk_request *request = wire_zk_end(&b);
    ck_assert_ptr_nonnull(request);
    step(s, (struct kz_input){.kind = KZ_IN_REQUEST, .conn = conn, .request = request});
}

static void line(struct script *s, char *text)
{
    char word[32] = "", path[1100] = "";
    int64_t a = 0, b = 0, c = 0;
    struct kz_input in = {0};
    int n = sscanf(text, "%31s %" SCNd64 " %" SCNd64 " %" SCNd64, word, &a, &b, &c);
    if (n < 1)
        return;
    in.conn = (uint32_t)a;
    if (word[0] >= '0' && word[0] <= '9') {
        request_line(s, (uint32_t)atoi(word), text + strlen(word));
        return;
    } else if (strcmp(word, "at") == 0) {
        s->now_us = a * 1000;
        return;
    } else if (strcmp(word, "connect") == 0) {
        in.kind = KZ_IN_CONNECT;
        in.timeout_us = n > 2 ? b * 1000 : 6000000;
    } else if (strcmp(word, "reconnect") == 0) {
        in.kind = KZ_IN_CONNECT;
        in.session = b;
        in.password = s->passwords[b % 64];
        in.zxid = n > 3 ? c : kz_server_zxid(s->server);
        in.timeout_us = 6000000;
    } else if (strcmp(word, "disconnect") == 0) {
        in.kind = KZ_IN_DISCONNECT;
    } else if (strcmp(word, "close") == 0) {
        in.kind = KZ_IN_CLOSE;
    } else if (strcmp(word, "ping") == 0) {
        in.kind = KZ_IN_HEARTBEAT;
    } else if (strcmp(word, "tick") == 0) {
        in.kind = KZ_IN_TICK;
    } else if (strcmp(word, "lag") == 0) {
        in.kind = KZ_IN_LAG;
        in.zxid = b;
    } else if (strcmp(word, "expire") == 0) {
        in = (struct kz_input){.kind = KZ_IN_EXPIRE, .session = a};
    } else if (strcmp(word, "quorum") == 0) {
        in = (struct kz_input){.kind = KZ_IN_QUORUM, .on = strstr(text, "regained") != NULL};
    } else if (strcmp(word, "lost") == 0) {
        char what[8];
        sscanf(text, "%*s %*d %7s %" SCNd64 " %1099s", what, &b, path);
        in = (struct kz_input){.kind = what[0] == 'e' ? KZ_IN_LOST_EVENT : KZ_IN_LOST_REPLY,
                               .session = a,
                               .on = (uint32_t)b,
                               .path = path};
    } else {
        ck_abort_msg("script: %s", text);
    }
    step(s, in);
}

const char *script_run(struct script *s, const char *lines)
{
    s->out_size = 0;
    s->out[0] = 0;
    while (*lines != 0) {
        size_t size = strcspn(lines, "\n");
        char text[4096];
        snprintf(text, sizeof text, "%.*s", (int)size, lines);
        char *start = text + strspn(text, " ");
        line(s, start);
        lines += size + (lines[size] == '\n');
    }
    return s->out;
}

/* ---- making ---- */

struct script *script_new(const struct kz_limits *limits)
{
    struct script *s = calloc(1, sizeof *s);
    s->server = malloc(kz_server_size(limits));
    s->scratch_size = sizeof scratch;
    kz_server_init(s->server, limits, 2000000);
    kz_server_check(s->server);
    return s;
}

struct script *script_default(void)
{
    return script_new(&(struct kz_limits){
        .nodes = 100, .bytes = 8192, .watches = 50, .sessions = 10, .history = 100});
}

void script_free(struct script *s)
{
    free(s->server);
    free(s);
}

void script_grow(struct script *s, const struct kz_limits *limits)
{
    uint64_t before = kz_server_digest(s->server);
    struct kz_server *larger = malloc(kz_server_size(limits));
    kz_server_grow(s->server, larger, limits);
    free(s->server);
    s->server = larger;
    kz_server_check(larger);
    ck_assert_uint_eq(kz_server_digest(larger), before);
}
