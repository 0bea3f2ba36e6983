"""A run in PyTorch: parts of the network, a schedule by the clock, and checkpoints."""

from __future__ import annotations

import contextlib
import logging
import math
import pickle
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tracker.errors import ModelError, OptionError, OutputError
from tracker.models.npz import load_npz
from tracker.models.pdparams import load_pdparams
from training.pytorch.canvases import Canvases
from training.pytorch.detection_losses import detection_losses
from training.pytorch.networks import CompactJDE, arrays_of, build, load, normalise
from training.pytorch.packed import read_packed
from training.pytorch.people import Directions, People, embedding_losses

logger = logging.getLogger(__name__)

PARTS = ("detector", "heads", "embedding", "all")
DETECTING, BACKBONE, EMBEDDING = ("detector", "heads", "all"), ("detector", "all"), ("embedding", "all")
WEIGHTS = {"score": 1.0, "box": 2.0, "repulsion": 0.5, "vector": 4.0, "relation": 5.0}
PERSON_LOGIT = -4.6  # of a head that knows nothing: people are rare
WARMUP = 0.02  # part of the run in which rates rise
FINAL = 0.02  # the last rate, as a part of the largest
DECAY = 0.998  # of the moving average of the weights
WEIGHT_DECAY, CLIP = 0.02, 5.0
AVERAGE, PREFIX = "average/", "network."  # of names in a file that tracker.models.export reads


@dataclass(frozen=True)
class RunSettings:
    """How a run is done.

    Attributes:
        part: What is trained, of `PARTS`: the whole detector; its neck and heads, on the backbone as it is; the
            embedding head; or detector and embedding head.
        minutes: How long it takes, by the clock, reading and checkpoints included.
        steps: After how many steps it ends in any case; None for no such limit.
        batch: Canvases of a step.
        people: Crops of a step.
        size: Height and width of a canvas in pixels, multiples of 32.
        rate: Largest learning rate of neck and heads.
        backbone_rate: Of the backbone.
        embedding_rate: Of the embedding head.
        threads: Processor threads.
        save_seconds: Time between checkpoints.
        log_seconds: Time between lines of progress.
        seed: Of all random numbers.
    """

    part: str = "heads"
    minutes: float = 12.0
    steps: int | None = None
    batch: int = 32
    people: int = 256
    size: tuple[int, int] = (608, 1088)
    rate: float = 2e-3
    backbone_rate: float = 1e-4
    embedding_rate: float = 3e-3
    threads: int = 1
    save_seconds: float = 60.0
    log_seconds: float = 10.0
    seed: int = 0


class Run:
    """A run, new or resumed from the checkpoint in its folder.

    Args:
        packed_file: The packed set.
        config: The network's configuration.
        weights: Weights to begin with, ``.pdparams`` or a ``weights.npz`` of a run.
        output: Folder of checkpoint and weights.
        device: Where it runs.
        settings: How.

    Raises:
        DataError: The packed set cannot be used.
        ModelError: Configuration, weights or checkpoint cannot be used.
        OutputError: The folder cannot be made.
    """

    def __init__(
        self, packed_file: Path, config: Path, weights: Path, output: Path, device: torch.device, settings: RunSettings
    ) -> None:
        self._begun, self._output, self._settings, self._device = time.monotonic(), output, settings, device
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{output} cannot be made: {error.strerror}") from error
        if device.type == "cpu":
            torch.set_num_threads(settings.threads)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.manual_seed(settings.seed)
        packed = read_packed(packed_file)
        self.network = build(config).to(device, memory_format=torch.channels_last)
        _start(self.network, weights, settings.part)
        dimension = self.network.head.out.out_features
        self.directions = Directions(dimension, packed.vectors.shape[1]).to(device)
        canvases = (packed, settings.size, device, settings.threads, settings.seed)
        self._canvases = Canvases(*canvases) if settings.part in DETECTING else None
        people = (packed, self.network.head.grid, device, settings.threads, settings.seed)
        self._people = People(*people) if settings.part in EMBEDDING else None
        self._set_trained()
        self.optimizer = torch.optim.AdamW(self._groups(), lr=settings.rate)
        self.step, self._before = 0, 0.0
        checkpoint = output / "checkpoint.pt"
        if checkpoint.is_file():
            self._resume(checkpoint)
        else:
            self._prepare()
            self.average = {name: value.clone() for name, value in self.network.state_dict().items()}

    @property
    def progress(self) -> float:
        """How much of the run is done, 0 to 1."""
        by_clock = (self._before + time.monotonic() - self._begun) / (60 * self._settings.minutes)
        return min(1.0, max(by_clock, self.step / self._settings.steps if self._settings.steps else 0))

    def run(self) -> None:
        """Train to the end; checkpoint and weights are written on the way and at the end.

        Raises:
            DataError: A frame of the packed set is damaged.
            ModelError: The loss is no number any more.
            OutputError: Checkpoint or weights cannot be written.
        """
        saved = logged = time.monotonic()
        sums: dict[str, torch.Tensor] = {}
        first = self.step
        while self.progress < 1:
            for name, value in self._train_step().items():
                sums[name] = sums.get(name, 0) + value.detach()
            now = time.monotonic()
            if now - logged >= self._settings.log_seconds:
                means = {name: float(value) / (self.step - first) for name, value in sums.items()}
                self._check(means)
                parts = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
                speed = (now - logged) / (self.step - first)
                logger.info("step %d, %.0f %%: %s; %.2f s a step", self.step, 100 * self.progress, parts, speed)
                sums, logged, first = {}, now, self.step
            if now - saved >= self._settings.save_seconds:
                self.save()
                saved = now
        self._check({name: float(value) for name, value in sums.items()})
        self.save()
        logger.info("done after %d steps: %s", self.step, self._output / "weights.npz")

    def save(self) -> None:
        """Write ``checkpoint.pt``, to go on from, and ``weights.npz``, the moving average for an export.

        Raises:
            OutputError: They cannot be written.
        """
        state = {
            "part": self._settings.part,
            "network": self.network.state_dict(),
            "average": self.average,
            "directions": self.directions.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self._before + time.monotonic() - self._begun,
        }
        arrays = {f"{AVERAGE}{PREFIX}{name}": value for name, value in arrays_of(self.average).items()}
        for name, write in (
            ("checkpoint.pt", lambda part: torch.save(state, part)),
            ("weights.npz", lambda part: _save_npz(part, arrays)),
        ):
            path, part = self._output / name, self._output / f".{name}.part"
            try:
                write(part)
                part.replace(path)
            except (OSError, RuntimeError) as error:  # what PyTorch's writer raises on a full disk
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
                raise OutputError(f"{path} cannot be written: {' '.join(str(error).split())}") from error

    def _train_step(self) -> dict[str, torch.Tensor]:
        settings = self._settings
        progress = self.progress
        rate = min(1.0, (progress + 1e-3) / WARMUP) * (FINAL + (1 - FINAL) * (1 + math.cos(math.pi * progress)) / 2)
        for group in self.optimizer.param_groups:
            group["lr"] = group["largest"] * rate
        losses: dict[str, torch.Tensor] = {}
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            if self._canvases is not None:
                batch = self._canvases.batch(self.step, settings.batch)
                maps = self._maps(batch.images.contiguous(memory_format=torch.channels_last))
            if self._people is not None:
                crops, vectors = self._people.batch(self.step, settings.people)
                embeddings = self.network.head(crops)
        if self._canvases is not None:
            losses |= detection_losses(maps, batch.boxes, batch.kinds)
        if self._people is not None:
            losses |= embedding_losses(embeddings, self.directions(vectors))
        self.optimizer.zero_grad()
        sum(WEIGHTS[name] * value for name, value in losses.items()).backward()
        torch.nn.utils.clip_grad_norm_([p for group in self.optimizer.param_groups for p in group["params"]], CLIP)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return losses

    def _maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        with torch.set_grad_enabled(self._settings.part in BACKBONE):
            maps = self.network.det.backbone(images)
        return self.network.det.read(maps)

    @torch.no_grad()
    def _update_average(self) -> None:
        weight = 1 - min(DECAY, (1 + self.step) / (10 + self.step))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, weight)
            else:
                self.average[name].copy_(value)

    def _set_trained(self) -> None:
        """Choose what has gradients; BatchNorm keeps its statistics in the backbone and in what is not trained."""
        part, network = self._settings.part, self.network
        network.requires_grad_(False).eval()
        if part in DETECTING:
            network.det.requires_grad_(True).train()
            network.det.backbone.requires_grad_(part in BACKBONE).eval()
        if part in EMBEDDING:
            network.head.requires_grad_(True).train()

    def _groups(self) -> list[dict[str, Any]]:
        """Sort what is trained by its learning rate; biases and norms do not decay."""
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                rate = self._settings.rate
                if name.startswith("det.backbone."):
                    rate = self._settings.backbone_rate
                elif name.startswith("head."):
                    # weights on pixels are so much smaller than others
                    rate = self._settings.embedding_rate / (64 if name == "head.first.c.weight" else 1)
                groups.setdefault((rate, WEIGHT_DECAY if parameter.ndim > 1 else 0.0), []).append(parameter)
        return [{"params": p, "largest": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]

    def _prepare(self) -> None:
        """Fit what depends on the weights that the run begins with."""
        if self._settings.part in BACKBONE:
            images = self._canvases.batch(0, min(self._settings.batch, 8)).images
            normalise(self.network.det, self.network.det.backbone, images)
        if self._people is not None:
            self.directions.fit(self._people.vectors, self.network.head, *self._people.plain(2048))
        self._set_trained()

    def _resume(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location=self._device, weights_only=True)
            if state["part"] != self._settings.part:
                raise OptionError(f"{path} is of a run of part {state['part']}: give another --output to start anew")
            self.network.load_state_dict(state["network"])
            self.directions.load_state_dict(state["directions"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average, self.step, self._before = state["average"], int(state["step"]), float(state["seconds"])
        except (OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, pickle.UnpicklingError) as error:
            if isinstance(error, OptionError):
                raise
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{path} is damaged or of another network or set, give another --output: {reason}"
            ) from error
        logger.info("resumed at step %d, %.0f %%", self.step, 100 * self.progress)

    def _check(self, means: Mapping[str, float]) -> None:
        wrong = [name for name, value in means.items() if not math.isfinite(value)]
        if wrong:
            raise ModelError(
                f"the loss {wrong[0]} is no number after step {self.step}; the last checkpoint is kept, go on with a "
                "lower --rate"
            )


def _start(network: CompactJDE, path: Path, part: str) -> None:
    """Load weights; refuse those that leave what is not trained to chance."""
    if path.suffix == ".npz":
        arrays = {name.removeprefix(PREFIX): value for name, value in load_npz(path, prefix=AVERAGE).items()}
    else:
        arrays = load_pdparams(path)
    for head in network.det.heads:
        with torch.no_grad():
            head[-1].weight[4:] *= 0
            head[-1].bias.copy_(torch.tensor([0.5, 0.5, 1.2, 2.1, 0.0, PERSON_LOGIT]))
    left = load(network, arrays)
    trained = {"detector": "det.", "heads": "det.", "embedding": "head.", "all": ("det.", "head.")}[part]
    kept = [n for n in left if not n.startswith(trained) or n.startswith("det.backbone.")]
    if kept:
        raise ModelError(f"{path} has no weights for {kept[0]} and {len(kept) - 1} others, which part {part} needs")
    logger.info("begun with %s; %d arrays are random", path, len(left))


def _save_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)
