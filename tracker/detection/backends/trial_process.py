"""The process that `trial` starts: it loads a model folder and runs both graphs once, with limits on memory.

python -m tracker.detection.backends.trial_process FOLDER RUNTIME_OPTIONS_AS_JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from ...errors import ModelError, TrackingError
from ...settings.checks import from_mapping
from ...settings.model import ModelConfig
from ...settings.runtime import RuntimeOptions
from .choice import load_network
from .trial import FAILED, OTHER

_MOST_MEMORY = 12 << 30  # bytes of address space, a multiple of what the full network takes


def main() -> int:
    """Run the command.

    Returns:
        The exit code: 0; `FAILED`, with one line on stderr, where the model is at fault; or `OTHER` where the options
        are, which the caller will be told when it loads the model itself.
    """
    folder, runtime = Path(sys.argv[1]), from_mapping(RuntimeOptions, json.loads(sys.argv[2]))
    if runtime.wanted_device == "cpu":  # CUDA reserves address space for all memory there is
        _limit_memory()
    try:
        _load_and_run(folder, runtime)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except TrackingError:
        return OTHER
    except MemoryError:
        print(f"error: {folder} is refused: it takes more than {_MOST_MEMORY >> 30} GB of memory", file=sys.stderr)
        return FAILED
    return 0


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, limit in ((resource.RLIMIT_AS, _MOST_MEMORY), (resource.RLIMIT_CORE, 0)):
        _, most = resource.getrlimit(kind)
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(kind, (limit, most))


def _load_and_run(folder: Path, runtime: RuntimeOptions) -> None:
    config = ModelConfig.load(folder).with_input_size(runtime.input_size)
    network = load_network(folder, config, runtime)
    box, embedding = config.letterbox, config.embedding
    outputs = network.run(np.zeros((1, box.height, box.width, 3), np.uint8))
    # the rows of one person at each level, see `gather_rows`
    lengths = [features.shape[1] * embedding.kernel**2 for features in outputs[len(config.levels) :]]
    lengths = lengths or [3 * embedding.grid[0] * embedding.grid[1]]
    network.embed([np.zeros((1, length), np.float32) for length in lengths])


if __name__ == "__main__":
    sys.exit(main())
