/*
 * How a broker is registered: where its listeners are reached, and by which protocol.
 *
 *     version 1   host, port                          one listener, PLAINTEXT
 *     version 2   + endpoints ["LISTENER://host:port"]   a listener is named as its protocol
 *     version 3   + rack
 *     version 4   + listener_security_protocol_map       listeners have names of their own
 *     version 5   + features                             (read over; inter.broker.protocol 2.7 on)
 *
 * Source: Kafka kafka.zk.BrokerIdZNode, kafka.cluster.EndPoint.
 */
#include "statemachine/znode.h"

#include <string.h>

#include "statemachine/json.h"
#include "statemachine/text.h"

/* The field by which a node of ours says that it hosts no replicas. */
#define MARK "kcsim.data"

static const char *const security_protocols[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

enum { PROTOCOL_COUNT = sizeof security_protocols / sizeof security_protocols[0] };

static bool is_security_protocol(const char *name)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        if (strcmp(security_protocols[i], name) == 0)
            return true;
    return false;
}

/* What stands where in the text. The order of fields is free and an endpoint needs the map, so the
   first pass finds them and the endpoints are read in a second. */
struct fields {
    int32_t version, port;
    bool has_version, has_port, has_jmx_port, has_host, has_endpoints, has_map;
    bool without_data;
    struct sm_json endpoints, map; /* standing on the values */
    char host[SM_HOST_MAX];
    char rack[SM_RACK_MAX];
};

static void copy_string(struct sm_json *j, const struct sm_span *value, char *out, size_t capacity)
{
    size_t size;
    enum sm_err err = sm_span_copy(value, out, capacity, &size);
    if (err != SM_ERR_OK)
        sm_json_fail(j, err);
}

/* Consumes a string or null; false, and `out` untouched, where it is null. */
static bool read_optional_string(struct sm_json *j, char *out, size_t capacity)
{
    struct sm_span value;
    if (sm_json_peek(j) == 'n') {
        sm_json_null(j);
        return false;
    }
    if (!sm_json_string(j, &value))
        return false;
    copy_string(j, &value, out, capacity);
    return true;
}

static void read_field(struct sm_json *j, const struct sm_span *key, struct fields *f)
{
    int32_t ignored;
    if (sm_span_is(key, "version")) {
        f->has_version = sm_json_int32(j, &f->version);
    } else if (sm_span_is(key, "host")) {
        f->has_host = read_optional_string(j, f->host, sizeof f->host);
    } else if (sm_span_is(key, "port")) {
        f->has_port = sm_json_int32(j, &f->port);
    } else if (sm_span_is(key, "jmx_port")) {
        f->has_jmx_port = sm_json_int32(j, &ignored);
    } else if (sm_span_is(key, "rack")) {
        read_optional_string(j, f->rack, sizeof f->rack);
    } else if (sm_span_is(key, "endpoints")) {
        f->endpoints = *j;
        f->has_endpoints = sm_json_skip(j);
    } else if (sm_span_is(key, "listener_security_protocol_map")) {
        f->map = *j;
        f->has_map = sm_json_skip(j);
    } else {
        if (sm_span_is(key, MARK))
            f->without_data = sm_json_peek(j) == 'f';
        sm_json_skip(j);
    }
}

/* Returns the place behind the last "://" in `text`, or NULL. */
static char *behind_scheme(char *text)
{
    char *found = NULL;
    for (char *at = strstr(text, "://"); at != NULL; at = strstr(at + 1, "://"))
        found = at + 3;
    return found;
}

static bool is_host_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("-%._:", c) != NULL);
}

/* Stores the host without brackets. */
static enum sm_err parse_host(const char *text, size_t size, char *out)
{
    if (size > 0 && text[0] == '[') {
        text++;
        size--;
    }
    if (size > 0 && text[size - 1] == ']')
        size--;
    for (size_t i = 0; i < size; i++)
        if (!is_host_char(text[i]))
            return SM_ERR_SYNTAX;
    if (size >= SM_HOST_MAX)
        return SM_ERR_LIMIT;
    memcpy(out, text, size);
    out[size] = '\0';
    return SM_ERR_OK;
}

/* Kafka's listener names are upper case; an endpoint's is raised on reading. */
static enum sm_err parse_listener(const char *text, size_t size, char *out)
{
    if (size >= SM_LISTENER_MAX)
        return SM_ERR_LIMIT;
    for (size_t i = 0; i < size; i++)
        out[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 'a' + 'A') : text[i];
    out[size] = '\0';
    return SM_ERR_OK;
}

/* Takes "LISTENER://host:port" apart. */
static enum sm_err parse_endpoint(char *text, struct sm_endpoint *e)
{
    char *host = behind_scheme(text);
    char *colon = host == NULL ? NULL : strrchr(host, ':');
    if (colon == NULL || colon[1] == '+')
        return SM_ERR_SYNTAX;
    enum sm_err err = sm_parse_int32(colon + 1, strlen(colon + 1), &e->port);
    if (err == SM_ERR_OK)
        err = parse_host(host, (size_t)(colon - host), e->host);
    if (err == SM_ERR_OK)
        err = parse_listener(text, (size_t)(host - text) - 3, e->listener);
    return err;
}

/* Finds the protocol of `e` in the map; false where the listener is not there. */
static bool map_protocol(struct sm_json map, struct sm_json *j, struct sm_endpoint *e)
{
    struct sm_span listener, protocol;
    bool found = false;
    for (sm_json_object(&map); sm_json_member(&map, &listener);) {
        if (!sm_json_string(&map, &protocol))
            break;
        if (!sm_span_is(&listener, e->listener))
            continue;
        copy_string(&map, &protocol, e->protocol, sizeof e->protocol);
        found = true;
    }
    if (map.err != SM_ERR_OK)
        sm_json_fail(j, map.err);
    return found;
}

static void find_protocol(const struct fields *f, struct sm_json *j, struct sm_endpoint *e)
{
    bool found = true;
    if (f->has_map)
        found = map_protocol(f->map, j, e);
    else
        memcpy(e->protocol, e->listener, sizeof e->protocol);
    if (!found || !is_security_protocol(e->protocol))
        sm_json_fail(j, SM_ERR_SYNTAX);
}

_Static_assert(sizeof((struct sm_endpoint *)0)->listener ==
                   sizeof((struct sm_endpoint *)0)->protocol,
               "a listener's name is copied as its protocol");

/* Longest "LISTENER://[host]:port" whose parts fit. */
enum { ENDPOINT_TEXT_MAX = SM_LISTENER_MAX + SM_HOST_MAX + 32 };

static void read_endpoint(struct sm_json *j, const struct fields *f, struct sm_broker *b)
{
    struct sm_span value;
    char text[ENDPOINT_TEXT_MAX];
    if (!sm_json_string(j, &value))
        return;
    copy_string(j, &value, text, sizeof text);
    if (b->endpoint_count == SM_ENDPOINTS_MAX)
        sm_json_fail(j, SM_ERR_LIMIT);
    if (j->err != SM_ERR_OK)
        return;
    struct sm_endpoint *e = &b->endpoint[b->endpoint_count++];
    enum sm_err err = parse_endpoint(text, e);
    if (err != SM_ERR_OK)
        sm_json_fail(j, err);
    else
        find_protocol(f, j, e);
}

static enum sm_err read_endpoints(const struct fields *f, struct sm_broker *b)
{
    if (!f->has_endpoints)
        return SM_ERR_SYNTAX;
    struct sm_json j = f->endpoints;
    for (sm_json_array(&j); sm_json_element(&j);)
        read_endpoint(&j, f, b);
    return j.err;
}

static enum sm_err read_version_1(const struct fields *f, struct sm_broker *b)
{
    if (!f->has_host || !f->has_port)
        return SM_ERR_SYNTAX;
    struct sm_endpoint *e = &b->endpoint[b->endpoint_count++];
    *e = (struct sm_endpoint){.listener = "PLAINTEXT", .protocol = "PLAINTEXT", .port = f->port};
    return parse_host(f->host, strlen(f->host), e->host);
}

enum sm_err sm_znode_decode_broker(const char *bytes, size_t size, int32_t broker_id,
                                   struct sm_broker *out)
{
    struct sm_json j = sm_json_begin(bytes, size);
    struct sm_span key;
    struct fields f = {0};
    for (sm_json_object(&j); sm_json_member(&j, &key);)
        read_field(&j, &key, &f);
    enum sm_err err = sm_json_end(&j);
    if (err != SM_ERR_OK)
        return err;
    if (!f.has_version || !f.has_jmx_port)
        return SM_ERR_SYNTAX;
    if (f.version < 1)
        return SM_ERR_RANGE;
    struct sm_broker b = {.id = broker_id, .without_data = f.without_data};
    memcpy(b.rack, f.rack, sizeof b.rack);
    err = f.version == 1 ? read_version_1(&f, &b) : read_endpoints(&f, &b);
    if (err == SM_ERR_OK)
        *out = b;
    return err;
}

/* ---- writing ---- */

static void append_protocol_map(struct sm_text *t, const struct sm_broker *b)
{
    SM_TEXT(t, "\"listener_security_protocol_map\":{");
    for (int32_t i = 0; i < b->endpoint_count; i++) {
        if (i > 0)
            SM_TEXT(t, ",");
        sm_text_json_string(t, b->endpoint[i].listener);
        SM_TEXT(t, ":");
        sm_text_json_string(t, b->endpoint[i].protocol);
    }
    SM_TEXT(t, "}");
}

/* An IPv6 address is bracketed (org.apache.kafka.common.utils.Utils.formatAddress). */
static void append_endpoint(struct sm_text *t, const struct sm_endpoint *e)
{
    bool bracketed = strchr(e->host, ':') != NULL;
    SM_TEXT(t, "\"");
    sm_text_string(t, e->listener);
    SM_TEXT(t, "://");
    if (bracketed)
        SM_TEXT(t, "[");
    sm_text_string(t, e->host);
    if (bracketed)
        SM_TEXT(t, "]");
    SM_TEXT(t, ":");
    sm_text_int(t, e->port);
    SM_TEXT(t, "\"");
}

static void append_endpoints(struct sm_text *t, const struct sm_broker *b)
{
    SM_TEXT(t, ",\"endpoints\":[");
    for (int32_t i = 0; i < b->endpoint_count; i++) {
        if (i > 0)
            SM_TEXT(t, ",");
        append_endpoint(t, &b->endpoint[i]);
    }
    SM_TEXT(t, "]");
}

/* Clients older than endpoints know one address, unencrypted: the first such, or none. */
static const struct sm_endpoint *first_plaintext(const struct sm_broker *b)
{
    for (int32_t i = 0; i < b->endpoint_count; i++)
        if (strcmp(b->endpoint[i].protocol, "PLAINTEXT") == 0)
            return &b->endpoint[i];
    return NULL;
}

static void append_port_and_host(struct sm_text *t, const struct sm_endpoint *e)
{
    SM_TEXT(t, ",\"port\":");
    sm_text_int(t, e == NULL ? -1 : e->port);
    SM_TEXT(t, ",\"host\":");
    if (e == NULL || e->host[0] == '\0')
        SM_TEXT(t, "null");
    else
        sm_text_json_string(t, e->host);
}

/* Fields in the order that Scala's mutable map gives them in Kafka 2.8.2, as recorded from it. */
size_t sm_znode_encode_broker(char *out, size_t capacity, const struct sm_broker *b,
                              int64_t timestamp_ms)
{
    struct sm_text t = sm_text_begin(out, capacity);
    SM_TEXT(&t, "{");
    append_protocol_map(&t, b);
    append_endpoints(&t, b);
    if (b->rack[0] != '\0') {
        SM_TEXT(&t, ",\"rack\":");
        sm_text_json_string(&t, b->rack);
    }
    SM_TEXT(&t, ",\"jmx_port\":-1");
    append_port_and_host(&t, first_plaintext(b));
    SM_TEXT(&t, ",\"version\":4,\"timestamp\":\"");
    sm_text_int(&t, timestamp_ms);
    SM_TEXT(&t, "\"");
    if (b->without_data)
        SM_TEXT(&t, ",\"" MARK "\":false");
    SM_TEXT(&t, "}");
    return sm_text_end(&t);
}
