#!/usr/bin/env bash
# Prints the path of a Python that has LoRAX's own client; kept in the user's cache.
set -euo pipefail
version=0.6.3
prefix="${XDG_CACHE_HOME:-$HOME/.cache}/braid/lorax-client-$version"
python="$prefix/bin/python"
if ! "$python" -c 'import lorax' 2>/dev/null; then
  python3 -m venv "$prefix" >&2
  "$prefix/bin/pip" install --quiet "lorax-client==$version" >&2
fi
echo "$python"
