#!/usr/bin/env bash
# Set up and run all checks: lint, format, types, and the tests that are neither slow nor attacks.
# Arguments go to pytest in place of that, such as: -m slow, -m attack, or -k sources.
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/setup_env.sh requirements.txt tests/requirements.txt

ruff check .
ruff format --check .
mypy
[ $# -gt 0 ] || set -- -m "not slow and not attack"
python -m pytest "$@"
