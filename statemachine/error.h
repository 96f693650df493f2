/*
 * Errors of the outside, as values. One closed list; the third column says who must act.
 *
 * Three kinds of trouble are kept apart everywhere: results of the domain (an illegal transition,
 * no eligible leader) are ordinary return values; errors of the outside (ZooKeeper says no, a limit
 * is reached, bad text) are an enum sm_err; mistakes of ours are assert(), kept in every build.
 */
#ifndef STATEMACHINE_ERROR_H
#define STATEMACHINE_ERROR_H

/* name, value, who must act, text */
#define SM_ERR_MAP(X)                                                                              \
    X(OK, 0, NOBODY, "success")                                                                    \
    X(LIMIT, -1, OPERATOR, "a fixed limit was reached")                                            \
    X(SYNTAX, -2, OPERATOR, "malformed text")                                                      \
    X(RANGE, -3, OPERATOR, "a number is out of range")                                             \
    X(CONTROLLER_MOVED, -4, RESIGN, "the controller epoch in ZooKeeper has moved on")              \
    X(SESSION_EXPIRED, -5, RESIGN, "the ZooKeeper session has expired")                            \
    X(ILLEGAL_STATE, -6, CALLER, "the operation is not allowed in the current state")              \
    X(NO_ELEMENT, -7, CALLER, "a value that must be present is absent")                            \
    X(ZOOKEEPER, -8, CALLER, "ZooKeeper refused the operation")

enum sm_err_actor { SM_ACTOR_NOBODY, SM_ACTOR_OPERATOR, SM_ACTOR_RESIGN, SM_ACTOR_CALLER };

enum sm_err {
#define X(name, value, actor, text) SM_ERR_##name = value,
    SM_ERR_MAP(X)
#undef X
};

/* Returns the static text of `err`; never NULL. */
const char *sm_err_text(enum sm_err err);

/* Returns who has to act on `err`. */
enum sm_err_actor sm_err_actor(enum sm_err err);

#endif
