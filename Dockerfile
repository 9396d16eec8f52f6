# make image builds and uses this; before Docker 23 with DOCKER_BUILDKIT=1.
ARG GO_IMAGE=golang:1.26-bookworm
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=
# The Makefile says what the tags are for.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags nethttpomithttp2,nopgxregisterdefaulttypes -ldflags="-s -w -funcalign=4 -X main.version=${VERSION}" -o /out/tftpsql . \
 && mkdir -p /out/data /out/etc/ssl/certs \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && echo 'tftpsql:x:65532:65532::/data:/sbin/nologin' > /out/etc/passwd

FROM scratch AS base
COPY --from=build /out/etc /etc
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/tftpsql /tftpsql
# The database is sqlite:tftpsql.db, in /data; DATABASE_URL is not set here, since py3tftpsql's DATABASE_HOSTNAME counts only without it.
WORKDIR /data
VOLUME /data
# published: the source that the program sees may be a gateway's, which every device shares.
ENV TFTP_PORT=69 HTTP_ADDR=:9080 TFTP_READ=published
EXPOSE 69/udp 9080/tcp
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s CMD ["/tftpsql", "healthcheck"]
ENTRYPOINT ["/tftpsql"]
CMD ["serve"]

# For Fly.io (fly.toml): a machine of its own, where nobody but root is sure to be let on port 69.
FROM base AS fly
USER 0:0

# For everything else. Container engines let anybody on low ports in a network of the container's own.
FROM base
USER 65532:65532
