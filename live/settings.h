/*
 * What a live process is told: options of the command line over a properties file in Kafka's names.
 *
 * Keys that the simulator models are read by sim/properties.h; those that only a process with
 * sockets has (listeners, sizes of requests, idle connections) are read here. A key that Kafka does
 * not have is an error with its line; one that Kafka has and nothing here uses is a warning.
 *
 * Source: Kafka kafka.server.KafkaConfig.
 */
#ifndef LIVE_SETTINGS_H
#define LIVE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/settings.h"
#include "sim/diagnostics.h"
#include "sim/scenario.h"

enum { LIVE_CONNECT_MAX = 1024, LIVE_PROPERTIES_MAX = 65536 };

/* HOST:PORT, split. Port 0: any free one. */
struct live_address {
    char host[SM_HOST_MAX];
    int32_t port; /* -1: not given */
};

struct live_settings {
    char zookeeper[LIVE_CONNECT_MAX]; /* zookeeper.connect, chroot included; "" not given */
    int32_t id;                       /* broker.id; -1 not given */
    struct live_address listen, advertised;
    char rack[SM_RACK_MAX];                      /* broker.rack */
    char inter_broker_listener[SM_LISTENER_MAX]; /* inter.broker.listener.name, or the protocol's */
    int64_t request_max_bytes;                   /* socket.request.max.bytes */
    int64_t idle_us;                             /* connections.max.idle.ms; < 0: for ever */
    int64_t request_timeout_us;                  /* request.timeout.ms */
    int32_t connections_max;                     /* max.connections */
    int64_t election_delay_us;                   /* kcsim.election.delay.ms */
    struct sim_settings kafka;                   /* what the simulator models as well */
    char property_bytes[LIVE_PROPERTIES_MAX];    /* every key of the file as it stands there */
    uint32_t property_size;
};

/* The properties as a bag, over the bytes in `settings`; live_settings_keep writes its size back.
 */
struct kb_props live_settings_props(struct live_settings *settings);
void live_settings_keep(struct live_settings *settings, const struct kb_props *props);

/* Returns Kafka's defaults; kcsim.election.delay.ms 50, kcsim.zookeeper.write.group 500, read.group
 * 100. */
struct live_settings live_settings_default(void);

/* Reads a properties file over `settings`. False with at least one error in `diagnostics`. Values
   that a struct member holds already from the command line are set again afterwards by the caller.
   Errors: an unknown key, a bad value, a protocol version other than 2.4 to 2.6, a listener that is
   not PLAINTEXT, a file that cannot be read. */
bool live_settings_read(struct live_settings *settings, const char *file,
                        struct sim_diagnostics *diagnostics);

/* The same for properties that stand in `text` (size bytes); `name` stands for the file in errors.
 */
bool live_settings_read_text(struct live_settings *settings, const char *name, const char *text,
                             size_t size, struct sim_diagnostics *diagnostics);

/* Splits "HOST:PORT" ("[::1]:9092" too); false where it is none, or the port is above 65535. */
bool live_address_parse(const char *text, struct live_address *address);

#endif
