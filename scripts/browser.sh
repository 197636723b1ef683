#!/bin/sh
# Installs Chromium for the browser tests where this user may, and otherwise says what is left out.
set -u
[ -x "${PARLEY_CHROMIUM:-}" ] && exit 0
for name in chromium chromium-browser google-chrome google-chrome-stable; do  # as benchmarks/chromium.py looks for them
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests ..."
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null && exit 0
fi
echo "note: no Chromium here, so the tests in tests/e2e and tests/web_client are skipped: sudo apt install chromium"
