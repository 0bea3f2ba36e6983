"""Export of trained weights to an inference folder, as a function, as a child process and as a command.

python -m tracker.models.export -c config/jde_darknet53_30e_1088x608.yml --weights FILE.pdparams --output FOLDER
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from ..errors import ModelError, OptionError, TrackingError
from ..settings.checks import shown
from ..settings.files import read_mapping
from .child import last_line, run_module
from .npz import load_npz
from .pdparams import check_parameters, load_pdparams

# Paddle reads it when it is imported: 0 makes it write the program format described in networks/inference_folder.py
PROGRAM_FORMAT = {"FLAGS_enable_pir_api": "0"}
AVERAGE, NETWORK = "average/", "network."  # prefixes of the names in a checkpoint


def export_in_child(config: Path, weights: Path, output: Path) -> None:
    """Export in a process of its own, whatever this process has done with Paddle.

    Args:
        config: A model configuration, as those in ``config/``.
        weights: A ``.pdparams`` file or a ``checkpoint.npz`` of the configured network.
        output: The inference folder to make.

    Raises:
        ModelError: The configuration or the weights cannot be used, the folder cannot be written, or the process
            crashed.
        OSError: The process cannot be started.
    """
    command = ["--config", str(config), "--weights", str(weights), "--output", str(output)]
    done = run_module("tracker.models.export", command, PROGRAM_FORMAT)
    if done.returncode < 0:  # ended by a signal: what it printed last explains nothing
        raise ModelError(f"the export of {weights} crashed (signal {-done.returncode}); the file may be damaged")
    if done.returncode:
        raise ModelError(last_line(done, f"the export of {weights} failed without a message"))


def export(config: Path, weights: Path, output: Path) -> None:
    """Export the network of a configuration with the given weights, in this process.

    Args:
        config: A model configuration, as those in ``config/``.
        weights: A ``.pdparams`` file or a ``checkpoint.npz`` of the configured network.
        output: The inference folder to make; it appears whole or not at all.

    Raises:
        ModelError: The configuration cannot be used, or the weights are not for this network.
        OutputError: The folder cannot be written.
        RuntimeError: Paddle was imported without ``FLAGS_enable_pir_api=0`` in the environment.
    """
    try:
        architecture = read_mapping(config)["architecture"]
    except (OptionError, KeyError) as error:
        raise ModelError(f"{config} is no model configuration: {error}") from error
    exporters = {"JDE": _export_full, "CompactJDE": _export_compact}
    if not isinstance(architecture, str) or architecture not in exporters:
        raise ModelError(f"{config} asks for architecture {shown(architecture)}; known are {', '.join(exporters)}")
    exporters[architecture](config, weights, output)


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read the weights of a ``.pdparams`` file, or the averaged ones of a ``checkpoint.npz`` of tools/train.py.

    Args:
        path: The file; its suffix tells which of the two it is.

    Returns:
        Name in the network -> array.

    Raises:
        ModelError: The file is missing, damaged or of another format.
    """
    if path.suffix != ".npz":
        return load_pdparams(path)
    averages = load_npz(path, "checkpoint", AVERAGE)
    if not averages:
        raise ModelError(f"{path} is no checkpoint of tools/train.py: it has no averaged network")
    # The compact network is saved with its classifier beside it, the full one has it within.
    inner = {name.removeprefix(NETWORK): value for name, value in averages.items() if name.startswith(NETWORK)}
    return inner or averages


# Paddle is imported within the exporters only: `main` has to choose the program format before.


def _export_full(config: Path, weights: Path, output: Path) -> None:
    arrays = read_weights(weights)  # fails before ppdet is imported, which takes seconds

    import paddle

    from .networks import darknet53
    from .networks.inference_folder import EmbeddingGraph, write_inference_folder

    model, settings = darknet53.build(config)
    expected = darknet53.needed_parameters(model)
    needed = {name: value for name, value in arrays.items() if name in expected}
    check_parameters(needed, expected, str(weights))
    model.set_state_dict({name: paddle.to_tensor(value) for name, value in needed.items()})
    layers = darknet53.embedding_layers(model)
    lengths = [layer.weight.shape[0] for layer in layers]
    infer_cfg = darknet53.inference_settings(settings)
    write_inference_folder(darknet53.FullJDE(model), EmbeddingGraph(layers), lengths, infer_cfg, output)


def _export_compact(config: Path, weights: Path, output: Path) -> None:
    import paddle

    from .networks import compact
    from .networks.inference_folder import EmbeddingGraph, write_inference_folder

    network, settings = compact.build(config)
    arrays = read_weights(weights)
    check_parameters(arrays, {name: tuple(value.shape) for name, value in network.state_dict().items()}, str(weights))
    network.set_state_dict({name: paddle.to_tensor(value) for name, value in arrays.items()})
    infer_cfg = compact.inference_settings(settings, network)
    lengths = [network.head.input_length]
    write_inference_folder(network, EmbeddingGraph([network.head]), lengths, infer_cfg, output, in_16_bits=True)


def main() -> int:
    """Run the command.

    Returns:
        The exit code: 0, or 1 with one line on stderr. Wrong usage exits with 2.
    """
    parser = argparse.ArgumentParser(description="Make an inference folder from trained weights.")
    parser.add_argument("-c", "--config", type=Path, required=True, help="a model configuration in config/")
    parser.add_argument("--weights", type=Path, required=True, help=".pdparams file or checkpoint.npz of this network")
    parser.add_argument("--output", type=Path, required=True, help="inference folder to make")
    arguments = parser.parse_args()
    os.environ.update(PROGRAM_FORMAT)
    try:
        export(arguments.config, arguments.weights, arguments.output)
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
