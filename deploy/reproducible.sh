#!/bin/sh
# Makes the release of this commit twice, in folders of unlike length, with another umask, time zone and language, and compares
# every byte. Go's build cache is shared: what -trimpath caches has no folder in it.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
release() { # FOLDER
	git clone -q . "$work/$1"
	make -C "$work/$1" release >"$work/log" 2>&1 || { tail -20 "$work/log" >&2; exit 1; }
}
release a
(umask 077 && TZ=Asia/Kolkata LC_ALL=C release a-much-longer-path/b)
cat "$work/a/dist/SHA256SUMS"
diff -r "$work/a/dist" "$work/a-much-longer-path/b/dist"
echo "both releases are the same bytes"
