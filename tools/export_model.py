"""Make an inference folder from trained weights: the compact network or the full DarkNet53 one.

    python tools/export_model.py -c config/jde_darknet53_30e_1088x608.yml --weights FILE.pdparams --output FOLDER

The weights are a .pdparams file of the configured network, or a checkpoint.npz of tools/train.py. The folder holds
model.pdmodel, embed.pdmodel, their parameters and infer_cfg.yml; give it to the module with --model FOLDER.
"""

from __future__ import annotations

import os

os.environ["FLAGS_enable_pir_api"] = "0"  # noqa: SIM112 (Paddle's name); read by paddle at import: the older program format, see networks/export.py

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import yaml

from tracker.errors import ModelError, TrackingError
from tracker.models.pdparams import check_parameters, load_npz, load_pdparams

AVERAGE, NETWORK = "average/", "network."  # what names in a checkpoint begin with


def export(config: Path, weights: Path, output: Path) -> None:
    """Export the network of a configuration with the given weights.

    Raises:
        ModelError: the configuration cannot be used, or the weights are not for this network.
    """
    try:
        architecture = yaml.safe_load(config.read_text())["architecture"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ModelError(f"{config} is no model configuration: {' '.join(str(error).split())}") from error
    exporters = {"JDE": _export_full, "CompactJDE": _export_compact}
    if architecture not in exporters:
        raise ModelError(f"{config} asks for architecture {architecture!r}; known are {', '.join(exporters)}")
    exporters[architecture](config, weights, output)


def _export_full(config: Path, weights: Path, output: Path) -> None:
    arrays = read_weights(weights)  # before the seconds that ppdet takes

    from tracker.models.networks import darknet53
    from tracker.models.networks.export import EmbeddingGraph, export_folder

    model, settings = darknet53.build(config)
    expected = darknet53.needed_parameters(model)
    check_parameters({name: value for name, value in arrays.items() if name in expected}, expected, str(weights))
    model.set_state_dict({name: value for name, value in arrays.items() if name in expected})
    layers = darknet53.embedding_layers(model)
    lengths = [layer.weight.shape[0] for layer in layers]
    infer_cfg = darknet53.inference_settings(settings)
    export_folder(darknet53.FullJDE(model), EmbeddingGraph(layers), lengths, infer_cfg, output)


def _export_compact(config: Path, weights: Path, output: Path) -> None:
    from tracker.models.networks import compact
    from tracker.models.networks.export import EmbeddingGraph, export_folder

    network, settings = compact.build(config)
    arrays = read_weights(weights)
    check_parameters(arrays, {name: tuple(value.shape) for name, value in network.state_dict().items()}, str(weights))
    network.set_state_dict(arrays)
    infer_cfg = compact.inference_settings(settings, network)
    export_folder(network, EmbeddingGraph([network.head]), [network.head.row], infer_cfg, output)


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name, of a ``.pdparams`` file or of the averaged network in a checkpoint of tools/train.py (``.npz``).

    Raises:
        ModelError: it is no such file, or not whole.
    """
    if path.suffix != ".npz":
        return load_pdparams(path)
    averages = load_npz(path, "checkpoint", AVERAGE)
    if not averages:
        raise ModelError(f"{path} is no checkpoint of tools/train.py: it has no averaged network")
    # the compact network is saved with its classifier beside it, the full one has it within
    inner = {name.removeprefix(NETWORK): value for name, value in averages.items() if name.startswith(NETWORK)}
    return inner or averages


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", type=Path, required=True, help="a model configuration in config/")
    parser.add_argument("--weights", type=Path, required=True, help=".pdparams file or checkpoint of it")
    parser.add_argument("--output", type=Path, required=True, help="inference folder to make")
    arguments = parser.parse_args()
    try:
        export(arguments.config, arguments.weights, arguments.output)
    except TrackingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
