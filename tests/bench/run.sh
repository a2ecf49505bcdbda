#!/usr/bin/env bash
# make bench: measures what DESIGN.md, 8 names, beside baselines of the same run. README.md beside tells how to read it.
#
#   run.sh FOLDER-OF-PROGRAMS FOLDER-OF-BENCH-PROGRAMS
set -euo pipefail
cd "$(dirname "$0")/../.."

export LEADLINE_TEST_BIN LEADLINE_BENCH_BIN PYTHONDONTWRITEBYTECODE=1
LEADLINE_TEST_BIN=$(realpath "${1:?usage: run.sh PROGRAMS BENCH-PROGRAMS}")
LEADLINE_BENCH_BIN=$(realpath "${2:?usage: run.sh PROGRAMS BENCH-PROGRAMS}")
command -v wrk >/dev/null || { echo "wrk is missing: make deps" >&2; exit 1; }
exec /usr/bin/python3 tests/bench/bench.py
