# make shows the targets. make deps test is all that a fresh Debian machine with Go needs.
.DEFAULT_GOAL := help
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
TOOL := CGO_ENABLED=0 go tool -modfile=tools.mod
# Without a tag, the time of the commit lets a package manager see which version is newer.
VERSION ?= $(shell git describe --tags --dirty 2>/dev/null | sed 's/^v//' | grep . || TZ=UTC git log -1 --date=format-local:%Y%m%d%H%M%S --format=0.0.0-dev.%cd.%h)
# Nobody speaks HTTP/2 to a health check (0.5 MB), and pgx is told the few types that are used (1.4 MB, store/pgtypes.go).
TAGS := nethttpomithttp2,nopgxregisterdefaulttypes
# SQLite is C made into Go, whose memory is not Go's: the race detector sees nothing there, and makes it several times slower.
RACE := -race $(foreach p,sqlite/lib libc memory,-gcflags=modernc.org/$(p)=-race=0)
# As in the Dockerfile: static, small, the same bytes on every machine.
BUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags $(TAGS) -ldflags="-s -w -funcalign=4 -X main.version=$(VERSION)"

.PHONY: help
help: ## show this
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

.PHONY: run
run: ## start the server with defaults
	go run .

# The TFTP servers can't be installed together, and like Prometheus, chasquid, etcd and OpenSSH's server would start by themselves: they are only unpacked, into .deps.
# The audit of accessibility that the tests run in the browser.
AXE := 4.14.1
.PHONY: deps
deps: ## install on Debian what the tests need: PostgreSQL, clients of TFTP, SFTP and SCP, servers of TFTP and SFTP, Prometheus, a mail server, Patroni and etcd, a C compiler for -race
	$(SUDO) apt-get update -q
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends \
		postgresql pgbouncer tftp-hpa atftp curl busybox-static git gcc libc6-dev libwrap0 libpcre2-8-0 \
		libnetfilter-conntrack3 libnftables1 libdbus-1-3 libidn2-0 libhogweed6 iproute2 systemd chromium \
		openssh-client dropbear-bin python3-paramiko sshpass patroni python3-etcd ripgrep
	rm -rf .deps && mkdir .deps && cd .deps && apt-get download -q tftpd-hpa atftpd dnsmasq-base prometheus chasquid openssh-server etcd-server && \
		for d in *.deb; do dpkg -x $$d . || exit 1; done && rm *.deb 
	mkdir .deps/axe && curl -sSfLm 60 https://registry.npmjs.org/axe-core/-/axe-core-$(AXE).tgz | \
		tar -xz -C .deps/axe --strip-components=1 package/axe.min.js || echo "axe: not fetched, so accessibility is not audited"

# device has no goroutines, its tests neither: with -race they take ten times as long to prove the same.
# Tests of the whole program wait more than they work, so more of them run at once than there are cores.
.PHONY: test
test: check ## everything, with the race detector; bench in small
	go test $(RACE) -timeout 30m -parallel 6 -tags $(TAGS) $$(go list ./... | grep -v /device$$)
	go test ./device
	cd bench && go test ./...

.PHONY: check
check: ## formatting, width, vet, staticcheck, known vulnerabilities where their list can be reached, go.mod, generated code and queries on both engines, other systems
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	@git ls-files '*.go' | xargs grep -L '^// Code generated' | while read -r f; do \
		expand -t4 "$$f" | awk -v f="$$f" 'length > 100 { print f ":" FNR ": over 100 columns"; bad = 1 } END { exit bad }' \
		|| touch .wide; done; if [ -e .wide ]; then rm .wide; exit 1; fi
	go mod tidy -diff
	go vet ./...
	$(TOOL) staticcheck ./...
	cd bench && go mod tidy -diff && go vet ./... && CGO_ENABLED=0 go tool -modfile=../tools.mod staticcheck ./...
	TFTPSQL_CHECK=1 go test -count=1 ./queries
	@if curl -sfm 10 -o /dev/null https://vuln.go.dev/index/db.json; then $(TOOL) govulncheck ./...; \
		else echo "govulncheck: not run, vuln.go.dev can't be reached"; fi
	for os in darwin windows; do GOOS=$$os CGO_ENABLED=0 go vet ./... && GOOS=$$os CGO_ENABLED=0 go build -o /dev/null . || exit 1; done

.PHONY: generate
generate: ## make the code of queries/ from its SQL
	$(TOOL) sqlc generate

.PHONY: sim
sim: ## simulate SEEDS (10000) worlds of clients, network, store and crashes
	go test ./tftp -run TestSimulation -v -seeds $(or $(SEEDS),10000)

.PHONY: faults
faults: ## break worker, database, disks and receivers of alarms in the middle of BURSTS (60) bursts of uploads; SEED=1; and a Patroni cluster, in each way PATRONI (1) times
	go test ./cli -run 'TestFaults|TestTold|TestPatroni' -v -timeout 3h -bursts $(or $(BURSTS),60) -fault-seed $(or $(SEED),1) -patroni $(or $(PATRONI),1)

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (1m)
	for f in tftp/FuzzRequest tftp/FuzzOACK tftp/FuzzNetascii tftp/FuzzEngine device/FuzzIdentify device/FuzzExamine device/FuzzLines device/FuzzBlocks device/FuzzFromFilename sftp/FuzzSCP sftp/FuzzSFTP; do \
		go test ./$${f%/*} -run '^$$' -fuzz "$${f#*/}\$$" -fuzztime $(or $(FUZZTIME),1m) -fuzzminimizetime 1s || exit 1; done

.PHONY: corpus
corpus: ## hold host names and noise against a folder of configurations: CORPUS=DIR with expected.tsv and pairs.tsv
	CORPUS=$(abspath $(or $(CORPUS),device/testdata)) go test ./device -run TestCorpus -count=1 -v

.PHONY: picture
picture: ## draw docs/terminal.svg from what the program prints, and docs/mail.png of a mail; take docs/page-*.png in a browser
	go test ./cli -run 'TestPicture|TestAlarmMail/sqlite' -count=1 -picture
	go test ./web -run TestPictures -count=1 -picture

.PHONY: bench
bench: ## compare with other TFTP servers and with the machine's bounds, and draw docs/bench.svg; BENCH='-only lockstep -rounds 9'
	cd bench && go run . -svg ../docs/bench.svg $(BENCH)

.PHONY: micro
micro: ## the benchmarks of the engine and of reading configurations
	go test ./tftp ./device -run '^$$' -bench . -benchmem

.PHONY: image
image: ## build the container image and use it, on a Docker engine of its own; as root, with docker.io, iptables and busybox-static; DOCKER_ROOT=DIR keeps the engine's files
	$(SUDO) env PATH="$$PATH" VERSION=$(VERSION) DOCKER_ROOT=$(DOCKER_ROOT) deploy/image.sh

.PHONY: compose
compose: ## use compose.yaml with PostgreSQL killed and back, on a Docker engine of its own; as root, with what image needs, and docker-compose
	$(SUDO) env PATH="$$PATH" DOCKER_ROOT=$(DOCKER_ROOT) deploy/compose.sh

# Files in packages have the commit's time, and what is made of a commit is the same bytes everywhere (make reproducible).
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

# Completions, the manual and its page are made by the program of this machine.
.PHONY: deb
deb: ## make Debian packages of linux/amd64 and arm64 in dist/
	rm -rf dist/linux_* dist/made && mkdir -p dist/made
	for shell in bash zsh fish; do go run . completion $$shell > dist/made/$$shell || exit 1; done
	go test -tags $(TAGS) ./cli -run TestManual -count=1 -args -manual $(CURDIR)/dist/made/tftpsql.1
	printf 'tftpsql (%s) unstable; urgency=medium\n\n  * CHANGELOG.md says what has changed.\n\n -- %s  %s\n' "$$(echo '$(VERSION)' | sed 's/-/~/')" \
		"$$(sed -n 's/^maintainer: //p' deploy/nfpm.yaml)" "$$(TZ=UTC git log -1 --date=rfc-local --format=%cd)" > dist/made/changelog
	gzip -9n dist/made/tftpsql.1 dist/made/changelog
	for arch in amd64 arm64; do GOOS=linux GOARCH=$$arch $(BUILD) -o dist/linux_$$arch/tftpsql . && \
		ARCH=$$arch VERSION=$(VERSION) $(TOOL) nfpm package -f deploy/nfpm.yaml -p deb -t dist/ || exit 1; done
	rm -r dist/linux_* dist/made

.PHONY: lintian
lintian: deb ## hold the Debian packages against Debian's rules; with lintian
	lintian --allow-root --fail-on error,warning dist/*.deb

.PHONY: systemd
systemd: deb ## install the Debian package under a real systemd, in a container, and use it; as root
	$(SUDO) deploy/deb.sh

# The validator has Kubernetes' published schemas inside. Its modules and those of tools.mod can't be one list.
KUSTOMIZE := sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
VALIDATE := sigs.k8s.io/kubectl-validate@v0.0.4
.PHONY: kubernetes
kubernetes: ## hold deploy/kubernetes, as kustomize builds it, against Kubernetes' schemas
	d=$$(mktemp -d) && CGO_ENABLED=0 go run $(KUSTOMIZE) build deploy/kubernetes > $$d/all.yaml && \
		CGO_ENABLED=0 go run $(VALIDATE) --version 1.30 $$d/all.yaml && sed 's/replicas: .*/replicas: many/' $$d/all.yaml > $$d/wrong.yaml && \
		if CGO_ENABLED=0 go run $(VALIDATE) --version 1.30 $$d/wrong.yaml >/dev/null 2>&1; then echo "it finds no mistake" >&2; exit 1; fi; rm -r $$d

.PHONY: release
release: ## make what a release has in dist/: programs for Linux, macOS and Windows, a bill of materials of each, packages, SHA256SUMS; SIGN=KEY signs with an SSH key
	rm -rf dist && $(MAKE) --no-print-directory deb
	for t in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64; do os=$${t%/*} arch=$${t#*/}; \
		case $$os in windows) exe=.exe;; *) exe=;; esac; f=dist/tftpsql_$(VERSION)_$${os}_$$arch; \
		GOOS=$$os GOARCH=$$arch $(BUILD) -o $$f$$exe . && \
		$(TOOL) cyclonedx-gomod bin -json -noserial -notimestamp -version $(VERSION) -output $$f.cdx.json $$f$$exe || exit 1; done
	cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS
	$(if $(SIGN),ssh-keygen -Y sign -f $(SIGN) -n file dist/SHA256SUMS)

.PHONY: reproducible
reproducible: ## make the release of this commit twice, in unlike places, and compare
	deploy/reproducible.sh
