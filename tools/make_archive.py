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
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "jde_darknet53_30e_1088x608"
# hub install copies all it is given twice, so training, tests, demo and environments stay out
CONTENTS = (
    "module.py",
    "requirements.txt",
    "README.md",
    "README_cn.md",
    "LICENSE",
    "config/jde_*.yml",
    "config/tracker.yml",
    "tracker/**/*.py",
    "weights/README.md",
    "weights/jde_compact/*",
    "tools/export_model.py",
    "tools/eval_mot.py",
    "tools/quantize.py",
    "tools/quantization/*.py",
    "requirements-quantize.txt",
)


def archive_files() -> list[Path]:
    """The files of the archive, relative to the project, in order.

    Raises:
        FileNotFoundError: a pattern of CONTENTS matches nothing.
    """
    files: set[Path] = set()
    for pattern in CONTENTS:
        found = {path.relative_to(ROOT) for path in ROOT.glob(pattern) if path.is_file()}
        if not found:
            raise FileNotFoundError(f"{ROOT / pattern} is missing")
        files |= found
    return sorted(files)


def make_archive(output: Path) -> Path:
    """Write the archive, whole or not at all.

    Args:
        output: a ``.tar.gz`` file.
    """
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path in archive_files():
            data = (ROOT / path).read_bytes()
            entry = tarfile.TarInfo(f"{NAME}/{path.as_posix()}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f".{output.name}.part")
    part.write_bytes(gzip.compress(plain.getvalue(), mtime=0))
    part.replace(output)
    return output


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / f"{NAME}.tar.gz")
    try:
        print(make_archive(parser.parse_args().output))
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
