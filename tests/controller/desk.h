/*
 * A desk: one controller, the embedded ZooKeeper and brokers that answer NONE, in one loop without
 * time. What happens is kept as text, one line a thing, so that a test compares a story.
 *
 *   desk_new ─► desk_topic, desk_broker … ─► desk_start ─► desk_run ─► ck_story
 */
#ifndef TESTS_CONTROLLER_DESK_H
#define TESTS_CONTROLLER_DESK_H

#include "controller/controller.h"
#include "zookeeper/server.h"

struct desk;

struct desk *desk_new(enum sm_version version); /* returns owned */
struct desk *desk_new_with(const struct kc_config *config);
void desk_free(struct desk *d);

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
/* Writes a partition's ISR as its leader does ("2,3"), with a notification where `notify`. */
void desk_isr(struct desk *d, const char *topic, int32_t partition, const char *isr, bool notify);

void desk_start(struct desk *d);  /* the controller process starts */
void desk_run(struct desk *d);    /* until nothing is left to do */
void desk_expire(struct desk *d); /* the controller's session expires; a new one is made */
void desk_call(struct desk *d, const struct wire_call *call); /* answered in the story */
void desk_timer(struct desk *d, uint32_t timer);
void desk_unclean(struct desk *d, const char *topic); /* NULL: all */

/* How `broker` answers requests of `api` from now on: top-level error; or partition error for
 * "t-0". */
void desk_answer(struct desk *d, int32_t broker, int32_t api, int32_t error,
                 int32_t partition_error, const char *partition);
void desk_hold(struct desk *d, int32_t broker, bool on); /* answers nothing while held */

/* Called before the n-th (from 1) write to `path`: what happens between a read and a write. */
void desk_before_write(struct desk *d, const char *path, int nth, void (*act)(struct desk *));

struct kc_controller *desk_controller(struct desk *d);
struct kz_server *desk_server(struct desk *d);
/* The story since the last call; valid until the next call on `d`. Requests and writes only, e.g.
     set /brokers/topics/t/partitions/0/state leader=2 epoch=1 isr=2,3
     LeaderAndIsr -> 2,3: t-0 leader=2 epoch=1 isr=2,3 v1 replicas=2,3 [new 2,3]
     UpdateMetadata -> 1,2,3: live 1,2,3; t-0 leader=2 epoch=1 isr=2,3 */
const char *desk_story(struct desk *d);
/* Lines of the logs since the last desk_story that contain `part`. */
bool desk_logged(struct desk *d, const char *part);
const char *desk_znode(struct desk *d, const char *path); /* data as text, "(none)" where absent */
int desk_moves_refused(const struct desk *d);

#endif
