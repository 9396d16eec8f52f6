# Read by image.sh and compose.sh: a Docker engine that is theirs alone. It runs in namespaces of its own, so no container, volume,
# port or firewall rule of this machine is touched, and whatever it started ends with it. A second network namespace is the
# device: what comes from there is from another host. The base images are made of what is on this machine, nothing is pulled.
# The engine's files lie in a temporary folder, or in DOCKER_ROOT, which is kept: the next build takes seconds then.

[ "$(id -u)" = 0 ] || { echo "this needs root" >&2; exit 1; }
for p in dockerd docker containerd iptables busybox unshare ip go; do
	command -v $p >/dev/null || { echo "no $p: apt-get install docker.io iptables busybox-static util-linux iproute2" >&2; exit 1; }
done
if [ "${1:-}" != inside ]; then
	work=$(mktemp -d /var/tmp/tftpsql-docker-XXXXXX)
	trap 'rm -rf "$work"' EXIT
	# 20 minutes: ten times what it takes on two cores.
	timeout --foreground --kill-after=30 1200 unshare --net --mount --pid --fork --kill-child --mount-proc "deploy/${0##*/}" inside "$work"
	exit
fi
work=$2
trap 'exit 1' INT TERM

mkdir -p "$work/bin" "$work/config"
# The engine's own client: another one in PATH may lack BuildKit.
ln -s "$(dirname "$(command -v dockerd)")/../bin/docker" "$work/bin/docker"
export PATH="$work/bin:$PATH" DOCKER_HOST="unix://$work/docker.sock" DOCKER_CONFIG="$work/config" DOCKER_BUILDKIT=1
echo '{}' >"$work/daemon.json"

step() { echo "== $(($(date +%s) - began)) s: $*"; }
began=$(date +%s)
engine=

await() { # SECONDS COMMAND...: until the command succeeds
	left=$(($1 * 5)) && shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || { echo "this never came true: $*" >&2; return 1; }
		sleep .2
	done
}

engine_start() {
	dockerd --host "$DOCKER_HOST" --data-root "${DOCKER_ROOT:-$work/data}" --exec-root "$work/run" --pidfile "$work/pid" \
		--config-file "$work/daemon.json" >>"$work/log" 2>&1 &
	engine=$!
	await 30 docker version || { tail -5 "$work/log" >&2; exit 1; }
}

engine_stop() { # with all containers, as a machine that is shut down
	[ "$engine" ] || return 0
	kill "$engine"
	wait "$engine" || true
	engine=
}
trap engine_stop EXIT

# The device's network: a cable to this host, in both families.
ip link set lo up
unshare --net sleep infinity &
device=$!
on_device() { nsenter -t "$device" -n "$@"; }
apart() { [ "$(readlink /proc/$device/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
await 5 apart
ip link add lan type veth peer name lan netns "$device"
ip addr add 10.99.0.1/24 dev lan
ip addr add fd99::1/64 dev lan nodad
ip link set lan up
on_device ip link set lo up
on_device ip addr add 10.99.0.2/24 dev lan
on_device ip addr add fd99::2/64 dev lan nodad
on_device ip link set lan up
on_device ip -6 route add fd98::/64 via fd99::1

small() { # ROOT: a shell and what it needs
	mkdir -p "$1/bin" "$1/etc/ssl/certs" "$1/root"
	mkdir -m 1777 "$1/tmp"
	cp "$(command -v busybox)" "$1/bin/busybox"
	chroot "$1" /bin/busybox true || { echo "busybox doesn't run alone: apt-get install busybox-static" >&2; exit 1; }
	for a in sh mkdir cp cat echo rm; do ln -s busybox "$1/bin/$a"; done
	printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n' >"$1/etc/passwd"
}

stand_in_golang() {
	root=$work/golang
	small "$root"
	cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
	mkdir -p "$root/usr/local/go" "$root/modules"
	mount --bind "$(go env GOROOT)" "$root/usr/local/go"
	# What go.mod names, and no more, as a proxy for modules has it.
	GOPROXY="file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)" GOMODCACHE=$work/modules GOFLAGS=-modcacherw go mod download
	mount --bind "$work/modules/cache/download" "$root/modules"
	tar -c -C "$root" . | docker import -c 'ENV PATH=/usr/local/go/bin:/bin GOTOOLCHAIN=local GOPROXY=file:///modules' - "$1" >/dev/null
	umount "$root/usr/local/go" "$root/modules"
}

stand_in_postgres() {
	pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
	[ "$pg" ] || { echo "no PostgreSQL on this machine: make deps" >&2; exit 1; }
	root=$work/postgres
	small "$root"
	pg=${pg%/bin}
	share=/usr/share/postgresql/${pg##*/}
	mkdir -p "$root$pg/bin" "$root$share" "$root/usr/share" "$root/var/lib/postgresql/data" "$root/var/run/postgresql"
	for p in postgres initdb pg_ctl pg_isready psql; do cp "$pg/bin/$p" "$root$pg/bin/"; done
	cp -r "$pg/lib" "$root$pg/"
	rm -rf "$root$pg/lib"/*llvm* "$root$pg/lib/bitcode" # its compiler of queries, which needs LLVM
	cp -r "$share/." "$root$share"
	cp -r /usr/share/zoneinfo "$root/usr/share/"
	ldd "$root$pg/bin"/* "$root$pg/lib/plpgsql.so" "$root$pg/lib/dict_snowball.so" | grep -o '/[^ ]*\.so[^ ]*' | grep -v "^$root" | sort -u |
		while read -r f; do mkdir -p "$root$(dirname "$f")" && cp -L "$f" "$root$f"; done
	# As much of the official image's contract as compose.yaml uses.
	cat >"$root/entrypoint" <<-EOF
		#!/bin/sh
		set -eu
		if [ ! -s "\$PGDATA/PG_VERSION" ]; then
			echo "\$POSTGRES_PASSWORD" >/tmp/password
			initdb -U "\$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 -E UTF8 --no-locale
			echo 'host all all all scram-sha-256' >>"\$PGDATA/pg_hba.conf"
			pg_ctl -w start -o '-c listen_addresses='
			psql -U "\$POSTGRES_USER" -d postgres -c "CREATE DATABASE \$POSTGRES_DB"
			pg_ctl -w -m fast stop
		fi
		exec postgres -c listen_addresses='*'
	EOF
	chmod 755 "$root/entrypoint"
	chown -R 999:999 "$root/var/lib/postgresql" "$root/var/run/postgresql"
	chmod 700 "$root/var/lib/postgresql/data"
	tar -c -C "$root" . | docker import -c "ENV PATH=$pg/bin:/bin PGDATA=/var/lib/postgresql/data" -c 'USER 999:999' \
		-c 'VOLUME /var/lib/postgresql/data' -c 'ENTRYPOINT ["/entrypoint"]' - "$1" >/dev/null
}

engine_start
# What an earlier run has left in DOCKER_ROOT.
docker ps -aq | xargs -r docker rm -f >/dev/null
docker volume ls -q | xargs -r docker volume rm >/dev/null
docker network prune -f >/dev/null
step "$(docker version --format 'Docker {{.Server.Version}}, its client {{.Client.Version}}')"
stand_in_golang "$(sed -n 's/^ARG GO_IMAGE=//p' Dockerfile)"
go build -o "$work/tftpsql" .
step "a stand-in for golang is there"
