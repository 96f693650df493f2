/*
 * A desk: one controller, the embedded ZooKeeper and brokers that answer NONE, in one loop without
 * time. What happens is kept as text, one line a thing, so that a test compares a story.
 *
 *   desk_new ─► desk_topic, desk_broker … ─► desk_start ─► desk_run ─► ck_story
 */
#ifndef TESTS_CONTROLLER_DESK_H
#define TESTS_CONTROLLER_DESK_H

#include <check.h>

#include "controller/controller.h"
#include "zookeeper/server.h"

struct desk;

struct desk *desk_new(enum sm_version version); /* returns owned */
struct desk *desk_new_with(const struct kc_config *config);
struct desk *desk_new_within(const struct kc_config *config, const struct kc_limits *limits);
/* Returns what desk_new uses: controller `id`, no broker itself, no rebalancing, topics deletable.
 */
struct kc_config desk_config(enum sm_version version, int32_t id);
void desk_free(struct desk *d);

/* Brokers 1 to `brokers` live, the controller runs, nothing is left to tell. */
struct desk *desk_running(enum sm_version version, int32_t brokers);
/* … and one more topic is there. */
void desk_with_topic(struct desk *d, const char *topic, const char *assignment);

/* Brokers register and vanish as the recording harness's do. */
void desk_broker(struct desk *d, int32_t id);
void desk_kill(struct desk *d, int32_t id);
/* Vanish together, in one transaction. */
void desk_kill_both(struct desk *d, int32_t one, int32_t other);
void desk_bounce(struct desk *d, int32_t id);

/* Znodes from outside. data NULL: a null payload. */
void desk_create(struct desk *d, const char *path, const char *data);
void desk_set(struct desk *d, const char *path, const char *data);
void desk_delete(struct desk *d, const char *path);
/* "0:1,2,3;1:2,3" */
void desk_topic(struct desk *d, const char *topic, const char *assignment);
/* A partition's state as an earlier controller left it, before this one starts. */
void desk_state(struct desk *d, const char *topic, int32_t partition, int32_t leader, int32_t epoch,
                const char *isr, int32_t version);
/* /admin/reassign_partitions for one partition ("t", 0, "2,3"). */
void desk_reassign(struct desk *d, const char *topic, int32_t partition, const char *replicas);
/* Calls of one partition, or of none (topic NULL: all of them, where the call knows that). */
void desk_call_elect(struct desk *d, const char *topic, int32_t partition, bool unclean);
void desk_call_reassign(struct desk *d, const char *topic, int32_t partition, const char *replicas);
void desk_call_cancel(struct desk *d, const char *topic, int32_t partition);
void desk_call_list(struct desk *d, const char *topic, int32_t partition);
void desk_call_shutdown(struct desk *d, int32_t broker, int64_t broker_epoch);
/* Writes a partition's ISR as its leader does ("2,3"), with a notification where `notify`. */
void desk_isr(struct desk *d, const char *topic, int32_t partition, const char *isr, bool notify);

void desk_start(struct desk *d); /* the controller process starts */
void desk_run(struct desk *d);   /* until nothing is left to do */
bool desk_step(struct desk *d);  /* one message; false where there is none */
/* Runs until the story holds `part`; false where the desk comes to rest before. */
bool desk_run_until(struct desk *d, const char *part);
/* Its session expires: what is in flight is refused, a new session is made once Expire is in work.
 */
void desk_expire(struct desk *d);
/* … but its ephemerals stay. */
void desk_expire_leaving(struct desk *d);
/* … at the n-th ZooKeeper reply from now (0: never). */
void desk_expire_at(struct desk *d, long n);
/* The first answer of the n-th ZooKeeper request from now is lost, and the client asks again. */
void desk_lose_at(struct desk *d, long n);
/* The first controller dies at the n-th ZooKeeper request of its own from now: before it is served
   or after, its answer never read. */
void desk_kill_at(struct desk *d, long n, bool served);
long desk_replies(const struct desk *d);
long desk_requests(const struct desk *d);
/* Most operations that one request has carried so far, the fence not counted. */
int desk_largest_group(const struct desk *d);
/* A second controller process joins; its lines in the story begin with "[2] ". */
void desk_second(struct desk *d, const struct kc_config *config);
void desk_kill_controller(struct desk *d); /* the first one dies, its session with it */
void desk_shutdown(struct desk *d);        /* … stops cleanly */
void desk_block(struct desk *d, bool on);  /* its event thread takes no events */
enum { DESK_TIMER_BALANCE = 1 };
/* µs until the rebalance timer fires, -1 where it is not armed. */
int64_t desk_balance_due(const struct desk *d);
void desk_call(struct desk *d, const struct wire_call *call); /* answered in the story */
void desk_timer(struct desk *d, uint32_t timer);
void desk_unclean(struct desk *d, const char *topic); /* NULL: all */

/* How `broker` answers requests of `api` from now on: top-level error; or partition error for
 * "t-0". */
void desk_answer(struct desk *d, int32_t broker, int32_t api, int32_t error,
                 int32_t partition_error, const char *partition);
void desk_hold(struct desk *d, int32_t broker, bool on); /* answers nothing while held */
void desk_break(struct desk *d, int32_t broker,
                int times); /* so many requests break the connection */

/* Called before the n-th (from 1) write to `path`: what happens between a read and a write. */
void desk_before_write(struct desk *d, const char *path, int nth, void (*act)(struct desk *));

struct kc_controller *desk_controller(struct desk *d); /* the one that lives */
struct kz_server *desk_server(struct desk *d);
bool desk_first_is_dead(const struct desk *d);
bool desk_somebody_is_active(const struct desk *d); /* just one of those that live */
/* The story since the last call; valid until the next call on `d`. Requests and writes only, e.g.
     set /brokers/topics/t/partitions/0/state leader=2 epoch=1 isr=2,3
     LeaderAndIsr -> 2,3: t-0 leader=2 epoch=1 isr=2,3 v1 replicas=2,3 [new 2,3]
     UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=1 isr=2,3 */
const char *desk_story(struct desk *d);
/* Compares and consumes the story; prints the actual one ready to paste where they differ. */
#define ck_story(d, expected) desk_ck_story((d), __FILE__, __LINE__, (expected))
void desk_ck_story(struct desk *d, const char *file, int line, const char *expected);
/* Lines of the logs since the last desk_story that contain `part`. */
const char *desk_log(const struct desk *d);
bool desk_logged(struct desk *d, const char *part);
const char *desk_znode(struct desk *d, const char *path); /* data as text, "(none)" where absent */
/* "LeaderAndIsr UpdateMetadata": what reached `broker` since the last call; valid until the next.
 */
const char *desk_sent(struct desk *d, int32_t broker);
/* Calls `act` inside a step of the first controller, which then runs: for tests of its parts
   (controller/state.h). Nothing else may be in work. */
void desk_within(struct desk *d, void (*act)(struct kc_controller *c, void *argument),
                 void *argument);
int desk_moves_refused(const struct desk *d);
const char *desk_refusals(const struct desk *d); /* "t-0 on 2 NewReplica -> NewReplica" a line */
int desk_grown(const struct desk *d);            /* how often the block grew */
/* Every znode, a line each, without epochs, versions, times: what is left when all is quiet.
   Returns owned. */
char *desk_tree(struct desk *d);
/* … with versions and data as they are, but for /controller, which tells the time. Returns owned.
 */
char *desk_tree_exact(struct desk *d);

/* Runs the tests in the order given; returns what main returns. */
int desk_suite(const char *name, const TTest *const *tests, size_t count);

#endif
