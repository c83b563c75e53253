#!/bin/sh
# Builds the wheels into dist/ of the checkout: one for each platform, with the
# program and the JupyterLab extension inside. PYTHON may name the interpreter whose pip is used. With VERSION
# (v1.2.3) the program says that it is of this version, and has the same bytes as
# in the release's archives.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dist=$here/../dist
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
mkdir -p "$dist"

"$here/labextension/build.sh"

set -- -trimpath -ldflags '-s -w'
if [ -n "${VERSION:-}" ]; then
  set -- -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X github.com/ghscoped/ghscoped-service/internal/release.version=$VERSION"
fi

# The program is static, so glibc's version and musl do not matter to it.
for pair in amd64:x86_64 arm64:aarch64; do
  goarch=${pair%:*} machine=${pair#*:}
  (cd "$here/.." && CGO_ENABLED=0 GOOS=linux GOARCH=$goarch \
    go build "$@" -o "$build/$machine/ghscoped" ./cmd/ghscoped)
  GHSCOPED_BINARY=$build/$machine/ghscoped GHSCOPED_PLATFORM=manylinux2014_$machine.musllinux_1_1_$machine \
    "${PYTHON:-python3}" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$build/wheels" "$here"
done
mv "$build"/wheels/*.whl "$dist"
ls "$dist"/*.whl
