#!/usr/bin/env bash
# Prints the folder of an installed node-llama-cpp, llama.cpp with its processor's binaries alone: BRAID_TEST_LLAMA_CPP of exports-llamacpp.test.
# It comes from the npm registry, pinned, into the cache; as one of our packages it would bring 700 MB of GPU binaries.
set -euo pipefail
version=3.22.1
folder=${BRAID_LLAMACPP_FOLDER:-/var/tmp/braid-llamacpp-$version}

if [ ! -e "$folder/complete" ]; then
  rm -rf "$folder"
  mkdir -p "$folder"
  npm install --prefix "$folder" --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error \
    "node-llama-cpp@$version" "@node-llama-cpp/linux-x64@$version" >&2
  touch "$folder/complete"
fi
printf '%s/node_modules/node-llama-cpp\n' "$folder"
