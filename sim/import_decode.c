/*
 * One transaction of ZooKeeper, out of three notations.
 *
 *     server:          jute: header, then lengths and bytes
 *     TxnLogToolkit:   create /a,DATA,[31,s{'world,'anyone}\n],false,2        multi
 * create:JUTE;setData:JUTE LogFormatter:    create '/a,#HEX,v{s{31,s{'world,'anyone}}},F,2 multi
 * v{s{1,#HEX},s{5,#HEX}}
 *
 * The tools spoil what is inside of a multi. The newer prints jute as if it were UTF-8: a byte from
 * 128 on is a replacement character, so lengths are not to be trusted, but each of their bytes is
 * still one character, and the values that matter here are JSON, which has no zero in it. The older
 * prints bytes in hexadecimal without leading zeros, negative ones with eight digits; that can be
 * undone because paths begin with a slash and values with a brace. What cannot be read is kept as
 * text and counted as unknown.
 *
 * Source: ZooKeeper TxnLogToolkit.getFormattedTxnStr, LogFormatter.main, CsvOutputArchive.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/import_state.h"

enum { RAW_TXN_HEAD = 32, DATA_SEARCH = 24 };

/* ---- room ---- */

static size_t take_room(struct sim_txn *txn, size_t size)
{
    struct sim_bytes_room *r = &txn->room;
    r->at = sim_grow(r->at, &r->capacity, r->size + size + 1, 1);
    size_t at = r->size;
    r->size += size + 1;
    return at;
}

static struct sim_txn_op *add_op(struct sim_txn *txn, enum sim_txn_type type)
{
    if (txn->count == SIM_TXN_OPS_MAX) {
        txn->readable = false;
        return NULL;
    }
    struct sim_txn_op *op = &txn->ops[txn->count++];
    memset(op, 0, sizeof(*op));
    op->type = type;
    return op;
}

/* Kafka's paths are ASCII; others are left as they stand, in the log record. */
static bool set_path(struct sim_txn_op *op, const char *path, size_t size)
{
    if (size == 0 || size >= sizeof(op->path) || path[0] != '/')
        return false;
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)path[i] <= 0x20 || (uint8_t)path[i] >= 0x7f)
            return false;
    memcpy(op->path, path, size);
    op->path[size] = '\0';
    return true;
}

/* Data are offsets while the room may move; settled at the end. */
static void set_data(struct sim_txn *txn, struct sim_txn_op *op, const char *data, size_t size)
{
    size_t at = take_room(txn, size);
    memcpy(txn->room.at + at, data, size);
    txn->room.at[at + size] = '\0';
    op->data = (char *)(uintptr_t)(at + 1);
    op->size = size;
}

static void settle(struct sim_txn *txn)
{
    for (size_t i = 0; i < txn->count; i++)
        if (txn->ops[i].data != NULL)
            txn->ops[i].data = txn->room.at + ((uintptr_t)txn->ops[i].data - 1);
}

static enum sim_txn_type type_of(struct sim_span name)
{
    if (sim_span_is(name, "create") || sim_span_is(name, "create2") ||
        sim_span_is(name, "createContainer") || sim_span_is(name, "createTTL") ||
        sim_span_is(name, "createTtl"))
        return SIM_TXN_CREATE;
    if (sim_span_is(name, "delete") || sim_span_is(name, "deleteContainer"))
        return SIM_TXN_DELETE;
    if (sim_span_is(name, "setData"))
        return SIM_TXN_SET;
    return sim_span_is(name, "check") ? SIM_TXN_CHECK : SIM_TXN_OTHER;
}

static enum sim_txn_type type_numbered(int64_t number)
{
    switch (number) {
    case 1:
    case 15:
    case 19:
    case 21:
        return SIM_TXN_CREATE;
    case 2:
    case 20:
        return SIM_TXN_DELETE;
    case 5:
        return SIM_TXN_SET;
    case 13:
        return SIM_TXN_CHECK;
    default: /* an outside number */
        return SIM_TXN_OTHER;
    }
}

/* ---- jute ---- */

static bool take_int(struct sim_span *s, int64_t *value)
{
    if (s->size < 4)
        return false;
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 8 | (uint8_t)s->at[i];
    *value = (int32_t)v;
    *s = (struct sim_span){s->at + 4, s->size - 4};
    return true;
}

static int64_t long_at(const char *at)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | (uint8_t)at[i];
    return (int64_t)v;
}

/* A length and as many bytes; at NULL for -1. */
static bool take_bytes(struct sim_span *s, struct sim_span *bytes)
{
    int64_t size;
    if (!take_int(s, &size) || size < -1 || (size > 0 && (uint64_t)size > s->size))
        return false;
    *bytes = (struct sim_span){size < 0 ? NULL : s->at, size < 0 ? 0 : (size_t)size};
    if (size > 0)
        *s = (struct sim_span){s->at + size, s->size - (size_t)size};
    return true;
}

static bool take_acl(struct sim_span *s)
{
    int64_t count, perms;
    struct sim_span word;
    if (!take_int(s, &count))
        return false;
    for (int64_t i = 0; i < count; i++)
        if (!take_int(s, &perms) || !take_bytes(s, &word) || !take_bytes(s, &word))
            return false;
    return true;
}

static bool jute_op(struct sim_txn *txn, enum sim_txn_type type, struct sim_span s)
{
    struct sim_txn_op *op = add_op(txn, type);
    struct sim_span path, data = {0};
    if (op == NULL || !take_bytes(&s, &path) || path.at == NULL ||
        !set_path(op, path.at, path.size))
        return false;
    if (type == SIM_TXN_CREATE || type == SIM_TXN_SET) {
        if (!take_bytes(&s, &data))
            return false;
        if (data.at != NULL)
            set_data(txn, op, data.at, data.size);
    }
    if (type == SIM_TXN_CREATE && take_acl(&s) && s.size > 0)
        op->ephemeral = s.at[0] == 1;
    return true;
}

static const char *const type_names[] = {
    [SIM_TXN_CREATE] = "create", [SIM_TXN_DELETE] = "delete", [SIM_TXN_SET] = "setData",
    [SIM_TXN_CHECK] = "check",   [SIM_TXN_OTHER] = "other",
};

/* What an operation of a refused multi has become: the first that names a reason counts. */
static void take_error(struct sim_txn *txn, bool known, int64_t code)
{
    if (txn->error == 0 || txn->error == -1)
        txn->error = known && code != 0 && code > INT32_MIN && code < 0 ? (int32_t)code : -1;
}

static bool raw_multi(struct sim_txn *txn, struct sim_span s)
{
    int64_t count, type;
    struct sim_span body;
    if (!take_int(&s, &count))
        return false;
    for (int64_t i = 0; i < count; i++) {
        if (!take_int(&s, &type) || !take_bytes(&s, &body))
            return false;
        if (type == -1) {
            bool known = body.at != NULL && take_int(&body, &type);
            take_error(txn, known, type);
        } else if (type_numbered(type) != SIM_TXN_OTHER && body.at != NULL &&
                   !jute_op(txn, type_numbered(type), body))
            return false;
    }
    return true;
}

static bool decode_raw(const struct sim_entry *e, struct sim_txn *txn)
{
    struct sim_span s = {e->text.at + RAW_TXN_HEAD, e->text.size - RAW_TXN_HEAD};
    struct sim_span kind = {e->text.at + 28, 4};
    int64_t type = 0, number = 0;
    txn->session = long_at(e->text.at);
    txn->zxid = long_at(e->text.at + 12);
    take_int(&kind, &type);
    txn->name = "other";
    if (type == -10) {
        txn->name = "createSession";
        if (take_int(&s, &number))
            txn->timeout_ms = number;
        return true;
    }
    if (type == -11) {
        txn->name = "closeSession";
        return true;
    }
    if (type == -1) {
        txn->name = "error";
        txn->error = take_int(&s, &number) ? (int32_t)number : -1;
        return true;
    }
    if (type == 14) {
        txn->name = "multi";
        return raw_multi(txn, s);
    }
    txn->name = type_names[type_numbered(type)];
    return type_numbered(type) == SIM_TXN_OTHER || jute_op(txn, type_numbered(type), s);
}

/* ---- what TxnLogToolkit prints ---- */

/* One character that stands for one byte; returns its size, 0 at the end. */
static size_t char_size(struct sim_span s)
{
    if (s.size == 0)
        return 0;
    return s.size >= 3 && memcmp(s.at, "\xef\xbf\xbd", 3) == 0 ? 3 : 1;
}

/* Four of them, a length. all_high: each was a byte from 128 on (that is -1). */
static bool skip_length(struct sim_span *s, bool *all_high)
{
    *all_high = true;
    for (int i = 0; i < 4; i++) {
        size_t size = char_size(*s);
        if (size == 0)
            return false;
        *all_high = *all_high && size == 3;
        *s = (struct sim_span){s->at + size, s->size - size};
    }
    return true;
}

/* The path ends where the next length begins: at a byte that no path has. */
static size_t path_size(struct sim_span s)
{
    size_t size = 0;
    while (size < s.size && (uint8_t)s.at[size] > 0x20 && (uint8_t)s.at[size] < 0x7f)
        size++;
    return size;
}

static bool garbled_op(struct sim_txn *txn, enum sim_txn_type type, struct sim_span s)
{
    bool null;
    struct sim_txn_op *op = add_op(txn, type);
    if (op == NULL || !skip_length(&s, &null))
        return false;
    size_t size = path_size(s);
    if (!set_path(op, s.at, size))
        return false;
    s = (struct sim_span){s.at + size, s.size - size};
    if (type != SIM_TXN_CREATE && type != SIM_TXN_SET)
        return true;
    if (!skip_length(&s, &null))
        return false;
    const char *zero = s.size > 0 ? memchr(s.at, '\0', s.size) : NULL;
    size = zero != NULL ? (size_t)(zero - s.at) : s.size;
    if (!null)
        set_data(txn, op, s.at, size);
    struct sim_span anyone = {s.at, s.size};
    const char *acl = type == SIM_TXN_CREATE ? sim_span_find(anyone, "anyone") : NULL;
    op->ephemeral = acl != NULL && acl + 6 < s.at + s.size && acl[6] == 1;
    return true;
}

/* "create:…;setData:…": the next operation begins at ";NAME:". */
static const char *next_op(struct sim_span s)
{
    static const char *const names[] = {
        ";create:", ";create2:", ";setData:", ";delete:", ";check:", ";error:"};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *at = sim_span_find(s, names[i]);
        if (at != NULL && (first == NULL || at < first))
            first = at;
    }
    return first;
}

static bool garbled_multi(struct sim_txn *txn, struct sim_span s)
{
    while (s.size > 0) {
        const char *end = s.at + s.size, *next = next_op(s);
        struct sim_span op = {s.at, (size_t)((next != NULL ? next : end) - s.at)};
        const char *colon = memchr(op.at, ':', op.size);
        if (colon == NULL)
            return false;
        struct sim_span name = {op.at, (size_t)(colon - op.at)};
        if (sim_span_is(name, "error"))
            take_error(txn, false, 0); /* its bytes are garbled */
        else if (type_of(name) != SIM_TXN_OTHER &&
                 !garbled_op(txn, type_of(name),
                             (struct sim_span){colon + 1, (size_t)(op.at + op.size - colon - 1)}))
            return false;
        s = next != NULL ? (struct sim_span){next + 1, (size_t)(end - next - 1)}
                         : (struct sim_span){end, 0};
    }
    return true;
}

/* ---- what LogFormatter prints ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_pair(struct sim_span s)
{
    return s.size < 2 || hex(s.at[0]) < 0 || hex(s.at[1]) < 0 ? -1
                                                              : hex(s.at[0]) << 4 | hex(s.at[1]);
}

static struct sim_span behind(struct sim_span s, size_t size)
{
    return (struct sim_span){s.at + size, s.size - size};
}

/* Unpacks printable bytes, at most `most`, into the room; stops at one that is not. Returns bytes.
 */
static size_t unhex(struct sim_txn *txn, struct sim_span s, size_t most, size_t *at)
{
    *at = take_room(txn, most);
    size_t size = 0;
    for (int pair; size < most && (pair = hex_pair(s)) >= 0x20 && pair < 0x7f; s = behind(s, 2))
        txn->room.at[*at + size++] = (char)pair;
    txn->room.at[*at + size] = '\0';
    return size;
}

/* "000" and one or two digits; the text that they count begins behind them. */
static size_t short_length(struct sim_span s, const char *begin, size_t *length)
{
    if (s.size < 6 || memcmp(s.at, "000", 3) != 0)
        return 0;
    for (size_t digits = 1; digits <= 2; digits++) {
        struct sim_span rest = behind(s, 3 + digits);
        if (!sim_span_begins(rest, begin))
            continue;
        *length = digits == 1 ? (size_t)hex(s.at[3]) : (size_t)hex_pair(behind(s, 3));
        return 3 + digits;
    }
    return 0;
}

/* Size of the JSON object that the text begins with; 0: none. */
static size_t json_size(const char *text, size_t size)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"' && (i == 0 || text[i - 1] != '\\'))
            quoted = !quoted;
        if (quoted)
            continue;
        depth += (text[i] == '{') - (text[i] == '}');
        if (depth == 0)
            return i + 1;
    }
    return 0;
}

/* The value: null, JSON, or a short text such as the controller's epoch. Returns the digits that it
 * took. */
static bool hex_data(struct sim_txn *txn, struct sim_txn_op *op, struct sim_span s, size_t *used)
{
    static const char null[] = "ffffffffffffffffffffffffffffffff";
    struct sim_span head = {s.at, s.size < DATA_SEARCH ? s.size : DATA_SEARCH};
    const char *brace = sim_span_find(head, "7b22");
    size_t at, length = 0, skip;
    *used = 0;
    if (sim_span_begins(s, null)) {
        *used = sizeof(null) - 1;
        return true;
    }
    if (brace != NULL) {
        struct sim_span rest = behind(s, (size_t)(brace - s.at));
        size_t most = unhex(txn, rest, rest.size / 2, &at);
        size_t size = json_size(txn->room.at + at, most);
        op->data = (char *)(uintptr_t)(at + 1);
        op->size = size;
        txn->room.at[at + size] = '\0';
        *used = (size_t)(brace - s.at) + 2 * size;
        return size > 0;
    }
    for (char digit = '0'; digit <= '9'; digit++) { /* "000" "1" "31": a number */
        char begin[] = {'3', digit, '\0'};
        skip = short_length(s, begin, &length);
        if (skip > 0 && length > 0 && length < 16) {
            op->size = unhex(txn, behind(s, skip), length, &at);
            op->data = (char *)(uintptr_t)(at + 1);
            *used = skip + 2 * op->size;
            return op->size == length;
        }
    }
    return false;
}

static bool hex_op(struct sim_txn *txn, enum sim_txn_type type, struct sim_span s)
{
    static const char anyone[] = "616e796f6e65";
    struct sim_txn_op *op = add_op(txn, type);
    size_t length = 0, at, used = 0, skip = short_length(s, "2f", &length);
    if (op == NULL || skip == 0 || length == 0)
        return false;
    size_t size = unhex(txn, behind(s, skip), length, &at);
    if (size != length || !set_path(op, txn->room.at + at, size))
        return false;
    s = behind(s, skip + 2 * size);
    if (type != SIM_TXN_CREATE && type != SIM_TXN_SET)
        return true;
    if (!hex_data(txn, op, s, &used))
        return false;
    const char *acl = type == SIM_TXN_CREATE ? sim_span_find(behind(s, used), anyone) : NULL;
    op->ephemeral =
        acl != NULL && acl + sizeof(anyone) - 1 < s.at + s.size && acl[sizeof(anyone) - 1] == '1';
    return true;
}

/* Of "ffffffffffffffffffffffffffffff9b", a negative number as the tool prints its bytes: -101. */
static int64_t last_byte(struct sim_span s)
{
    if (s.size < 2 || hex(s.at[s.size - 1]) < 0 || hex(s.at[s.size - 2]) < 0)
        return 0;
    return hex(s.at[s.size - 2]) * 16 + hex(s.at[s.size - 1]) - 256;
}

/* v{s{13,#…},s{5,#…}} */
static bool hex_multi(struct sim_txn *txn, struct sim_span s)
{
    const char *at;
    while ((at = sim_span_find(s, "s{")) != NULL) {
        s = behind(s, (size_t)(at + 2 - s.at));
        const char *comma = memchr(s.at, ',', s.size), *close = memchr(s.at, '}', s.size);
        int64_t type;
        if (comma == NULL || close == NULL || close < comma ||
            !sim_span_int((struct sim_span){s.at, (size_t)(comma - s.at)}, &type))
            return false;
        struct sim_span body = {comma + 1, (size_t)(close - comma - 1)};
        if (sim_span_begins(body, "#"))
            body = behind(body, 1);
        if (type == -1)
            take_error(txn, true, last_byte(body));
        else if (type_numbered(type) != SIM_TXN_OTHER && !hex_op(txn, type_numbered(type), body))
            return false;
        s = behind(s, (size_t)(close - s.at));
    }
    return true;
}

/* '/a,#7b…,v{…},F,1 */
static bool csv_op(struct sim_txn *txn, enum sim_txn_type type, struct sim_span s)
{
    struct sim_txn_op *op = add_op(txn, type);
    s = behind(s, 1);
    const char *comma = memchr(s.at, ',', s.size);
    size_t size = comma != NULL ? (size_t)(comma - s.at) : s.size, at;
    while (size > 0 && (s.at[size - 1] == '\n' || s.at[size - 1] == '\r'))
        size--;
    if (op == NULL || !set_path(op, s.at, size))
        return false;
    if (type == SIM_TXN_DELETE || comma == NULL)
        return true;
    s = behind(s, (size_t)(comma + 1 - s.at));
    if (sim_span_begins(s, "#")) {
        size_t digits = 0;
        while (digits + 1 < s.size && hex(s.at[digits + 1]) >= 0)
            digits++;
        op->size = unhex(txn, (struct sim_span){s.at + 1, digits}, digits / 2, &at);
        op->data = (char *)(uintptr_t)(at + 1);
    }
    op->ephemeral = type == SIM_TXN_CREATE && sim_span_find(s, "},T,") != NULL;
    return true;
}

/* ---- lines ---- */

/* /a,DATA,[31,s{'world,'anyone}\n],false,2 and /a,DATA,3 */
static bool plain_op(struct sim_txn *txn, enum sim_txn_type type, struct sim_span s)
{
    struct sim_txn_op *op = add_op(txn, type);
    while (s.size > 0 && (s.at[s.size - 1] == '\n' || s.at[s.size - 1] == '\r'))
        s.size--;
    const char *comma = type == SIM_TXN_DELETE ? NULL : memchr(s.at, ',', s.size);
    size_t size = comma != NULL ? (size_t)(comma - s.at) : s.size;
    if (op == NULL || !set_path(op, s.at, size))
        return false;
    if (comma == NULL)
        return true;
    s = behind(s, size + 1);
    const char *end = NULL;
    if (type == SIM_TXN_CREATE) {
        struct sim_span rest = s;
        for (const char *acl; (acl = sim_span_find(rest, ",[")) != NULL;) { /* the last one */
            end = acl;
            rest = behind(rest, (size_t)(acl + 2 - rest.at));
        }
        op->ephemeral =
            end != NULL &&
            sim_span_find((struct sim_span){end, (size_t)(s.at + s.size - end)}, "],true,") != NULL;
    }
    for (const char *at = s.at + s.size; type == SIM_TXN_SET && end == NULL && at > s.at; at--)
        if (at[-1] == ',')
            end = at - 1;
    size = end != NULL ? (size_t)(end - s.at) : s.size;
    if (size > 0)
        set_data(txn, op, s.at, size);
    return true;
}

static int64_t hex_number(struct sim_span s, const char *name)
{
    const char *at = sim_span_find(s, name);
    uint64_t v = 0;
    if (at == NULL)
        return 0;
    for (at += strlen(name); at < s.at + s.size && hex(*at) >= 0; at++)
        v = v << 4 | (uint64_t)hex(*at);
    return (int64_t)v;
}

/* "session 0x… cxid 0x… zxid 0x… create …" */
static bool decode_line(const struct sim_entry *e, struct sim_txn *txn)
{
    static const char *const names[] = {"createSession", "closeSession", "error",   "multi",
                                        "create",        "create2",      "setData", "delete"};
    struct sim_span s = e->text;
    const char *zxid = sim_span_find(s, " zxid 0x");
    txn->session = hex_number(s, "session 0x");
    txn->zxid = hex_number(s, " zxid 0x");
    txn->name = "other";
    if (zxid == NULL)
        return false;
    s = behind(s, (size_t)(zxid + 8 - s.at));
    const char *blank = memchr(s.at, ' ', s.size);
    if (blank == NULL)
        return false;
    s = behind(s, (size_t)(blank + 1 - s.at));
    size_t size = 0;
    while (size < s.size && s.at[size] != ' ' && s.at[size] != '\n')
        size++;
    struct sim_span word = {s.at, size}, rest = behind(s, size < s.size ? size + 1 : size);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (sim_span_is(word, names[i]))
            txn->name = names[i];
    size_t digits = rest.size > 0 && rest.at[0] == '-';
    while (digits < rest.size && rest.at[digits] >= '0' && rest.at[digits] <= '9')
        digits++;
    int64_t number = sim_span_number((struct sim_span){rest.at, digits}, 0);
    if (sim_span_is(word, "createSession"))
        txn->timeout_ms = number;
    if (sim_span_is(word, "error"))
        txn->error = number != 0 && number > INT32_MIN ? (int32_t)number : -1;
    if (sim_span_is(word, "multi"))
        return sim_span_begins(rest, "v{") ? hex_multi(txn, rest) : garbled_multi(txn, rest);
    if (type_of(word) == SIM_TXN_OTHER)
        return true;
    return sim_span_begins(rest, "'") ? csv_op(txn, type_of(word), rest)
                                      : plain_op(txn, type_of(word), rest);
}

void sim_txn_decode(const struct sim_entry *e, bool raw, struct sim_txn *txn)
{
    if (txn->ops == NULL) {
        size_t capacity = 0;
        txn->ops = sim_grow(NULL, &capacity, SIM_TXN_OPS_MAX, sizeof(*txn->ops));
    }
    txn->count = 0;
    txn->room.size = 0;
    txn->error = 0;
    txn->timeout_ms = 0;
    txn->readable = true;
    bool read = raw ? decode_raw(e, txn) : decode_line(e, txn);
    txn->readable = txn->readable && read;
    if (!txn->readable)
        txn->count = 0;
    settle(txn);
}

void sim_txn_clear(struct sim_txn *txn)
{
    free(txn->ops);
    free(txn->room.at);
    *txn = (struct sim_txn){0};
}
