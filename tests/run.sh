#!/usr/bin/env bash
# Set up and run all checks: lint, format, types, and the tests that are not slow. Arguments go to pytest in place of that,
# such as: -m slow, or -k sources.
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/setup_env.sh requirements.txt tests/requirements.txt

ruff check .
ruff format --check .
mypy
[ $# -gt 0 ] || set -- -m "not slow"
python -m pytest "$@"
