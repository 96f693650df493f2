#!/bin/sh
# kcsim.sh PROGRAM: our controller, for bench/attached.
exec "$1" controller --zookeeper "$BENCH_ZOOKEEPER" --id "$BENCH_ID" --listen "127.0.0.1:$BENCH_PORT" \
    --session-timeout 18000ms --log-level WARN 1>&2
