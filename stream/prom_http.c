/*
 * The HTTP side of the metrics, see prom_http.h.
 */
#include "stream/prom_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "stream/graph.h"

#define CONNECTIONS_MAX 16u
#define TIMEOUT_S       30u

struct prom_http {
    struct MHD_Daemon *daemon;
    void (*write)(void *context, FILE *to);
    void *context;
};

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    const struct prom_http *http = context;
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    bool known = strcmp(url, "/metrics") == 0 || strcmp(url, "/") == 0;
    unsigned status = !reads  ? MHD_HTTP_METHOD_NOT_ALLOWED
                      : known ? MHD_HTTP_OK
                              : MHD_HTTP_NOT_FOUND;
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    (void)version, (void)data, (void)data_size, (void)state;
    if (to == NULL) {
        return MHD_NO;
    }
    if (status == MHD_HTTP_OK) {
        http->write(http->context, to);
    } else {
        fputs("metrics are at /metrics\n", to);
    }
    fclose(to);
    struct MHD_Response *r = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (r == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
                            "text/plain; version=0.0.4; charset=utf-8");
    enum MHD_Result queued = MHD_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return queued;
}

static struct MHD_Daemon *listen_at(struct prom_http *http, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, port, NULL, NULL, on_request, http,
                            MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
                            CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
                            MHD_OPTION_END);
}

struct prom_http *prom_http_open(uint16_t first, uint16_t last,
                                 void (*write)(void *context, FILE *to), void *context, char *why)
{
    struct prom_http *http = must_calloc(1, sizeof *http);
    *http = (struct prom_http){NULL, write, context};
    for (uint32_t port = first; port <= last && http->daemon == NULL; port++) {
        errno = 0;
        http->daemon = listen_at(http, (uint16_t)port);
    }
    if (http->daemon == NULL) {
        snprintf(why, 256, "no port for the metrics from %u to %u: %s", first, last,
                 errno != 0 ? strerror(errno) : "it cannot be opened");
        free(http);
        return NULL;
    }
    return http;
}

void prom_http_close(struct prom_http *http)
{
    if (http != NULL) {
        MHD_stop_daemon(http->daemon);
        free(http);
    }
}

int prom_http_port(const struct prom_http *http)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info != NULL ? info->port : 0;
}
