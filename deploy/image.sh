#!/bin/sh
# Builds the container image and uses it as README.md has it, on a Docker engine of its own: captures come in on port 69 by every
# way that Docker has, are read back, and survive restarts and hardening. As root, with Debian's docker.io.
set -eu
cd "$(dirname "$0")/.."
. deploy/engine.sh

readme() { sed -n "s/.*\`\(docker $1 [^\`]*\)\`.*/\1/p" README.md | head -1 | grep .; } # the command that README.md names
run=$(readme run | sed 's/^docker run //')

health() { docker exec try /tftpsql healthcheck; }
ready() { await 10 health || { docker logs try >&2; exit 1; }; }
source_of() { docker exec try /tftpsql log "$1" --json | sed -n 's/.*"source": *"\([^"]*\)".*/\1/p' | head -1; }
send() { # HOST NAME: an upload from the device is stored as it is
	printf 'hostname %s\nntp server 192.0.2.1\nend\n' "$2" >"$work/$2.conf"
	on_device "$work/tftpsql" put "$work/$2.conf" "$1"
	docker exec try /tftpsql show "$2" | cmp - "$work/$2.conf"
}
from() { # HOST NAME SOURCE: the same, and the source is that address
	send "$1" "$2"
	got=$(source_of "$2")
	[ "$got" = "$3" ] || { echo "$2 came from $got, not from $3" >&2; exit 1; }
}

step "$(readme build)"
docker build --quiet --build-arg VERSION="${VERSION:-}" $(readme build | sed 's/^docker build //') >/dev/null
size=$(docker image inspect --format '{{.Size}}' tftpsql)
[ "$size" -le 25000000 ] || { echo "the image has $size bytes, over 25 MB" >&2; exit 1; }

step "docker run $run: an image of $size bytes"
docker run -d --name try $run >/dev/null
ready
gateway=$(docker inspect --format '{{.NetworkSettings.Gateway}}' try)
docker exec try /tftpsql version

step "from another host by IPv4: the program sees the device's address"
from 10.99.0.1:69 r1 10.99.0.2

step "by IPv6 and from this host itself, through docker-proxy: the program sees the gateway's"
from '[fd99::1]:69' r2 "$gateway"
printf 'hostname r3\nend\n' >"$work/r3.conf"
for host in 127.0.0.1:69 '[::1]:69'; do "$work/tftpsql" put "$work/r3.conf" "$host"; done
[ "$(source_of r3)" = "$gateway" ]

step "fifty devices at once, half of them through docker-proxy"
for n in $(seq 50); do printf 'hostname many%s\nend\n' "$n" >"$work/many$n.conf"; done
puts=
for n in $(seq 50); do
	case $((n % 2)) in 0) host=10.99.0.1 ;; *) host='[fd99::1]' ;; esac
	(said=$(on_device "$work/tftpsql" put "$work/many$n.conf" "$host:69" 2>&1) || { echo "$said" >&2; exit 1; }) &
	puts="$puts $!"
done
for p in $puts; do wait "$p"; done
[ "$(docker exec try /tftpsql devices 'many*' --json | grep -c '"name"')" = 50 ]

step "a published configuration is fetched, by both"
name=$(docker exec try /tftpsql publish r1 | sed -n 's/.*: get //p')
for host in 10.99.0.1 '[fd99::1]'; do on_device "$work/tftpsql" get "$host:69" "$name" -o - | cmp - "$work/r1.conf"; done

step "restarted; then a new container on the volume, --read-only --cap-drop ALL: all is there"
docker restart try >/dev/null
ready
docker exec try /tftpsql show r1 | cmp - "$work/r1.conf"
send 10.99.0.1:69 r4
docker rm -f try >/dev/null # as a crash
docker run -d --name try --read-only --cap-drop ALL --security-opt no-new-privileges --stop-timeout 15 -p 127.0.0.1:9080:9080 $run >/dev/null
ready
"$work/tftpsql" healthcheck --http 127.0.0.1:9080
for name in r1 r2 r4 many50; do docker exec try /tftpsql show $name | cmp - "$work/$name.conf"; done
from 10.99.0.1:69 r5 10.99.0.2
docker stop try >/dev/null
[ "$(docker inspect --format '{{.State.ExitCode}}' try)" = 0 ]
docker rm try >/dev/null

step "in a network with IPv6: the program sees the device's address"
docker network create --ipv6 --subnet fd98::/64 six >/dev/null
docker run -d --name try --network six --ip6 fd98::69 --read-only --cap-drop ALL $run >/dev/null
ready
from '[fd98::69]:69' r6 fd99::2
docker rm -f try >/dev/null

step "in the host's network, on a high port"
docker run -d --name try --network host --read-only --cap-drop ALL -v tftpsql:/data -e TFTP_PORT=6969 tftpsql >/dev/null
ready
from 10.99.0.1:6969 r7 10.99.0.2
from '[fd99::1]:6969' r8 fd99::2

step "healthy, says Docker itself, within its 30 s"
sound() { [ "$(docker inspect --format '{{.State.Health.Status}}' try)" = healthy ]; }
await 40 sound
docker logs try 2>&1 | grep -a level= | head -5
docker rm -f try >/dev/null
step "done"
