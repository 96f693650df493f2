/*
 * How large the blocks of a world are when they are made. All of them grow when a limit is reached,
 * and what one node has needed its successor gets at once: so they begin small. A small block is
 * cleared sooner (a node starts more often than one thinks), copied sooner (sim/image.h), and no
 * run can tell the difference.
 */
#ifndef SIM_WORLD_LIMITS_H
#define SIM_WORLD_LIMITS_H

#include "broker/broker.h"
#include "broker/replicas.h"
#include "client/client.h"
#include "controller/controller.h"
#include "zookeeper/server.h"

/* What a world of a few brokers and topics needs. */
struct kc_limits sim_first_controller(void);
struct kb_limits sim_first_replicas(void);
struct kb_broker_limits sim_first_broker(void);
struct kl_limits sim_first_client(void);
struct kz_limits sim_first_server(uint32_t history);

#endif
