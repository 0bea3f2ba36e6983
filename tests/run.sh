#!/usr/bin/env bash
# Set up and run all checks: lint, format, tests. Arguments go to pytest, such as: -m "not slow", or -k sources.
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/setup_env.sh requirements.txt tests/requirements.txt

ruff check .
ruff format --check .
python -m pytest "$@"
