# The image of the service: two static programs and the certificates of the
# usual authorities, nothing else. It runs as a user without a name or a home.
#
#   docker build --build-arg VERSION=v1.2.3 .
#
# Both base images are arguments, so that a site can take its own. FINAL may be
# scratch: what is needed of a base is copied. With one time for all files
# (SOURCE_DATE_EPOCH, or buildah's --timestamp), the same source gives the same
# image.
ARG BUILDER=golang
ARG FINAL=scratch

# By digest (of all platforms), and in a FROM of its own, where Dependabot finds it.
FROM --platform=${BUILDPLATFORM} golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d AS golang

FROM --platform=${BUILDPLATFORM} ${BUILDER} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# TARGETARCH is set by the builder: amd64 or arm64. The same source gives the
# same programs, whoever builds them where.
ARG TARGETARCH
ARG VERSION=v0.0.0-unknown
ENV CGO_ENABLED=0 GOOS=linux GOFLAGS="-trimpath -buildvcs=false"
RUN GOARCH="${TARGETARCH}" go build -ldflags "-s -w -buildid= -X github.com/ghscoped/ghscoped-service/internal/release.version=${VERSION}" \
    -o /out/ ./cmd/ghscoped-service ./cmd/ghscoped

FROM ${FINAL}
ARG VERSION=v0.0.0-unknown
LABEL org.opencontainers.image.title="ghscoped-service" \
      org.opencontainers.image.description="Connects JupyterHub users' servers to GitHub with short-lived tokens" \
      org.opencontainers.image.source="https://github.com/ghscoped/ghscoped-service" \
      org.opencontainers.image.licenses="BSD-3-Clause" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ghscoped-service /out/ghscoped /usr/local/bin/
USER 65532:65532
EXPOSE 8080 9090
# There is no HEALTHCHECK: Kubernetes ignores it. Elsewhere let the container's
# engine run "ghscoped-service healthcheck".
ENTRYPOINT ["/usr/local/bin/ghscoped-service"]
