/*
 * Metrics over HTTP, for Prometheus to fetch: GET /metrics on the loopback address.
 *
 * Source: Flink PrometheusReporter (metrics.reporter.prom.port: a port, or a range of which the
 * first free one is taken).
 */
#ifndef STREAM_PROM_HTTP_H
#define STREAM_PROM_HTTP_H

#include <stdint.h>
#include <stdio.h>

struct prom_http;

/* Listens at the first free port of a range (0: any); returns owned. NULL with `why` (256 bytes) if
 * there is none. `write` is called by threads of its own, one at a time. */
struct prom_http *prom_http_open(uint16_t first, uint16_t last,
                                 void (*write)(void *context, FILE *to), void *context, char *why);
/* No call of `write` is under way when it returns. */
void prom_http_close(struct prom_http *http);
int prom_http_port(const struct prom_http *http);

#endif
