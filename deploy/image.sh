#!/bin/sh
# Builds the container image and shows that it works: captures come in, are read back, and survive a hardened restart. Uses
# Docker where its engine runs, else buildah and podman (as root), whose build stage is this machine's Go: nothing is pulled.
set -eu
cd "$(dirname "$0")/.."
tag=${TAG:-localhost/tftpsql:dev}
version=${VERSION:-}
port=16969
http=127.0.0.1:16980

usable() { # whether the image of an earlier run is there and its shell runs
	buildah inspect --type image localhost/golang:1.26-bookworm >/dev/null 2>&1 || return 1
	c=$(buildah from localhost/golang:1.26-bookworm) || return 1
	status=0
	chroot "$(buildah mount "$c")" /bin/sh -c : 2>/dev/null || status=1
	buildah rm "$c" >/dev/null # and unmounts it
	return $status
}

base() { # an image golang:1.26-bookworm of what is on this machine
	root=$(mktemp -d)
	mkdir -p "$root/bin" "$root/etc/ssl/certs" "$root/root"
	mkdir -m 1777 "$root/tmp"
	cp "$(command -v busybox)" "$root/bin/busybox"
	if ! chroot "$root" /bin/busybox true; then
		echo "$(command -v busybox) doesn't run alone, it needs libraries: apt-get install busybox-static" >&2
		rm -r "$root"
		exit 1
	fi
	for a in sh mkdir cp echo; do ln -s busybox "$root/bin/$a"; done
	cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	c=$(buildah from scratch)
	buildah add -q "$c" "$root" / >/dev/null
	buildah add -q "$c" "$(go env GOROOT)" /usr/local/go >/dev/null
	buildah config --env PATH=/usr/local/go/bin:/bin --env GOPATH=/go --env GOTOOLCHAIN=local --env GOPROXY="$(go env GOPROXY)" "$c"
	buildah commit -q "$c" localhost/golang:1.26-bookworm >/dev/null
	buildah rm "$c" >/dev/null
	rm -r "$root"
}

if docker info >/dev/null 2>&1; then
	engine() { docker "$@"; }
	host=127.0.0.1:$port
	docker build --build-arg VERSION="$version" -t "$tag" .
else
	for p in buildah podman runc busybox unshare ip; do
		command -v $p >/dev/null || { echo "neither a Docker engine nor $p: apt-get install buildah podman runc busybox-static util-linux iproute2" >&2; exit 1; }
	done
	host=127.0.0.1:69
	export BUILDAH_ISOLATION=chroot STORAGE_DRIVER="${STORAGE_DRIVER:-overlay}"
	# runc knows every cgroup layout; small limits, since raising them is a privilege.
	engine() { podman --runtime "$(command -v runc)" --cgroup-manager=cgroupfs "$@"; }
	limits='--ulimit nofile=1024:1024 --ulimit nproc=1024:1024'
	if [ "${1:-}" != inside ]; then
		usable || base
		# --format docker: the other format has no HEALTHCHECK. The module and build caches are this machine's.
		buildah bud --format docker --pull=never --build-arg VERSION="$version" \
			-v "$(go env GOMODCACHE)":/go/pkg/mod -v "$(go env GOCACHE)":/root/.cache/go-build -t "$tag" .
		# A network of its own is this machine's for what follows: its port 69 is free, and no rule of its firewall is touched.
		exec unshare -n -m "$0" inside
	fi
	ip link set lo up
fi

size=$(engine image inspect --format '{{.Size}}' "$tag")
echo "$tag: $size bytes"
[ "$size" -le 25000000 ] || { echo "that is over 25 MB" >&2; exit 1; }

work=$(mktemp -d)
clean() {
	engine rm -f tftpsql-try >/dev/null 2>&1 || true
	engine volume rm tftpsql-try >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap clean EXIT
clean && mkdir "$work"
go build -o "$work/tftpsql" .

healthy() { # within 10 s
	for _ in $(seq 50); do
		if engine exec tftpsql-try /tftpsql healthcheck >/dev/null 2>&1; then return; fi
		sleep .2
	done
	engine logs tftpsql-try >&2
	echo "the container is not ready" >&2
	exit 1
}

echo "as it is started by default: its port 69 published, with a new volume; an upload from outside"
# Docker opens low ports to everybody in a container's own network; podman is told to.
engine run -d --name tftpsql-try ${limits:-} --sysctl net.ipv4.ip_unprivileged_port_start=0 -p "${host##*:}":69/udp -p $http:9080 --stop-timeout 15 \
	-v tftpsql-try:/data "$tag" >/dev/null
healthy
echo 'hostname first' >"$work/first.conf"
"$work/tftpsql" put "$work/first.conf" "$host"
engine exec tftpsql-try /tftpsql show first | cmp - "$work/first.conf"
engine exec tftpsql-try /tftpsql healthcheck
"$work/tftpsql" healthcheck --http $http
engine stop tftpsql-try >/dev/null
[ "$(engine inspect --format '{{.State.ExitCode}}' tftpsql-try)" = 0 ]
engine rm tftpsql-try >/dev/null

echo "hardened, on the same volume: --read-only --cap-drop ALL, an upload from outside"
engine run -d --name tftpsql-try ${limits:-} --network host --read-only --cap-drop ALL --security-opt no-new-privileges -v tftpsql-try:/data \
	-e TFTP_HOST=127.0.0.1 -e TFTP_PORT=$port -e HTTP_ADDR=$http "$tag" >/dev/null
healthy
printf 'config system global\n    set hostname "fw1"\nend\n' >"$work/fw1.conf"
"$work/tftpsql" put "$work/fw1.conf" 127.0.0.1:$port
engine exec tftpsql-try /tftpsql show fw1 | cmp - "$work/fw1.conf"
"$work/tftpsql" healthcheck --http $http
engine exec tftpsql-try /tftpsql devices
engine logs tftpsql-try
engine rm -f tftpsql-try >/dev/null
engine volume rm tftpsql-try >/dev/null

pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
if [ -z "$pg" ]; then
	echo "no PostgreSQL on this machine: what compose.yaml has is not tried (make deps installs it)" >&2
	exit 0
fi
echo "as compose.yaml has it: on a PostgreSQL, with a spool that keeps what comes while that is away"
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
chmod 755 "$work"
mkdir -m 777 "$work/pg"
postgres() { # start or stop
	as "$pg/pg_ctl" -D "$work/pg/data" -w -m immediate -l "$work/pg/log" -o "-p 16932 -c listen_addresses=127.0.0.1 -k $work/pg" "$1" >/dev/null
}
password='p@ss/w#rd?%' # as somebody's .env may have it
(umask 022 && echo "$password" >"$work/pg/password")
as "$pg/initdb" -D "$work/pg/data" -U tftpsql -A scram-sha-256 --pwfile="$work/pg/password" -E UTF8 >/dev/null
postgres start
trap 'postgres stop || true; clean' EXIT
PGPASSWORD=$password as "$pg/createdb" -h 127.0.0.1 -p 16932 -U tftpsql tftpsql
engine run -d --name tftpsql-try ${limits:-} --network host --read-only --cap-drop ALL --security-opt no-new-privileges -v tftpsql-try:/data \
	-e DATABASE_HOSTNAME=127.0.0.1 -e DATABASE_PORT=16932 -e DATABASE_NAME=tftpsql -e DATABASE_USERNAME=tftpsql -e DATABASE_PASSWORD="$password" \
	-e SPOOL=/data/spool.db \
	-e TFTP_HOST=127.0.0.1 -e TFTP_PORT=$port -e HTTP_ADDR=$http "$tag" >/dev/null
healthy
"$work/tftpsql" put "$work/fw1.conf" 127.0.0.1:$port
postgres stop
printf 'config system dns\n    set primary 192.0.2.53\nend\n' >>"$work/fw1.conf"
"$work/tftpsql" put "$work/fw1.conf" 127.0.0.1:$port
engine exec tftpsql-try /tftpsql spool
engine exec tftpsql-try /tftpsql healthcheck
postgres start
for _ in $(seq 50); do
	[ "$(engine exec tftpsql-try /tftpsql spool --json)" = "[]" ] && break
	sleep .2
done
engine exec tftpsql-try /tftpsql show fw1 | cmp - "$work/fw1.conf"
engine exec tftpsql-try /tftpsql log fw1
