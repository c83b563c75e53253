#!/bin/sh
# Builds the JupyterLab extension into dist/ beside this file, from which the wheel
# takes it. What it is built with is installed here by npm, unless demo/install.sh
# labextension has put a link to its own.
set -eu

cd "$(dirname "$0")"
[ -e node_modules ] || npm ci --silent --no-fund --no-audit --ignore-scripts
rm -rf dist lib
npm run --silent build >build.log || { cat build.log >&2; exit 1; }
rm build.log
