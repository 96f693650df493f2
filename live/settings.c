/*
 * Properties of a live process: a table of the keys that only it has, the rest is the simulator's.
 */
#include "live/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/properties.h"

/* Kafka's, but for what only speed shows: how many operations share a ZooKeeper request. */
static struct sim_settings kafka_default(void)
{
    struct sim_settings s = sim_settings_default(SM_VERSION_2_8);
    s.zk_write_group = 500;
    s.zk_read_group = 100;
    return s;
}

struct live_settings live_settings_default(void)
{
    return (struct live_settings){
        .id = -1,
        .listen = {.port = -1},
        .advertised = {.port = -1},
        .inter_broker_listener = "PLAINTEXT",
        .request_max_bytes = 104857600,
        .idle_us = 600000000,
        .request_timeout_us = 30000000,
        .connections_max = INT32_MAX,
        .election_delay_us = 50000,
        .kafka = kafka_default(),
    };
}

struct kb_props live_settings_props(struct live_settings *settings)
{
    return (struct kb_props){.bytes = settings->property_bytes,
                             .capacity = sizeof settings->property_bytes,
                             .size = settings->property_size};
}

void live_settings_keep(struct live_settings *settings, const struct kb_props *props)
{
    settings->property_size = (uint32_t)props->size;
}

bool live_address_parse(const char *text, struct live_address *address)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0' || strlen(colon + 1) > 5)
        return false;
    const char *host = text, *host_end = colon;
    if (*host == '[' && host_end > host && host_end[-1] == ']') {
        host++;
        host_end--;
    }
    if (host == host_end || (size_t)(host_end - host) >= sizeof address->host)
        return false;
    int32_t port = 0;
    for (const char *at = colon + 1; *at != '\0'; at++) {
        if (*at < '0' || *at > '9')
            return false;
        port = port * 10 + (*at - '0');
    }
    if (port > 65535)
        return false;
    memcpy(address->host, host, (size_t)(host_end - host));
    address->host[host_end - host] = '\0';
    address->port = port;
    return true;
}

/* ---- the keys that only a process with sockets has ---- */

struct entry {
    const char *key, *value;
    struct sim_place key_place, value_place;
};

struct reading {
    struct live_settings *settings;
    struct sim_diagnostics *diagnostics;
};

static bool refuse(struct reading *r, const struct entry *e, const char *what)
{
    return sim_error(r->diagnostics, e->value_place, "%s is %s, not '%s'", e->key, what, e->value);
}

static bool read_number(struct reading *r, const struct entry *e, int64_t least, int64_t most,
                        int64_t *out)
{
    char *end;
    errno = 0;
    long long number = strtoll(e->value, &end, 10);
    if (end == e->value || *end != '\0' || errno != 0)
        return refuse(r, e, "a whole number");
    if (number < least || number > most) {
        sim_error(r->diagnostics, e->value_place, "%s is %s; it may be %lld to %lld", e->key,
                  e->value, (long long)least, (long long)most);
        return false;
    }
    *out = number;
    return true;
}

static bool read_text(struct reading *r, const struct entry *e, char *out, size_t capacity)
{
    if (strlen(e->value) >= capacity)
        return sim_error(r->diagnostics, e->value_place, "%s is longer than %zu bytes", e->key,
                         capacity - 1);
    strcpy(out, e->value);
    return true;
}

static bool read_connect(struct reading *r, const struct entry *e)
{
    return read_text(r, e, r->settings->zookeeper, sizeof r->settings->zookeeper);
}

static bool read_id(struct reading *r, const struct entry *e)
{
    int64_t id;
    if (!read_number(r, e, 0, INT32_MAX, &id))
        return false;
    r->settings->id = (int32_t)id;
    return true;
}

static bool read_rack(struct reading *r, const struct entry *e)
{
    return read_text(r, e, r->settings->rack, sizeof r->settings->rack);
}

static bool read_listener_name(struct reading *r, const struct entry *e)
{
    return read_text(r, e, r->settings->inter_broker_listener,
                     sizeof r->settings->inter_broker_listener);
}

/* "PLAINTEXT://host:port"; an empty host means the wildcard. */
static bool read_listener(struct reading *r, const struct entry *e, struct live_address *out)
{
    static const char scheme[] = "PLAINTEXT://";
    char text[SM_HOST_MAX + 16];
    if (strncmp(e->value, scheme, sizeof scheme - 1) != 0 || strchr(e->value, ',') != NULL)
        return refuse(r, e, "one listener PLAINTEXT://HOST:PORT");
    const char *rest = e->value + sizeof scheme - 1;
    int size = snprintf(text, sizeof text, "%s%s", *rest == ':' ? "0.0.0.0" : "", rest);
    if (size >= (int)sizeof text || !live_address_parse(text, out))
        return refuse(r, e, "one listener PLAINTEXT://HOST:PORT");
    return true;
}

static bool read_listeners(struct reading *r, const struct entry *e)
{
    return read_listener(r, e, &r->settings->listen);
}

static bool read_advertised(struct reading *r, const struct entry *e)
{
    return read_listener(r, e, &r->settings->advertised);
}

static bool read_protocol(struct reading *r, const struct entry *e)
{
    if (strcmp(e->value, "PLAINTEXT") != 0)
        return sim_error(r->diagnostics, e->value_place,
                         "%s: only PLAINTEXT is spoken here, not '%s'", e->key, e->value);
    return true;
}

/* Requests to brokers have the versions of 2.4 to 2.6, which are the same. */
static bool read_version(struct reading *r, const struct entry *e)
{
    static const char *const known[] = {"2.4", "2.5", "2.6"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(e->value, known[i], 3) == 0 &&
            (e->value[3] == '\0' || e->value[3] == '.' || e->value[3] == '-'))
            return true;
    sim_error(r->diagnostics, e->value_place,
              "inter.broker.protocol.version %s is not spoken; it may be 2.4, 2.5 or 2.6",
              e->value);
    sim_note(r->diagnostics, "brokers of 2.8 speak it with inter.broker.protocol.version=2.6");
    return false;
}

static bool read_request_bytes(struct reading *r, const struct entry *e)
{
    return read_number(r, e, 1, INT32_MAX, &r->settings->request_max_bytes);
}

static bool read_idle(struct reading *r, const struct entry *e)
{
    int64_t ms;
    if (!read_number(r, e, -1, INT64_C(31536000000), &ms))
        return false;
    r->settings->idle_us = ms < 0 ? -1 : ms * 1000;
    return true;
}

static bool read_request_timeout(struct reading *r, const struct entry *e)
{
    int64_t ms;
    if (!read_number(r, e, 1, 86400000, &ms))
        return false;
    r->settings->request_timeout_us = ms * 1000;
    return true;
}

static bool read_connections(struct reading *r, const struct entry *e)
{
    int64_t count;
    if (!read_number(r, e, 0, INT32_MAX, &count))
        return false;
    r->settings->connections_max = (int32_t)count;
    return true;
}

/* How long a standby waits before it stands for election when /controller has gone: so that who
   polls for the znode's absence, as operators' scripts do, sees it (live/README.md). */
static bool read_election_delay(struct reading *r, const struct entry *e)
{
    int64_t ms;
    if (!read_number(r, e, 0, 60000, &ms))
        return false;
    r->settings->election_delay_us = ms * 1000;
    return true;
}

static const struct {
    const char *key;
    bool (*read)(struct reading *r, const struct entry *e);
} own_keys[] = {
    {"zookeeper.connect", read_connect},
    {"broker.id", read_id},
    {"broker.rack", read_rack},
    {"listeners", read_listeners},
    {"advertised.listeners", read_advertised},
    {"security.inter.broker.protocol", read_protocol},
    {"inter.broker.listener.name", read_listener_name},
    {"inter.broker.protocol.version", read_version},
    {"socket.request.max.bytes", read_request_bytes},
    {"connections.max.idle.ms", read_idle},
    {"request.timeout.ms", read_request_timeout},
    {"max.connections", read_connections},
    {"kcsim.election.delay.ms", read_election_delay},
};

static bool read_entry(void *context, const char *key, struct sim_place key_place,
                       const char *value, struct sim_place value_place)
{
    struct reading *r = context;
    struct entry e = {key, value, key_place, value_place};
    struct kb_props props = live_settings_props(r->settings);
    kb_props_set(&props, key, value);
    live_settings_keep(r->settings, &props);
    if (props.overflow)
        return sim_error(r->diagnostics, key_place, "the file says more than %d bytes",
                         LIVE_PROPERTIES_MAX);
    for (size_t i = 0; i < sizeof own_keys / sizeof own_keys[0]; i++)
        if (strcmp(key, own_keys[i].key) == 0)
            return own_keys[i].read(r, &e);
    return sim_settings_set(&r->settings->kafka, key, key_place, value, value_place,
                            r->diagnostics);
}

/* ---- the file ---- */

enum { FILE_MAX = 1024 * 1024 };

static char *read_file(const char *file, size_t *size)
{
    FILE *in = fopen(file, "rb");
    if (in == NULL)
        return NULL;
    char *text = malloc(FILE_MAX + 1);
    if (text != NULL)
        *size = fread(text, 1, FILE_MAX + 1, in);
    if (text != NULL && (ferror(in) || *size > FILE_MAX)) {
        errno = *size > FILE_MAX ? EFBIG : EIO;
        free(text);
        text = NULL;
    }
    fclose(in);
    return text;
}

bool live_settings_read_text(struct live_settings *settings, const char *name, const char *text,
                             size_t size, struct sim_diagnostics *diagnostics)
{
    struct reading r = {settings, diagnostics};

    sim_diagnostics_source(diagnostics, name, text, size);
    bool good = sim_properties_read(text, size, diagnostics, read_entry, &r);
    sim_diagnostics_source(diagnostics, NULL, NULL, 0);
    return good;
}

bool live_settings_read(struct live_settings *settings, const char *file,
                        struct sim_diagnostics *diagnostics)
{
    size_t size = 0;
    char *text = read_file(file, &size);
    if (text == NULL) {
        sim_diagnostics_source(diagnostics, file, NULL, 0);
        return sim_error(diagnostics, (struct sim_place){0}, "cannot be read: %s", strerror(errno));
    }
    bool good = live_settings_read_text(settings, file, text, size, diagnostics);
    free(text);
    return good;
}
