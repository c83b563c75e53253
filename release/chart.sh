#!/bin/sh
# Packages the chart into a folder, so that it takes the image from where a
# release puts it; in the checkout it names no registry:
#
#   release/chart.sh registry.example.org/ghscoped/ghscoped-service FOLDER
set -eu
image=$1 folder=$2
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R "$(dirname "$0")/../helm/ghscoped-service" "$copy"
values=$copy/ghscoped-service/values.yaml
sed "s|^  repository: ghscoped/ghscoped-service\$|  repository: $image|" "$values" >"$copy/values.yaml"
grep -qx "  repository: $image" "$copy/values.yaml" || {
  echo "release/chart.sh: no image.repository in the chart's values.yaml" >&2
  exit 1
}
mv "$copy/values.yaml" "$values"
helm package "$copy/ghscoped-service" --destination "$folder"
