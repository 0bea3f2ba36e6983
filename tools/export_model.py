"""Make an inference folder from trained weights: the compact network or the full DarkNet53 one.

    python tools/export_model.py -c config/jde_darknet53_30e_1088x608.yml --weights FILE.pdparams --output FOLDER

The weights are a .pdparams file of the configured network, or a checkpoint.npz of tools/train.py. The folder holds
model.pdmodel, embed.pdmodel, their parameters and infer_cfg.yml; give it to the module with --model FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tracker.models.export import main

if __name__ == "__main__":
    sys.exit(main())
