/*
 * Classes of what the seed may do to a cluster: faults, and operations of an administrator.
 *
 * One row a class: its name in `random: {faults: {NAME: COUNT}}`, how many `faults: all` draws, and
 * what it is. The grammar, the schema, `kcsim explain random` and the drawing read this list; what
 * a class draws is in world_draw.h.
 */
#ifndef SIM_CHAOS_H
#define SIM_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

/* name in files, how many with `all`, text */
#define SIM_CHAOS_MAP(X)                                                                           \
    X(KILL, "kill", 2, "processes killed, and started again when their session is over or before") \
    X(RESTART, "restart", 1, "processes stopped cleanly, and started again a little later")        \
    X(BOUNCE, "bounce", 2, "processes replaced so fast that only the broker epoch shows it")       \
    X(SHUTDOWN, "shutdown", 1, "controlled shutdowns, and a start later")                          \
    X(EXPIRE, "expire", 1, "sessions expired")                                                     \
    X(PAUSE, "pause", 1, "pauses of up to two session timeouts")                                   \
    X(DROP, "drop", 2, "messages lost, and their connection with them")                            \
    X(PARTITION, "partition", 1, "cuts between two groups, some of them one way")                  \
    X(DEGRADE, "degrade", 1, "links that get slow, or lose messages")                              \
    X(HOLD, "hold", 2, "channels that are held, and released later")                               \
    X(DISCONNECT, "disconnect", 1, "connections to ZooKeeper that break")                          \
    X(LOSE_QUORUM, "lose-quorum", 1, "times in which ZooKeeper answers nobody")                    \
    X(DELAY, "delay", 1, "times in which ZooKeeper answers a node late")                           \
    X(FAIL, "fail", 2, "ZooKeeper requests whose outcome the node never learns")                   \
    X(BLOCK, "block", 1, "controllers whose event thread stands still for a while")                \
    X(FAIL_LOG_DIR, "fail-log-dir", 1, "log directories that fail")                                \
    X(MOVE_CONTROLLER, "move-controller", 1, "/controller deleted, so that another is elected")    \
    X(CREATE_TOPIC, "create-topic", 1, "topics created")                                           \
    X(ADD_PARTITIONS, "add-partitions", 1, "topics that grow")                                     \
    X(DELETE_TOPIC, "delete-topic", 1, "topics deleted, most of them created again")               \
    X(REASSIGN, "reassign", 2, "partitions moved to other brokers")                                \
    X(CANCEL_REASSIGNMENT, "cancel-reassignment", 1, "reassignments begun and cancelled")          \
    X(ELECT_LEADERS, "elect-leaders", 1, "preferred elections, a few unclean ones")                \
    X(ALTER_CONFIG, "alter-config", 1,                                                             \
      "min.insync.replicas and unclean.leader.election.enable of a topic changed")               \
    X(LOSE_MACHINE, "lose-machine", 1, "machines lost with all that no disk had taken, replaced")  \
    X(CLOCK_SKEW, "clock-skew", 1, "clocks that are wrong, or run too fast or too slow")           \
    X(KILL_CLIENT, "kill-client", 1, "clients killed, replaced or paused, and there again later")  \
    X(FLIP_LEADER, "flip-leader", 0, "replicas put into another order, and the first elected")     \
    X(STALL, "stall", 0, "brokers that the controller or another broker does not reach for seconds")

enum sim_chaos {
#define X(name, text, all, what) SIM_CHAOS_##name,
    SIM_CHAOS_MAP(X)
#undef X
        SIM_CHAOS_END
};
_Static_assert(SIM_CHAOS_END <= 64, "a class is a bit of a mask");

/* "kill", its number with `faults: all`, what it is; static. */
const char *sim_chaos_name(enum sim_chaos chaos);
int32_t sim_chaos_of_all(enum sim_chaos chaos);
const char *sim_chaos_text(enum sim_chaos chaos);

struct sim_random;
/* Returns the classes that swarm switches off for this seed, a bit each; 0 where it is not on. */
uint64_t sim_chaos_off(const struct sim_random *random, uint64_t seed);

#endif
