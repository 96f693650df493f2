/*
 * --wire: what processes say to each other travels as bytes of the Kafka protocol.
 *
 * Each message is encoded, decoded, and what was decoded is delivered: a run says the same with it
 * and without, or a message says in memory what it cannot say over TCP. Internal to sim/world*.c.
 */
#ifndef SIM_WORLD_WIRE_H
#define SIM_WORLD_WIRE_H

struct sim_world;
struct sim_message;
struct sim_wire;

/* Room that messages are encoded and decoded in; owned. */
struct sim_wire *sim_wire_new(void);
void sim_wire_free(struct sim_wire *wire); /* NULL is fine */

/* Takes a message that leaves through its bytes. Those to and from ZooKeeper, and that a connection
   broke, are let through. Where the codec changes a message, or its version cannot say it, the
   world fails with message, field and record. */
void sim_wire_carry(struct sim_world *w, struct sim_message *m);

#endif
