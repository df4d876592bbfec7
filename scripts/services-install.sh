#!/usr/bin/env bash
# Installs the servers and the browser that the whole test suite talks to. Debian, as root.
set -euo pipefail
if [ "$(id -u)" != 0 ]; then
  echo "services:install needs root: it installs Debian packages" >&2
  exit 2
fi
export DEBIAN_FRONTEND=noninteractive
missing=()
need() { # command-or-path package
  command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing+=("$2")
}
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing+=(postgresql)
need mariadbd mariadb-server
need redis-server redis-server
need nats-server nats-server
need mosquitto mosquitto
need chromium chromium
if [ ${#missing[@]} -eq 0 ]; then
  echo "services: everything is installed"
  exit 0
fi
echo "services: installing ${missing[*]}"
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
