"""How processes of this program are started."""

import sys

# Python that imports nothing from the current folder, nor from that of its script; CPython 3.10 cannot be told so
PYTHON = [sys.executable, *(["-P"] if sys.version_info >= (3, 11) else [])]
