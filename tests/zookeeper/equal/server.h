/* A real ZooKeeper server, in a process of its own. */
#ifndef TESTS_ZOOKEEPER_EQUAL_SERVER_H
#define TESTS_ZOOKEEPER_EQUAL_SERVER_H

#include <stdbool.h>

/* Starts a server in a temporary folder and returns its port; 0 where there is no JVM or no
   ZooKeeper, which is said on standard output. One that is there but does not start ends the
   program. */
int real_start(void);
void real_stop(void);

/* SIGKILL, and a new start on the same port with what is in the folder; false where it does not
   start. */
void real_kill(void);
bool real_start_again(int port);
/* SIGSTOP, SIGCONT. */
void real_pause(bool pause);

#endif
