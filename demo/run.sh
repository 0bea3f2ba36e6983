#!/usr/bin/env bash
# Track the people in demo/pedestrians.mp4: sets everything up, then names the files it made.
set -euo pipefail
cd "$(dirname "$0")/.."

module=jde_darknet53_30e_1088x608
. tools/setup_env.sh requirements.txt

archive=$(python tools/make_archive.py)
digest=$(sha256sum "$archive" | cut -d ' ' -f 1)
installed=${HUB_HOME:-$HOME/.paddlehub}/modules/$module
if [ "$(cat "$installed/.archive-sha256" 2>/dev/null)" != "$digest" ]; then
    hub install "$archive"
    echo "$digest" >"$installed/.archive-sha256"
fi

hub run $module --video_stream demo/pedestrians.mp4 --output_dir demo/output "$@"

echo
echo "Made:"
find demo/output -type f -name 'pedestrians*' | sort
