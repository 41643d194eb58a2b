#!/bin/sh
# Run the browser tests that are named, or all: sh tests/browser/run.sh [FILE...]
# Without Node.js or a browser it says so and is content, unless RESGRAD_REQUIRE_BROWSERS is set, as in CI.
set -eu
cd "$(dirname "$0")"

lacking=
for program in node npm; do
  command -v "$program" >/dev/null || lacking="$lacking $program"
done
command -v chromium >/dev/null || command -v google-chrome >/dev/null || command -v chromium-browser >/dev/null \
  || lacking="$lacking chromium"
command -v firefox-esr >/dev/null || command -v firefox >/dev/null || lacking="$lacking firefox"
command -v WebKitWebDriver >/dev/null || lacking="$lacking webkit2gtk-driver"
command -v xvfb-run >/dev/null || lacking="$lacking xvfb"

if [ -n "$lacking" ]; then
  echo "Not installed:$lacking (on Debian: apt-get install nodejs npm chromium firefox-esr webkit2gtk-driver xvfb)."
  if [ -n "${RESGRAD_REQUIRE_BROWSERS:-}" ]; then
    exit 1
  fi
  case "$lacking" in
    *node* | *npm* | *chromium*firefox*webkit*)
      echo "No browser test was run."
      exit 0
      ;;
  esac
  echo "The tests of the others follow."
fi

# The lock's packages, installed again when the lock is another.
if ! cmp -s package-lock.json node_modules/lock; then
  npm ci --no-audit --no-fund
  cp package-lock.json node_modules/lock
fi

if [ $# -gt 0 ]; then
  exec node "$@"
fi
# One file and so one browser at a time.
exec node --test --test-concurrency=1 --test-reporter=spec *.test.mjs
