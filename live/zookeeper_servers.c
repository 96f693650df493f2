/*
 * Connect strings and name resolution. The grammar is ConnectStringParser's:
 *
 *     servers = server {"," server} ["/" chroot]      server = name [":" port] | "[" IPv6 "]" …
 */
#define _GNU_SOURCE
#include "live/zookeeper_servers.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PORT = 2181 };

/* ---- paths ---- */

static bool is_dots(const char *name, size_t size)
{
    return (size == 1 || size == 2) && memcmp(name, "..", size) == 0;
}

bool live_zk_path_valid(const char *path, bool sequential)
{
    size_t size = strlen(path);
    if (path[0] != '/')
        return false;
    for (size_t at = 1; at < size;) {
        size_t end = at + strcspn(path + at, "/");
        bool is_last = end == size;
        if (end == at || (is_dots(path + at, end - at) && !(is_last && sequential)))
            return false;
        at = end + 1;
        if (at == size && !is_last) /* ends in a slash */
            return sequential;
    }
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
            return false;
    return true;
}

/* ---- the connect string ---- */

static bool complain(char *error, size_t error_size, const char *what, const char *text,
                     size_t size)
{
    snprintf(error, error_size, "zookeeper.connect: %s: '%.*s'", what, (int)size, text);
    return false;
}

/* "…:port" or "…": the name's length and the port; false where the port is no port. */
static bool split_port(const char *text, size_t size, size_t *name_size, uint16_t *port)
{
    const char *bracket = text[0] == '[' ? memchr(text, ']', size) : NULL;
    const char *from = bracket == NULL ? text : bracket;
    const char *colon = memchr(from, ':', size - (size_t)(from - text));
    *port = DEFAULT_PORT;
    *name_size = size;
    if (colon == NULL)
        return true;
    char digits[8] = "", *end = NULL;
    size_t digit_count = size - (size_t)(colon + 1 - text);
    if (digit_count == 0 || digit_count > 5)
        return false;
    memcpy(digits, colon + 1, digit_count);
    unsigned long value = strtoul(digits, &end, 10);
    if (*end != 0 || strchr("0123456789", digits[0]) == NULL || value == 0 || value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    *name_size = (size_t)(colon - text);
    return true;
}

static bool add_server(struct live_zk_servers *s, const char *text, size_t size, char *error,
                       size_t error_size)
{
    size_t name_size;
    struct live_zk_server *server = &s->list[s->count];
    while (size > 0 && *text == ' ')
        text++, size--;
    while (size > 0 && text[size - 1] == ' ')
        size--;
    if (size == 0)
        return complain(error, error_size, "a server without a name", text, size);
    if (s->count == LIVE_ZK_SERVERS_MAX)
        return complain(error, error_size, "more than 64 servers", text, size);
    if (!split_port(text, size, &name_size, &server->port))
        return complain(error, error_size, "no port number", text, size);
    if (name_size >= 2 && text[0] == '[' && text[name_size - 1] == ']')
        text++, name_size -= 2;
    if (name_size == 0 || name_size >= sizeof server->host || memchr(text, '[', name_size) != NULL)
        return complain(error, error_size, "no name of a server", text, name_size);
    memcpy(server->host, text, name_size);
    server->host[name_size] = 0;
    s->count++;
    return true;
}

bool live_zk_servers_parse(struct live_zk_servers *s, const char *text, char *error,
                           size_t error_size)
{
    size_t servers = strcspn(text, "/"), chroot = strlen(text + servers);
    *s = (struct live_zk_servers){0};
    if (chroot > 1) {
        if (chroot >= sizeof s->chroot || !live_zk_path_valid(text + servers, false))
            return complain(error, error_size, "no path", text + servers, chroot);
        memcpy(s->chroot, text + servers, chroot + 1);
    }
    for (size_t at = 0; at <= servers;) {
        size_t size = strcspn(text + at, ",/");
        if (!add_server(s, text + at, size, error, error_size))
            return false;
        at += size + 1;
    }
    return true;
}

/* ---- addresses ---- */

static uint16_t port_of(const struct sockaddr_storage *a)
{
    return ntohs(a->ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)a)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)a)->sin_port);
}

static void host_of(const struct sockaddr_storage *a, char *to, size_t size)
{
    if (getnameinfo((const struct sockaddr *)(const void *)a, sizeof *a, to, (socklen_t)size, NULL,
                    0, NI_NUMERICHOST) != 0)
        snprintf(to, size, "?");
}

const char *live_zk_address_name(const struct sockaddr_storage *address, char *to, size_t size)
{
    char host[NI_MAXHOST];
    host_of(address, host, sizeof host);
    snprintf(to, size, address->ss_family == AF_INET6 ? "[%.50s]:%u" : "%.50s:%u", host,
             port_of(address));
    return to;
}

void live_zk_addresses_print(const struct live_zk_addresses *a, char *to, size_t size)
{
    size_t used = 0;
    uint32_t odd = a->count | 1u;
    assert(size >= LIVE_ZK_ADDRESSES_TEXT);
    to[0] = 0;
    for (uint32_t i = 0; i < odd && a->count > 0; i++) {
        char host[NI_MAXHOST];
        const struct sockaddr_storage *address = &a->list[i % a->count];
        host_of(address, host, sizeof host);
        used += (size_t)snprintf(to + used, size - used, "%s%.50s:%u", i == 0 ? "" : ",", host,
                                 port_of(address));
        assert(used < size);
    }
}

bool live_zk_addresses_equal(const struct live_zk_addresses *a, const struct live_zk_addresses *b)
{
    return a->count == b->count && memcmp(a->list, b->list, a->count * sizeof a->list[0]) == 0;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct sockaddr_storage));
}

static void add_address(struct live_zk_addresses *to, const struct addrinfo *info, uint16_t port)
{
    if (to->count == LIVE_ZK_ADDRESSES_MAX)
        return;
    struct sockaddr_storage *a = &to->list[to->count];
    memset(a, 0, sizeof *a);
    if (info->ai_family == AF_INET) {
        memcpy(a, info->ai_addr, sizeof(struct sockaddr_in));
        ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
    } else if (info->ai_family == AF_INET6) {
        memcpy(a, info->ai_addr, sizeof(struct sockaddr_in6));
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
    } else {
        return;
    }
    for (uint32_t i = 0; i < to->count; i++)
        if (memcmp(&to->list[i], a, sizeof *a) == 0)
            return;
    to->count++;
}

static void resolve_next(struct live_zk_resolver *r);

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *info)
{
    struct live_zk_resolver *r = request->data;
    const struct live_zk_server *server = &r->servers->list[r->at];
    if (r->called_off) {
        uv_freeaddrinfo(info);
        r->busy = false;
        r->idle(r->context);
        return;
    }
    if (status != 0)
        r->failed(r->context, server->host, uv_strerror(status));
    for (const struct addrinfo *i = info; i != NULL; i = i->ai_next)
        add_address(&r->found, i, server->port);
    uv_freeaddrinfo(info);
    r->at++;
    resolve_next(r);
}

static void resolve_next(struct live_zk_resolver *r)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    while (r->at < r->servers->count) {
        int status = uv_getaddrinfo(r->loop, &r->request, on_resolved, r->servers->list[r->at].host,
                                    NULL, &hints);
        if (status == 0)
            return;
        r->failed(r->context, r->servers->list[r->at].host, uv_strerror(status));
        r->at++;
    }
    /* In one order whatever the resolver's mood, so that two rounds can be compared. */
    qsort(r->found.list, r->found.count, sizeof r->found.list[0], by_bytes);
    r->busy = false;
    r->done(r->context);
}

void live_zk_resolve(struct live_zk_resolver *r)
{
    assert(!r->busy);
    r->found.count = 0;
    r->at = 0;
    r->busy = true;
    r->called_off = false;
    r->request.data = r;
    resolve_next(r);
}

bool live_zk_resolve_call_off(struct live_zk_resolver *r)
{
    r->called_off = true;
    if (r->busy)
        uv_cancel((uv_req_t *)&r->request);
    return r->busy;
}
