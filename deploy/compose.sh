#!/bin/sh
# Uses compose.yaml as it is, on a Docker engine of its own: what devices send before, while and after PostgreSQL is away is there,
# as it is after crashes, a restart of the engine, and compose down and up. As root, with Debian's docker.io and docker-compose.
set -eu
cd "$(dirname "$0")/.."
. deploy/engine.sh
stand_in_postgres "$(sed -n 's/^ *image: *\(postgres:.*\)/\1/p' compose.yaml)"
step "a stand-in for PostgreSQL is there"

echo "POSTGRES_PASSWORD='p@ss/w#rd?%'" >"$work/env" # as somebody's .env may have it
if docker compose version >/dev/null 2>&1; then program='docker compose'; else program=docker-compose; fi
command -v ${program%% *} >/dev/null || { echo "no docker-compose: apt-get install docker-compose" >&2; exit 1; }
compose() { $program --project-name try --file compose.yaml --env-file "$work/env" "$@"; }
tftpsql() { compose exec -T tftpsql /tftpsql "$@"; }
health() { docker ps --filter "label=com.docker.compose.service=$1" --format '{{.Status}}'; }
healthy() { case $(health "$1") in *'(healthy)') ;; *) return 1 ;; esac }
ready() { await 30 healthy postgres && await 30 tftpsql healthcheck || { compose logs >&2; exit 1; }; }
send() { # NAME VERSION: an upload from the device
	printf 'hostname %s\nntp server 192.0.2.%s\nend\n' "$1" "$2" >"$work/$1.conf"
	on_device "$work/tftpsql" put "$work/$1.conf" 10.99.0.1:69
}
kept() { # NAME VERSIONS: the newest is what was sent, and so many are there
	tftpsql show "$1" | cmp - "$work/$1.conf"
	got=$(tftpsql log "$1" --json | grep -c '"id"')
	[ "$got" = "$2" ] || { echo "$1 has $got captures, not $2" >&2; exit 1; }
}
empty() { [ "$(tftpsql spool --json)" = "[]" ]; }

step "$program $(compose version --short), up"
compose up -d
ready
send r1 1
kept r1 1
"$work/tftpsql" healthcheck --http 127.0.0.1:9080

step "PostgreSQL is killed: what comes goes into the spool"
compose kill postgres
send r1 2
send r2 1
tftpsql spool
[ "$(tftpsql spool --json | grep -c '"uid"')" = 2 ]
step "and the worker too: the spool is on its volume"
compose kill tftpsql
compose start tftpsql
await 30 tftpsql healthcheck
send r1 3
[ "$(tftpsql spool --json | grep -c '"uid"')" = 3 ]

step "PostgreSQL is back: all is forwarded"
compose start postgres
await 30 healthy postgres
await 30 empty
send r2 2
kept r1 3
kept r2 2

step "the engine is restarted: both come back by themselves"
engine_stop
engine_start
ready
send r1 4
await 30 empty
kept r1 4
kept r2 2

step "both processes are killed: they come back by themselves"
for service in postgres tftpsql; do kill -9 "$(docker inspect --format '{{.State.Pid}}' "$(compose ps -q $service)")"; done
ready
send r2 3
await 30 empty
kept r1 4
kept r2 3

step "healthy, says Docker itself; down, and up again"
await 30 healthy tftpsql
compose down
compose up -d
ready
kept r1 4
kept r2 3
send r1 5
kept r1 5
tftpsql log r1
compose down --volumes
step "done"
