"""Where the project, its demo clip and, if it is there, the shared material beside it lie."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "demo" / "pedestrians.mp4"
SHARED = ROOT.parent / "shared"  # real video and ground truth; tests that need it skip where it is missing
