/*
 * Parsing of values by type, and bags. Bags are small (a znode's worth), so that looking up is a
 * walk.
 */
#include "broker/settings.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statemachine/json.h"
#include "statemachine/text.h"

static const struct kb_setting *find(const struct kb_setting *rows, uint32_t count,
                                     const char *name)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(rows[middle].name, name);
        if (order == 0)
            return &rows[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct kb_setting *kb_topic_setting(const char *name)
{
    uint32_t count;
    const struct kb_setting *rows = kb_topic_settings(&count);
    return find(rows, count, name);
}

const struct kb_setting *kb_broker_setting(const char *name)
{
    uint32_t count;
    const struct kb_setting *rows = kb_broker_settings(&count);
    return find(rows, count, name);
}

/* ---- values ---- */

struct check {
    const struct kb_setting *setting;
    const char *raw;
    char *out, *message;
    size_t capacity;
};

__attribute__((format(printf, 3, 4))) static bool refuse(struct check *k, const char *value,
                                                         const char *format, ...)
{
    va_list a;
    int n = snprintf(k->message, KB_TEXT_MAX, "Invalid value %s for configuration %s: ", value,
                     k->setting->name);
    if (n < 0 || n >= KB_TEXT_MAX)
        return false;
    va_start(a, format);
    vsnprintf(k->message + n, (size_t)(KB_TEXT_MAX - n), format, a);
    va_end(a);
    return false;
}

/* Copies without blanks at either end, as Java's String.trim. */
static bool trim(const char *from, char *out, size_t capacity)
{
    size_t size = strlen(from);
    while (size > 0 && (unsigned char)*from <= ' ')
        from++, size--;
    while (size > 0 && (unsigned char)from[size - 1] <= ' ')
        size--;
    if (size >= capacity)
        return false;
    memcpy(out, from, size);
    out[size] = '\0';
    return true;
}

static bool equal_ignoring_case(const char *a, const char *b)
{
    for (; *a != '\0' && tolower((unsigned char)*a) == *b; a++, b++) {
    }
    return *a == *b;
}

static bool parse_boolean(struct check *k)
{
    if (equal_ignoring_case(k->out, "true"))
        strcpy(k->out, "true");
    else if (equal_ignoring_case(k->out, "false"))
        strcpy(k->out, "false");
    else
        return refuse(k, k->raw, "Expected value to be either true or false");
    return true;
}

static bool parse_integer(struct check *k, int64_t min, int64_t max, const char *type)
{
    const char *at = k->out;
    char *end;
    at += *at == '+' || *at == '-';
    bool digits = isdigit((unsigned char)*at);
    errno = 0;
    long long n = strtoll(k->out, &end, 10);
    if (!digits || *end != '\0' || errno != 0 || n < min || n > max)
        return refuse(k, k->raw, "Not a number of type %s", type);
    snprintf(k->out, k->capacity, "%lld", n);
    return true;
}

enum { DIGITS_MAX = 17, EXPONENT_MAX = 999 };

/* A decimal number: 0.digits x 10^exponent. More digits than a double holds are cut. */
struct decimal {
    bool negative;
    char digit[DIGITS_MAX + 1];
    int count, exponent;
};

static const char *read_digits(const char *at, struct decimal *d, bool fraction, bool *any)
{
    for (; isdigit((unsigned char)*at); at++) {
        *any = true;
        if (*at == '0' && d->count == 0) {
            d->exponent -= fraction;
            continue;
        }
        if (d->count < DIGITS_MAX)
            d->digit[d->count++] = *at;
        d->exponent += !fraction;
    }
    return at;
}

static bool read_decimal(const char *at, struct decimal *d)
{
    bool any = false;
    memset(d, 0, sizeof *d);
    d->negative = *at == '-';
    at += *at == '+' || *at == '-';
    at = read_digits(at, d, false, &any);
    if (*at == '.')
        at = read_digits(at + 1, d, true, &any);
    if (any && (*at == 'e' || *at == 'E')) {
        char *end;
        const char *from = at + 1 + (at[1] == '+' || at[1] == '-');
        long e = strtol(at + 1, &end, 10);
        if (!isdigit((unsigned char)*from) || e > EXPONENT_MAX || e < -EXPONENT_MAX)
            return false;
        d->exponent += (int)e;
        at = end;
    }
    if (any && *at != '\0' && strchr("dDfF", *at) != NULL)
        at++;
    while (d->count > 0 && d->digit[d->count - 1] == '0')
        d->digit[--d->count] = '\0';
    if (d->count == 0)
        d->exponent = 0;
    return any && *at == '\0';
}

/* As Java's Double.toString: plain from 10^-3 to below 10^7, else one digit and an exponent. */
static void write_decimal(const struct decimal *d, char *out, size_t capacity)
{
    struct sm_text t = sm_text_begin(out, capacity - 1);
    bool plain = d->count == 0 || (d->exponent > -3 && d->exponent <= 7);
    int point = d->count == 0 ? 1 : plain ? d->exponent : 1;
    if (d->negative)
        SM_TEXT(&t, "-");
    if (point <= 0)
        SM_TEXT(&t, "0");
    for (int i = 0; i < point; i++)
        sm_text_bytes(&t, i < d->count ? &d->digit[i] : "0", 1);
    SM_TEXT(&t, ".");
    for (int i = point; i < 0; i++)
        SM_TEXT(&t, "0");
    int from = point > 0 ? point : 0;
    if (from >= d->count)
        SM_TEXT(&t, "0");
    else
        sm_text_bytes(&t, &d->digit[from], (size_t)(d->count - from));
    if (!plain) {
        SM_TEXT(&t, "E");
        sm_text_int(&t, d->exponent - 1);
    }
    out[sm_text_end(&t)] = '\0';
}

static bool parse_decimal(struct check *k)
{
    struct decimal d;
    if (!read_decimal(k->out, &d))
        return refuse(k, k->raw, "Not a number of type DOUBLE");
    write_decimal(&d, k->out, k->capacity);
    return true;
}

/* "a , b" is "a,b". Blanks around the commas go. */
static bool parse_list(struct check *k)
{
    char *to = k->out;
    const char *from = k->out;
    while (*from != '\0') {
        if (*from == ',') {
            while (to > k->out && isspace((unsigned char)to[-1]))
                to--;
            *to++ = *from++;
            while (isspace((unsigned char)*from))
                from++;
            continue;
        }
        *to++ = *from++;
    }
    *to = '\0';
    return true;
}

static bool parse(struct check *k)
{
    if (!trim(k->raw, k->out, k->capacity))
        return refuse(k, "", "The value is longer than %zu bytes", k->capacity - 1);
    switch (k->setting->type) {
    case KB_UNKNOWN:
    case KB_STRING:
    case KB_CLASS:
    case KB_PASSWORD:
        return true;
    case KB_BOOLEAN:
        return parse_boolean(k);
    case KB_INT:
        return parse_integer(k, INT32_MIN, INT32_MAX, "INT");
    case KB_SHORT:
        return parse_integer(k, INT16_MIN, INT16_MAX, "SHORT");
    case KB_LONG:
        return parse_integer(k, INT64_MIN, INT64_MAX, "LONG");
    case KB_DOUBLE:
        return parse_decimal(k);
    case KB_LIST:
        return parse_list(k);
    }
    return true;
}

/* ---- what is valid ---- */

/* Compares two plain numbers as text: -1, 0, 1. */
static int compare(const char *a, const char *b)
{
    struct decimal x, y;
    read_decimal(a, &x);
    read_decimal(b, &y);
    int x_sign = x.count == 0 ? 0 : x.negative ? -1 : 1;
    int y_sign = y.count == 0 ? 0 : y.negative ? -1 : 1;
    if (x_sign != y_sign)
        return x_sign < y_sign ? -1 : 1;
    int order =
        x.exponent != y.exponent ? (x.exponent < y.exponent ? -1 : 1) : strcmp(x.digit, y.digit);
    order = x_sign == 0 ? 0 : order;
    return x.negative && x_sign != 0 ? -order : order;
}

/* "[min,...]" or "[min,...,max]". */
static bool check_range(struct check *k)
{
    char min[32] = "", max[32] = "";
    int n = sscanf(k->setting->valid, "[%31[^,],...,%31[^]]]", min, max);
    if (n >= 1 && compare(k->out, min) < 0)
        return refuse(k, k->out, "Value must be at least %s", min);
    if (n == 2 && compare(k->out, max) > 0)
        return refuse(k, k->out, "Value must be no more than %s", max);
    return true;
}

/* Whether `word` stands in "[a, b, c]". */
static bool is_one_of(const char *valid, const char *word, size_t size)
{
    for (const char *at = valid + 1; *at != '\0';) {
        size_t length = strcspn(at, ",]");
        if (length == size && memcmp(at, word, size) == 0)
            return true;
        at += length;
        at += strspn(at, ", ]");
    }
    return false;
}

static bool check_word(struct check *k, const char *word, size_t size)
{
    char one[256];
    if (is_one_of(k->setting->valid, word, size))
        return true;
    snprintf(one, sizeof one, "%.*s", (int)size, word);
    return refuse(k, one, "String must be one of: %.*s", (int)strlen(k->setting->valid) - 2,
                  k->setting->valid + 1);
}

static bool check_words(struct check *k)
{
    if (k->setting->type != KB_LIST)
        return check_word(k, k->out, strlen(k->out));
    for (const char *at = k->out; *at != '\0';) {
        size_t size = strcspn(at, ",");
        if (!check_word(k, at, size))
            return false;
        at += size;
        if (*at == ',' && *++at == '\0')
            return check_word(k, at, 0);
    }
    return true;
}

static bool is_pair(const char *at, size_t size)
{
    size_t first = 0, second = 0;
    while (first < size && isdigit((unsigned char)at[first]))
        first++;
    if (size == 0)
        return true;
    if (first == 0 || first == size || at[first] != ':')
        return false;
    while (first + 1 + second < size && isdigit((unsigned char)at[first + 1 + second]))
        second++;
    return second > 0 && first + 1 + second == size;
}

static bool check_throttled(struct check *k)
{
    char shown[KB_TEXT_MAX / 2];
    struct sm_text t = sm_text_begin(shown, sizeof shown - 1);
    bool good = true;
    if (strcmp(k->out, "*") == 0)
        return true;
    SM_TEXT(&t, "[");
    for (const char *at = k->out; *at != '\0';) {
        size_t size = strcspn(at, ",");
        good = good && is_pair(at, size);
        if (at != k->out)
            SM_TEXT(&t, ", ");
        sm_text_bytes(&t, at, size);
        at += size;
        at += *at == ',';
    }
    SM_TEXT(&t, "]");
    shown[t.size] = '\0';
    if (good)
        return true;
    return refuse(k, shown,
                  "%s must be the literal '*' or a list of replicas in the following format: "
                  "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
                  k->setting->name);
}

static const char *const releases[] = {
    "0.8.0",      "0.8.1",      "0.8.2",      "0.9.0",      "0.10.0",  "0.10.0-IV0", "0.10.0-IV1",
    "0.10.1",     "0.10.1-IV0", "0.10.1-IV1", "0.10.1-IV2", "0.10.2",  "0.10.2-IV0", "0.11.0",
    "0.11.0-IV0", "0.11.0-IV1", "0.11.0-IV2", "1.0",        "1.0-IV0", "1.1",        "1.1-IV0",
    "2.0",        "2.0-IV0",    "2.0-IV1",    "2.1",        "2.1-IV0", "2.1-IV1",    "2.1-IV2",
    "2.2",        "2.2-IV0",    "2.2-IV1",    "2.3",        "2.3-IV0", "2.3-IV1",    "2.4",
    "2.4-IV0",    "2.4-IV1",    "2.5",        "2.5-IV0",    "2.6",     "2.6-IV0",    "2.7",
    "2.7-IV0",    "2.7-IV1",    "2.7-IV2",    "2.8",        "2.8-IV0", "2.8-IV1",
};

/* "2.6.1" is "2.6", "0.10.2.1" is "0.10.2": the size of the part that counts. */
static size_t release_size(const char *text)
{
    int dots = strncmp(text, "0.", 2) == 0 ? 3 : 2;
    size_t size = 0;
    for (; text[size] != '\0'; size++)
        if (text[size] == '.' && --dots == 0)
            break;
    return size;
}

void kb_version_in_full(char *text)
{
    size_t size = release_size(text);
    const char *found = NULL;
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++)
        if (strncmp(releases[i], text, size) == 0 &&
            (releases[i][size] == '\0' || releases[i][size] == '-'))
            found = releases[i];
    if (found != NULL)
        snprintf(text, 64, "%s", found);
}

static bool check_version(struct check *k)
{
    size_t size = release_size(k->out);
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++)
        if (strlen(releases[i]) == size && memcmp(releases[i], k->out, size) == 0)
            return true;
    return refuse(k, k->out, "Version `%.200s` is not a valid version", k->out);
}

bool kb_setting_parse(const struct kb_setting *s, const char *value, char *out, size_t capacity,
                      char *message)
{
    struct check k = {
        .setting = s, .raw = value, .out = out, .capacity = capacity, .message = message};
    if (!parse(&k))
        return false;
    if (s->valid == NULL)
        return true;
    if (strcmp(s->valid, "@throttled") == 0)
        return check_throttled(&k);
    if (strcmp(s->valid, "@version") == 0)
        return check_version(&k);
    return s->type == KB_STRING || s->type == KB_LIST ? check_words(&k) : check_range(&k);
}

/* ---- bags ---- */

struct kb_props kb_props_begin(char *bytes, size_t capacity)
{
    return (struct kb_props){.bytes = bytes, .capacity = capacity};
}

const char *kb_props_value(const char *name)
{
    return name + strlen(name) + 1;
}

const char *kb_props_next(const struct kb_props *p, const char *previous)
{
    const char *value = previous == NULL ? NULL : kb_props_value(previous);
    const char *next = previous == NULL ? p->bytes : value + strlen(value) + 1;
    return next == p->bytes + p->size ? NULL : next;
}

static char *entry(const struct kb_props *p, const char *name)
{
    for (const char *at = NULL; (at = kb_props_next(p, at)) != NULL;)
        if (strcmp(at, name) == 0)
            return p->bytes + (at - p->bytes);
    return NULL;
}

const char *kb_props_get(const struct kb_props *p, const char *name)
{
    const char *at = entry(p, name);
    return at == NULL ? NULL : kb_props_value(at);
}

void kb_props_remove(struct kb_props *p, const char *name)
{
    char *at = entry(p, name);
    if (at == NULL)
        return;
    const char *value = kb_props_value(at);
    const char *behind = value + strlen(value) + 1;
    size_t rest = (size_t)(p->bytes + p->size - behind);
    p->size -= (size_t)(behind - at);
    memmove(at, behind, rest);
}

static void append(struct kb_props *p, const char *name, size_t name_size, const char *value,
                   size_t value_size)
{
    if (p->overflow || p->capacity - p->size < name_size + value_size + 2) {
        p->overflow = true;
        return;
    }
    char *at = p->bytes + p->size;
    memcpy(at, name, name_size);
    at[name_size] = '\0';
    memcpy(at + name_size + 1, value, value_size);
    at[name_size + 1 + value_size] = '\0';
    p->size += name_size + value_size + 2;
}

void kb_props_set(struct kb_props *p, const char *name, const char *value)
{
    kb_props_remove(p, name);
    append(p, name, strlen(name), value, strlen(value));
}

/* Copies straight to the end of the bag; what does not fit is left out and marks the overflow. */
static void read_entry(struct kb_props *p, const struct sm_span *key, const struct sm_span *value)
{
    char name[256];
    size_t name_size, value_size;
    if (sm_span_copy(key, name, sizeof name, &name_size) != SM_ERR_OK)
        return;
    kb_props_remove(p, name);
    char *at = p->bytes + p->size;
    size_t room = p->capacity - p->size;
    if (room < name_size + 2 ||
        sm_span_copy(value, at + name_size + 1, room - name_size - 1, &value_size) != SM_ERR_OK) {
        p->overflow = true;
        return;
    }
    memcpy(at, name, name_size + 1);
    p->size += name_size + value_size + 2;
}

void kb_props_read_znode(struct kb_props *p, const void *data, size_t size)
{
    struct sm_json j = sm_json_begin(data, size);
    struct sm_span key, value;
    size_t before = p->size;
    if (size == 0 || sm_json_peek(&j) != '{')
        return;
    for (sm_json_object(&j); sm_json_member(&j, &key);) {
        if (!sm_span_is(&key, "config") || sm_json_peek(&j) != '{') {
            sm_json_skip(&j);
            continue;
        }
        for (sm_json_object(&j); sm_json_member(&j, &key);) {
            if (sm_json_peek(&j) != '"')
                sm_json_skip(&j);
            else if (sm_json_string(&j, &value))
                read_entry(p, &key, &value);
        }
    }
    if (sm_json_end(&j) != SM_ERR_OK)
        p->size = before;
}

size_t kb_props_write_znode(const struct kb_props *p, char *out, size_t capacity)
{
    struct sm_text t = sm_text_begin(out, capacity);
    SM_TEXT(&t, "{\"version\":1,\"config\":{");
    for (const char *at = NULL; (at = kb_props_next(p, at)) != NULL;) {
        if (at != p->bytes)
            SM_TEXT(&t, ",");
        sm_text_json_string(&t, at);
        SM_TEXT(&t, ":");
        sm_text_json_string(&t, kb_props_value(at));
    }
    SM_TEXT(&t, "}}");
    return sm_text_end(&t);
}

/* ---- brokers ---- */

const char *kb_broker_synonym(const char *name, uint32_t n)
{
    static const char *const groups[][4] = {
        {"log.roll.ms", "log.roll.hours"},
        {"log.roll.jitter.ms", "log.roll.jitter.hours"},
        {"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
    };
    if (strcmp(name, "log.flush.interval.ms") == 0 && n == 1)
        return "log.flush.scheduler.interval.ms";
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (size_t i = 0; groups[g][i] != NULL; i++)
            if (strcmp(groups[g][i], name) == 0)
                return n < 3 ? groups[g][n] : NULL;
    return n == 0 ? name : NULL;
}

static const char *base_name(const char *name)
{
    if (strncmp(name, "listener.name.", 14) != 0)
        return name;
    const char *dot = strchr(name + 14, '.');
    return dot == NULL ? name : dot + 1;
}

static bool is_of_one_broker(const char *name)
{
    static const char *const prefixes[] = {"ssl.", "sasl.", "listener", "advertised.listeners",
                                           "principal.builder.class"};
    if (strncmp(name, "listener.name.", 14) == 0)
        return strncmp(base_name(name), "max.connection", 14) != 0;
    const struct kb_setting *s = kb_broker_setting(name);
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return s != NULL && s->dynamic;
    return false;
}

static bool is_static(const char *name)
{
    const struct kb_setting *s = kb_broker_setting(name);
    return s != NULL && !s->dynamic;
}

static bool is_security(const char *name)
{
    const struct kb_setting *s = kb_broker_setting(name);
    return s != NULL && s->dynamic &&
           (strncmp(name, "ssl.", 4) == 0 || strncmp(name, "sasl.", 5) == 0 ||
            strcmp(name, "principal.builder.class") == 0);
}

/* Tells the names that `is_wrong`, in the form of a Scala set. */
static bool none_is(const struct kb_props *p, bool (*is_wrong)(const char *), const char *what,
                    char *message)
{
    struct sm_text t = sm_text_begin(message, KB_TEXT_MAX - 1);
    uint32_t count = 0;
    sm_text_string(&t, what);
    for (const char *at = NULL; (at = kb_props_next(p, at)) != NULL;) {
        if (!is_wrong(at))
            continue;
        sm_text_string(&t, count++ == 0 ? ": Set(" : ", ");
        sm_text_string(&t, at);
    }
    SM_TEXT(&t, ")");
    message[t.size] = '\0';
    return count == 0;
}

bool kb_broker_props_check(const struct kb_props *p, bool per_broker, char *room, char *message)
{
    if (!none_is(p, is_static, "Cannot update these configs dynamically", message) ||
        !none_is(p, is_security,
                 "These security configs can be dynamically updated only per-listener using the "
                 "listener prefix",
                 message))
        return false;
    for (const char *at = NULL; (at = kb_props_next(p, at)) != NULL;) {
        const struct kb_setting *s = kb_broker_setting(base_name(at));
        if (s != NULL && !kb_setting_parse(s, kb_props_value(at), room, KB_VALUE_MAX, message))
            return false;
    }
    return per_broker ||
           none_is(p, is_of_one_broker,
                   "Cannot update these configs at default cluster level, broker id must be "
                   "specified",
                   message);
}

const char *kb_thread_setting(uint32_t i)
{
    static const char *const names[] = {"background.threads", "num.io.threads",
                                        "num.network.threads", "num.recovery.threads.per.data.dir",
                                        "num.replica.fetchers"};
    return i < sizeof names / sizeof names[0] ? names[i] : NULL;
}

bool kb_threads_check(const struct kb_props *p, const char *name, int64_t now, char *message)
{
    const char *value = kb_props_get(p, name);
    int64_t wanted = value == NULL ? now : strtoll(value, NULL, 10);
    char why[128];
    if (wanted == now)
        return true;
    if (wanted <= 0)
        snprintf(why, sizeof why, "value should be at least 1");
    else if (wanted < now / 2)
        snprintf(why, sizeof why, "value should be at least half the current value %" PRId64, now);
    else if (wanted > now * 2)
        snprintf(why, sizeof why,
                 "value should not be greater than double the current value %" PRId64, now);
    else
        return true;
    snprintf(message, KB_TEXT_MAX,
             "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count "
             "update validation failed for %s=%" PRId64 ", %s for configuration Invalid dynamic "
             "configuration",
             name, wanted, why);
    return false;
}
