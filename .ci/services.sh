#!/usr/bin/env bash
# A PostgreSQL and an S3 server for the tests, both fresh and gone again when the shell ends:
#   . .ci/services.sh             starts them and exports where they are
#   bash .ci/services.sh COMMAND  runs COMMAND with them
# On Debian as root it installs what is missing (postgresql, python3-swift, memcached). It uses ports that are free and a folder of
# its own, so it neither needs nor disturbs servers that run already. Exports BRAID_TEST_DATABASE_URL, BRAID_TEST_S3_ENDPOINT,
# BRAID_TEST_S3_ACCESS_KEY and BRAID_TEST_S3_SECRET_KEY; where the first two are set already, it leaves all as it is.
# BRAID_TEST_POSTGRES_BIN names the folder of another PostgreSQL's programs (see pgvector.sh).

services_say() { printf 'services: %s\n' "$*" >&2; }

services_install() {
  local missing=()
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
  /usr/bin/python3 -c 'import swift' 2>/dev/null || missing+=(python3-swift)
  command -v memcached >/dev/null || missing+=(memcached)
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    services_say "missing: ${missing[*]}; install them, or run this as root on Debian"
    return 1
  fi
  services_say "installing ${missing[*]}"
  # Not -y alone: packages that ask would wait for a terminal.
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2 && apt-get install -qq -y --no-install-recommends "${missing[@]}" >"$1/apt.log" 2>&1 || {
    tail -n 30 "$1/apt.log" >&2
    return 1
  }
}

# Prints the first of $1 neighbouring ports that are free now.
services_free_ports() {
  /usr/bin/python3 - "$1" <<'PYTHON'
import random, socket, sys
count = int(sys.argv[1])
for start in random.sample(range(20000, 32000, 8), 200):
    probes = []
    try:
        for port in range(start, start + count):
            probes.append(socket.socket())
            probes[-1].bind(("127.0.0.1", port))
        print(start)
        break
    except OSError:
        continue
    finally:
        for probe in probes:
            probe.close()
else:
    sys.exit("no free ports")
PYTHON
}

# Sets services_runner: what starts a program as an account that PostgreSQL accepts, ended by the kernel when this shell is gone,
# however it went. INT is PostgreSQL's fast shutdown: it does not wait for clients.
services_choose_runner() {
  services_runner=(setpriv --pdeathsig INT)
  [ "$(id -u)" -ne 0 ] || services_runner+=(--reuid postgres --regid postgres --init-groups)
}

services_start_postgres() {
  local directory=$1/postgres bin port
  services_choose_runner
  bin=${BRAID_TEST_POSTGRES_BIN:-$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)")}
  port=$(services_free_ports 1)
  mkdir "$directory"
  [ "$(id -u)" -ne 0 ] || chown postgres: "$directory"
  (cd / && exec "${services_runner[@]}" "$bin/initdb" --pgdata "$directory/cluster" --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 \
    --no-sync) >"$1/initdb.log" 2>&1 || { cat "$1/initdb.log" >&2; return 1; }
  # fsync off: nobody reads this database after a crash.
  (cd / && exec "${services_runner[@]}" "$bin/postgres" -D "$directory/cluster" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories="$directory" -c fsync=off -c max_connections=200) >"$1/postgres.log" 2>&1 </dev/null &
  services_pids+=($!)
  services_wait "$!" "$1/postgres.log" "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -U postgres || return 1
  export BRAID_TEST_DATABASE_URL=postgres://postgres@127.0.0.1:$port/postgres
  services_say "PostgreSQL at $BRAID_TEST_DATABASE_URL"
}

services_start_s3() {
  local port
  port=$(services_free_ports 5)
  mkdir "$1/s3"
  (cd / && exec setpriv --pdeathsig INT env S3_ACCESS=test:tester S3_SECRET=testing-secret \
    /usr/bin/python3 "$services_folder/s3server.py" "$1/s3" "$port") >"$1/s3.log" 2>&1 </dev/null &
  services_pids+=($!)
  services_wait "$!" "$1/s3.log" grep -q '^ready' "$1/s3.log" || return 1
  export BRAID_TEST_S3_ENDPOINT=http://127.0.0.1:$port BRAID_TEST_S3_ACCESS_KEY=test:tester BRAID_TEST_S3_SECRET_KEY=testing-secret
  services_say "S3 at $BRAID_TEST_S3_ENDPOINT"
}

# Waits until a command succeeds while the process lives; shows its log when it does not.
services_wait() {
  local pid=$1 log=$2 tries
  shift 2
  for ((tries = 0; tries < 900; tries++)); do
    if "$@" 2>/dev/null; then return 0; fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  services_say "did not start: $*"
  tail -n 30 "$log" >&2
  return 1
}

services_stop() {
  local pid
  for pid in "${services_pids[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
  for pid in "${services_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  services_pids=()
  [ -z "$services_data" ] || rm -rf "$services_data"
  services_data=
}

services_start() {
  if [ -n "${BRAID_TEST_DATABASE_URL:-}" ] && [ -n "${BRAID_TEST_S3_ENDPOINT:-}" ]; then
    services_say 'using the servers that the environment names'
    return 0
  fi
  services_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  services_data=$(mktemp -d "${TMPDIR:-/tmp}/braid-services.XXXXXX")
  # PostgreSQL's account passes through it.
  chmod 755 "$services_data"
  services_pids=()
  # What the caller does at its exit still happens, after this.
  local earlier
  earlier=$(trap -p EXIT | sed -n "s/^trap -- '\(.*\)' EXIT$/\1/p")
  # shellcheck disable=SC2064
  trap "services_stop; $earlier" EXIT
  services_install "$services_data" && services_start_postgres "$services_data" && services_start_s3 "$services_data" && return 0
  services_say 'the servers for the tests are not there'
  return 1
}

services_start || { [[ ${BASH_SOURCE[0]} != "$0" ]] && return 1; exit 1; }
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then "$@"; fi
