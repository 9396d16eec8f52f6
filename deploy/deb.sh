#!/bin/sh
# Installs the Debian package on a Debian 12 under a real systemd, in a container, and uses it: the service runs, its socket has port 69,
# commands read its settings, and an upgrade, a removal and a new installation do what they should. As root, with podman, runc and
# debootstrap; the base system is fetched once, into ROOTFS.
set -eu
cd "$(dirname "$0")/.."
rootfs=${ROOTFS:-/var/tmp/tftpsql-bookworm}
name=tftpsql-deb-$$

[ "$(id -u)" = 0 ] || { echo "this needs root" >&2; exit 1; }
for p in podman runc debootstrap unshare; do
	command -v $p >/dev/null || { echo "no $p: apt-get install podman runc debootstrap util-linux" >&2; exit 1; }
done
if [ "${1:-}" != inside ]; then
	deb=$(ls -t dist/tftpsql_*_"$(dpkg --print-architecture)".deb | head -1)
	[ "$deb" ] || { echo "make deb first" >&2; exit 1; }
	[ -x "$rootfs/sbin/init" ] || debootstrap --variant=minbase --include=systemd,systemd-sysv,adduser,ca-certificates bookworm "$rootfs"
	# A network and mounts of its own: nothing of this machine's is touched.
	exec unshare -n -m "$0" inside "$deb"
fi
deb=$2

work=$(mktemp -d)
mkdir "$work/upper" "$work/work" "$work/root"
mount -t tmpfs tmpfs "$work/upper"
mkdir "$work/upper/upper" "$work/upper/work"
mount -t overlay overlay -o "lowerdir=$rootfs,upperdir=$work/upper/upper,workdir=$work/upper/work" "$work/root"
engine() { podman --runtime "$(command -v runc)" --cgroup-manager=cgroupfs "$@"; }
inside() { engine exec "$name" "$@"; }
clean() {
	engine rm -f "$name" >/dev/null 2>&1 || true
	umount "$work/root" "$work/upper" || true
	rm -rf "$work"
}
trap clean EXIT
cp "$deb" "$work/root/root/tftpsql.deb"
engine run -d --name "$name" --systemd=always --cap-add ALL --network none --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
	--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --rootfs "$work/root" /sbin/init >/dev/null
up() { case $(inside systemctl is-system-running 2>/dev/null) in running | degraded) return 0 ;; *) return 1 ;; esac }
for _ in $(seq 100); do up && break; sleep .2; done
up || { echo "systemd doesn't come up" >&2; engine logs "$name" >&2; exit 1; }
inside systemctl --version | head -1

step() { echo "== $*"; }
must() { "$@" || { echo "failed: $*" >&2; inside journalctl --no-pager -u tftpsql -u tftpsql.socket >&2; exit 1; }; }

step "installed: the service is active, port 69 is its socket's, it is a user of its own"
inside dpkg -i /root/tftpsql.deb
must inside systemctl is-active tftpsql.socket tftpsql.service
must inside tftpsql healthcheck
printf 'config system global\n    set hostname "fw1"\nend\n' >"$work/root/root/fw1.conf"
must inside tftpsql put /root/fw1.conf 127.0.0.1:69
must inside tftpsql devices
inside stat -c '%U %a %n' /var/lib/tftpsql /var/lib/tftpsql/tftpsql.db /etc/tftpsql/tftpsql.env
[ "$(inside stat -c %U "/proc/$(inside systemctl show -P MainPID tftpsql)")" = tftpsql ]
inside journalctl --no-pager -o cat -u tftpsql | grep -a level=

step "another port, as docs/running.md has it"
inside sh -c "mkdir -p /etc/systemd/system/tftpsql.socket.d && printf '[Socket]\nListenDatagram=\nListenDatagram=6969\n' >/etc/systemd/system/tftpsql.socket.d/override.conf"
inside sh -c 'systemctl daemon-reload && systemctl restart tftpsql.socket'
must inside tftpsql put /root/fw1.conf 127.0.0.1:6969
inside sh -c 'rm -r /etc/systemd/system/tftpsql.socket.d && systemctl daemon-reload && systemctl restart tftpsql.socket'

step "upgraded: the data is there, the service runs anew"
before=$(inside systemctl show -P MainPID tftpsql)
inside dpkg -i /root/tftpsql.deb
must inside systemctl is-active tftpsql.service
[ "$(inside systemctl show -P MainPID tftpsql)" != "$before" ]
must inside tftpsql put /root/fw1.conf 127.0.0.1:69
[ "$(inside tftpsql log fw1 --json | grep -c '"id"')" = 3 ]

step "killed: it is there again"
inside systemctl kill -s KILL tftpsql.service
for _ in $(seq 50); do inside systemctl is-active --quiet tftpsql.service && inside tftpsql healthcheck >/dev/null 2>&1 && break; sleep .2; done
must inside tftpsql healthcheck

step "removed: nothing runs, the data stays; installed again: it serves again"
inside dpkg -r tftpsql
if inside systemctl is-active tftpsql.service tftpsql.socket; then echo "it still runs" >&2; exit 1; fi
must inside test -s /var/lib/tftpsql/tftpsql.db
inside dpkg -i /root/tftpsql.deb
must inside systemctl is-active tftpsql.socket tftpsql.service
must inside tftpsql show fw1

step "purged"
inside cp /usr/lib/tftpsql/tftpsql /root/tftpsql
inside dpkg --purge tftpsql
if inside test -e /etc/tftpsql; then echo "/etc/tftpsql is still there" >&2; exit 1; fi
must inside test -s /var/lib/tftpsql/tftpsql.db

step "by hand, without the package, as docs/running.md has it"
cp deploy/systemd/* "$work/root/etc/systemd/system/"
inside sh -c 'rm -r /var/lib/tftpsql && userdel tftpsql && install /root/tftpsql /usr/bin && useradd -r tftpsql && systemctl enable --now tftpsql' 2>&1
must inside tftpsql put /root/fw1.conf 127.0.0.1:69
must inside runuser -u tftpsql -- tftpsql devices --database sqlite:/var/lib/tftpsql/tftpsql.db
