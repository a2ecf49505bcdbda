#!/usr/bin/env bash
# Installs the Debian packages that building, running and testing need. With --missing-only: nothing when all are there.
# With --fuzz: what fuzzing needs, too.
set -euo pipefail

packages=(gcc libc6-dev make pkg-config
    libh2o-evloop-dev libzmq3-dev libmsgpack-dev libpq-dev libcurl4-openssl-dev libssl-dev zlib1g-dev libjansson-dev
    libpcre2-dev libsystemd-dev libmicrohttpd-dev libcmocka-dev
    postgresql-15 curl procps python3 python3-pytest python3-pytest-xdist python3-psycopg2 python3-zmq python3-msgpack python3-yaml systemd wrk)
[[ " $* " == *" --fuzz "* ]] && packages+=(clang libclang-rt-14-dev llvm-14)

missing=()
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null | awk '$2 == "installed" {print $1}') || true
for package in "${packages[@]}"; do
    grep -qx "$package" <<<"$installed" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    [[ " $* " == *" --missing-only "* ]] || echo "everything is there"
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "these packages are missing and there is no sudo: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2

# Our PostgreSQL lives in the project's folder: Debian's package need not start one of its own.
conf=/etc/postgresql-common/createcluster.d/leadline.conf
if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
    "${as_root[@]}" mkdir -p "${conf%/*}"
    echo 'create_main_cluster = false' | "${as_root[@]}" tee "$conf" >/dev/null
    trap '"${as_root[@]}" rm -f "$conf"' EXIT
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
