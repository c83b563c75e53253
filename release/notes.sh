#!/bin/sh
# Prints what the changelog says of a version, for its release:
#
#   release/notes.sh v0.1.0
#
# and fails where the chart, the Python package or the changelog mean another
# version than the tag.
set -eu
cd "$(dirname "$0")/.."
version=${1#v}

differs() {
  echo "release/notes.sh: $1 is not of version $version" >&2
  exit 1
}

grep -qx "version: $version" helm/ghscoped-service/Chart.yaml || differs "the chart (version)"
grep -qx "appVersion: $version" helm/ghscoped-service/Chart.yaml || differs "the chart (appVersion)"
grep -qx "version = \"$version\"" python/pyproject.toml || differs "the Python package"
grep -qx "  \"version\": \"$version\"," python/labextension/package.json || differs "the JupyterLab extension"
notes=$(awk -v head="## [$version]" '
  index($0, "## [") == 1 { wanted = index($0, head) == 1; next }
  wanted { print }' CHANGELOG.md)
[ -n "$notes" ] || differs "no section of CHANGELOG.md"
printf '%s\n' "$notes"
