"""Build the archive that ``hub install`` takes: what a user needs, and nothing else.

    python tools/make_archive.py [--output build/jde_darknet53_30e_1088x608.tar.gz]

The same files give the same archive, byte for byte.
"""

from __future__ import annotations

import argparse
import gzip
import io
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the script runs from any folder

from tools.cli import run_tool
from tracker.errors import OutputError

ROOT = Path(__file__).resolve().parents[1]
NAME = "jde_darknet53_30e_1088x608"
# hub install copies the whole archive twice, so training, tests, the demo clip and environments stay out
CONTENTS = (
    "module.py",
    "requirements.txt",
    "README.md",
    "README_cn.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE",
    "docs/*.md",
    "config/jde_*.yml",
    "config/tracker.yml",
    "tracker/**/*.py",
    "tracker/doctor/street.jpg",
    "tracker/web/static/**/*",
    "demo/tracking.webp",
    "demo/page.jpg",
    "demo/report.png",
    "demo/scene.yml",
    "weights/README.md",
    "weights/jde_compact/*",
    "tools/cli/*.py",
    "tools/export_model.py",
    "tools/exporting/*.py",
    "tools/eval_mot.py",
    "tools/quantize.py",
    "tools/quantization/*.py",
    "requirements-light.txt",
    "requirements-mqtt.txt",
    "requirements-onnx.txt",
    "requirements-page.txt",
    "requirements-quantize.txt",
    "requirements-ray.txt",
)


def archive_files() -> list[Path]:
    """Return the files of the archive, relative to the project, in order.

    Raises:
        OutputError: a pattern of `CONTENTS` matches nothing.
    """
    files: set[Path] = set()
    for pattern in CONTENTS:
        matches = {path.relative_to(ROOT) for path in ROOT.glob(pattern) if path.is_file()}
        if not matches:
            raise OutputError(f"{ROOT / pattern} is missing: the archive would not be complete")
        files |= matches
    return sorted(files)


def make_archive(output: Path) -> Path:
    """Write the archive, whole or not at all.

    Args:
        output: ``.tar.gz`` file to write; its folder is made where it is missing.

    Returns:
        That file.

    Raises:
        OutputError: a file is missing, or the archive cannot be written.
    """
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path in archive_files():
            data = (ROOT / path).read_bytes()
            entry = tarfile.TarInfo(f"{NAME}/{path.as_posix()}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    part = output.with_name(f".{output.name}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(gzip.compress(plain.getvalue(), mtime=0))
        part.replace(output)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror})") from error
    return output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("--output", type=Path, default=ROOT / "build" / f"{NAME}.tar.gz", help="file to write")


def run(arguments: argparse.Namespace) -> None:
    """Write the archive and print its path."""
    print(make_archive(arguments.output))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_tool(__doc__, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
