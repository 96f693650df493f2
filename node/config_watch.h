/*
 * The broker's watch on /config/changes: who is told of a changed configuration.
 *
 *     child watch fires ─► list names ─► read the oldest new one ─► "topics/T" ─► read
 * /config/topics/T ▲                  ▲                                                       │ └──
 * armed by list ─┴──────────── next one, or again where it fired ◄───────┘
 *
 * Each config_change_N is handled once, in order of N, by each process. Only one thing in it
 * concerns a controller: unclean.leader.election.enable = true on a topic, or on the cluster's
 * default. The process then tells its own controller, whether that is active or not. A broker with
 * data takes over what concerns a topic's logs (struct kb_topic_config), and reads the brokers'
 * settings again where they changed.
 *
 * Requests go over the session of the process, one at a time. Flat; part of struct kn_node.
 *
 * Differs: Kafka deletes notifications older than 15 minutes; here they stay.
 * Source: kafka.common.ZkNodeChangeNotificationListener, kafka.server.TopicConfigHandler,
 * BrokerConfigHandler.
 */
#ifndef NODE_CONFIG_WATCH_H
#define NODE_CONFIG_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/replicas.h"
#include "statemachine/znode.h"
#include "wire/coord.h"

enum {
    KN_CONFIG_PENDING_MAX = 64, /* read per listing; what is left is listed again */
    KN_CONFIG_REQUEST_MAX = 512 /* bytes of the largest request: a path and no data */
};

enum kn_config_phase {
    KN_CONFIG_IDLE,
    KN_CONFIG_LIST,
    KN_CONFIG_AWAIT_PARENT, /* /config/changes is not there yet: exists, with a watch */
    KN_CONFIG_CHANGE,
    KN_CONFIG_ENTITY,
};

struct kn_config_watch {
    uint32_t phase; /* enum kn_config_phase */
    uint32_t xid;
    int64_t last; /* number of the last change handled, -1 none */
    uint32_t pending_count, pending_at;
    int64_t pending[KN_CONFIG_PENDING_MAX]; /* ascending */
    bool is_stale;   /* the watch fired, or more is left than fits: list again */
    bool is_default; /* the entity in work is the brokers' default, else a topic */
    uint8_t unused[6];
    char entity[SM_TOPIC_NAME_MAX + 7]; /* "topics/T", "brokers/<default>" */
};

void kn_config_watch_init(struct kn_config_watch *w);

/* What a step wants. */
struct kn_config_wish {
    const struct wire_zk_request *request; /* in the caller's buffer, or NULL */
    const char *topic;                     /* aliases the watch until its next step */
    struct kb_topic_config config;         /* has_topic: what it says of the topic's logs */
    bool has_topic;                        /* the configuration of `topic` was read */
    bool unclean_enabled;                  /* tell the controller: topic, or all where it is NULL */
    const char *broker; /* settings of this broker ("2") or of all ("<default>") have changed;
                           aliases the watch as `topic` does; else NULL */
};

/* A new session exists (the watches of an old one are gone). `buffer`: KN_CONFIG_REQUEST_MAX bytes,
   8-byte aligned, for the request. */
struct kn_config_wish kn_config_watch_begin(struct kn_config_watch *w, void *buffer);
/* An event on /config/changes. */
struct kn_config_wish kn_config_watch_on_event(struct kn_config_watch *w, void *buffer);
/* The reply to the request in flight. SESSION_EXPIRED ends the work until the next begin. */
struct kn_config_wish kn_config_watch_on_reply(struct kn_config_watch *w,
                                               const struct wire_zk_reply *reply, void *buffer);

/* Returns what a topic's configuration (the data of its znode) says of its logs. */
struct kb_topic_config kn_topic_config(const void *data, size_t size);

/* Returns whether no request is in flight. */
bool kn_config_watch_is_idle(const struct kn_config_watch *w);

#endif
