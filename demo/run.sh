#!/usr/bin/env bash
# Track the people in demo/pedestrians.mp4: sets everything up, then names the files it made.
# Arguments go to hub run: bash demo/run.sh --model full
set -euo pipefail
cd "$(dirname "$0")/.."

module=jde_darknet53_30e_1088x608
. tools/setup_env.sh requirements.txt
export PYTHONWARNINGS=ignore::UserWarning # of the packages, about compilers that nobody needs here

archive=$(python tools/make_archive.py)
digest=$(sha256sum "$archive" | cut -d ' ' -f 1)
installed=${HUB_HOME:-$HOME/.paddlehub}/modules/$module
if [ "$(cat "$installed/.archive-sha256" 2>/dev/null)" != "$digest" ]; then
    echo "Installing the module into PaddleHub"
    hub install "$archive" >build/install.log 2>&1 || { cat build/install.log >&2; exit 1; }
    echo "$digest" >"$installed/.archive-sha256"
fi

echo "Tracking demo/pedestrians.mp4 (30 seconds of video)"
hub run $module --video_stream demo/pedestrians.mp4 --output_dir demo/output --model compact \
    --scene demo/scene.yml "$@"

echo
echo "Made:"
if [ -d demo/output ]; then find demo/output -type f \( -name 'pedestrians*' -o -name '*.csv' -o -name report.html \) | sort; fi
report=demo/output/answers/pedestrians/report.html
if [ -f $report ]; then printf '\nThe report, to be opened in a browser: %s\n' "$report"; fi
