#!/usr/bin/env bash
# Runs a command where WebGPU finds a device: SwiftShader, a GPU in software, out of Debian's Chromium; nothing is installed.
# Usage: .ci/swiftshader.sh COMMAND…
set -euo pipefail
folder=${BRAID_SWIFTSHADER:-/var/tmp/braid-swiftshader}

if [ ! -e "$folder/complete" ]; then
  rm -rf "$folder"
  mkdir -p "$folder/package"
  (
    cd "$folder/package"
    apt-get download -qq chromium-common >&2 || { apt-get update -qq >&2 && apt-get download -qq chromium-common >&2; }
    dpkg-deb --fsys-tarfile chromium-common_*.deb | tar -x --strip-components 4 -C "$folder" --wildcards \
      './usr/lib/chromium/libvk_swiftshader.so' './usr/lib/chromium/libvulkan.so.1' './usr/lib/chromium/vk_swiftshader_icd.json'
  )
  rm -r "$folder/package"
  touch "$folder/complete"
fi
export VK_ICD_FILENAMES=$folder/vk_swiftshader_icd.json
export LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp}
exec "$@"
