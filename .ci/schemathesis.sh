#!/usr/bin/env bash
# Sends what schemathesis makes of the OpenAPI document to a hub with the bundled model: hostile and valid bodies, parameters and queries for
# every route. No answer may be a 5xx, of a status, content type or shape that the document does not say, or a success where the request
# breaks the document; afterwards the hub must still answer. Needs a built dist/; takes about a minute, at most three.
set -euo pipefail
cd "$(dirname "$0")/.."
version=4.32.5
cache="${XDG_CACHE_HOME:-$HOME/.cache}/braid/schemathesis-$version"
if [ ! -x "$cache/bin/schemathesis" ]; then
  python3 -m venv "$cache"
  "$cache/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

fail() { echo ".ci/schemathesis.sh: $1" >&2; exit 1; }
say() { echo "schemathesis: $1"; }

work=$(mktemp -d)
BRAID_DATA="$work/data" BRAID_PORT=0 BRAID_LOG_LEVEL=info BRAID_ALLOW_RUNTIME_LORA_UPDATING=true node bin/braid.js serve >"$work/hub.log" 2>&1 &
hub=$!
trap 'kill "$hub" 2>/dev/null; wait "$hub" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 300); do
  BRAID_URL=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$work/hub.log" | sed -n 1p) && break
  kill -0 "$hub" 2>/dev/null || { cat "$work/hub.log" >&2; fail 'the hub did not start'; }
  sleep 0.2
done
[ -n "$BRAID_URL" ] || fail 'the hub did not say where it listens within a minute'
export BRAID_URL

words=examples/tiny-words
braid() { node bin/braid.js "$@"; }
# With a chat template, so that chats get past its absence.
cp -r "$words/model" "$work/model"
echo '{% for m in messages %}{{ m.content }}{% endfor %}' >"$work/model/chat_template.jinja"
braid models add "$work/model" --name braid/tiny-words >/dev/null
braid publish "$words/adapters/make-upper" words/make-upper --base braid/tiny-words >/dev/null
braid publish "$words/adapters/pick-last" words/pick-last --base braid/tiny-words >/dev/null
braid compose words/both --base braid/tiny-words --examples "$words/tasks/first-reverse/train.jsonl" --budget 4 >/dev/null

# No route is left out. Other methods than a route's are 404 here, not 405, so that check is not asked for; nor is the one that every
# request fitting the document succeeds, which names in it alone do not make true.
# It keeps crashes it has seen in the folder where it runs.
# Path parameters are plain texts in the document, so that hardly any text breaks it: filter_too_much.
status=0
PYTHONPATH="$PWD/.ci" PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=schemathesis_hooks timeout 180 \
  env --chdir="$work" "$cache/bin/schemathesis" run "$BRAID_URL/api/docs-json" --no-color --warnings off \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection \
  --phases examples,coverage,fuzzing --max-examples 10 --continue-on-failure --no-shrink --request-timeout 20 \
  --seed 1 --generation-database none --suppress-health-check filter_too_much >"$work/found.txt" 2>&1 || status=$?
[ "$status" -eq 0 ] || { cat "$work/found.txt" >&2; fail "schemathesis ended with $status (124: it took more than three minutes)"; }
grep -E 'generated' "$work/found.txt"

# Jobs that got through may have a large budget: each must end when it is told to.
for state in queued running; do
  braid jobs list --status "$state" --limit 100 --json | grep -oE '"id": *"[0-9a-f-]{36}"' | grep -oE '[0-9a-f-]{36}' || true
done | while read -r id; do braid jobs cancel "$id" >/dev/null 2>&1 || true; done
for _ in $(seq 50); do
  open=$(for state in queued running; do braid jobs list --status "$state" --json; done | grep -cE '"id":' || true)
  [ "$open" -eq 0 ] && break
  sleep 0.5
done
[ "$open" -eq 0 ] || fail "$open jobs still run after they were cancelled"

curl --silent --show-error --fail "$BRAID_URL/readyz" >/dev/null || fail 'the hub is not ready afterwards'
answer=$(braid complete words/make-upper '? ?: knife ball pine tub =>' --max-tokens 24)
[ "$(echo "$answer" | xargs)" = 'KNIFE BALL PINE TUB' ] || fail "the hub answers something else afterwards: $answer"
# 503 is by design: not ready, or a model's process gone.
if grep -E '"status":5|"level":"error"' "$work/hub.log" | grep -v '"status":503'; then fail 'the log of the hub has errors'; fi
say 'every answer is one that the document says, and the hub answers as before'
