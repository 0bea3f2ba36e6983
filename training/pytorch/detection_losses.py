"""Losses of the compact detector, all images of a batch at once.

Cells are assigned to people by how well score and box fit together (TOOD, arXiv 2108.07755), the score learns the
quality of the box (as in VarifocalNet, arXiv 2008.13367), boxes learn by GIoU (arXiv 1902.09630), and a box that moves
towards a neighbour is pushed back (repulsion loss, arXiv 1711.07752).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from training.pytorch.packed import IGNORED, PERSON

STRIDES = (32, 16, 8)
REACH = (3.5, 4.5)  # strides from a person's centre to the middle of a cell in the box, for the cell to be a candidate
CANDIDATES = 10  # cells that a person gets at most
SCORE_POWER, IOU_POWER = 0.5, 4.0  # in the measure of how well score and box fit
LEAST_WEIGHT = 0.3  # of a cell with a person
BACKGROUND = 0.75  # weight of the others, times the square of their score
INSIDE, SAME = 0.6, 0.5  # share of a box within an ignored one, and IoU with it, from which it is ignored too
NEIGHBOUR = 0.05  # IoU of two people from which they are neighbours
LARGEST = 6.0  # logarithm of a box's side, in strides


@dataclass(frozen=True)
class Targets:
    """What the cells of a batch should say.

    Attributes:
        quality: [B, M], the score; 0 in the background.
        person: [B, M] int64, the row of the box of each cell's person.
        counted: [B, M] bool, cells with a loss of the score.
    """

    quality: torch.Tensor
    person: torch.Tensor
    counted: torch.Tensor


def detection_losses(maps: list[torch.Tensor], boxes: torch.Tensor, kinds: torch.Tensor) -> dict[str, torch.Tensor]:
    """Compute the losses ``score``, ``box`` and ``repulsion``, each divided by the sum of all qualities.

    Args:
        maps: [B, 6, h, w] at strides 32, 16 and 8, see `CompactDetector.read`.
        boxes: [B, G, 4] left, top, right, bottom in pixels.
        kinds: [B, G] `PERSON`, `IGNORED` or neither.
    """
    raw = torch.cat([x.float().flatten(2).transpose(1, 2) for x in maps], dim=1)  # [B, M, 6]
    # nothing moves the logit of the background: only the difference counts
    logits = raw[..., 5] - raw[..., 4].detach()
    corners, strides = cells([x.shape[2:] for x in maps], raw.device)
    predicted = _boxes(raw, corners, strides)
    targets = assign(
        predicted.detach(), logits.detach().sigmoid(), boxes, kinds, corners + strides[:, None] / 2, strides
    )
    score, positive = logits.detach().sigmoid(), targets.quality > 0
    weight = torch.where(positive, targets.quality.clamp(min=LEAST_WEIGHT), BACKGROUND * score**2) * targets.counted
    entropy = F.binary_cross_entropy_with_logits(logits, targets.quality, weight=weight, reduction="sum")
    total = targets.quality.sum().clamp(min=1)
    image, cell = positive.nonzero(as_tuple=True)
    own, quality, row = predicted[image, cell], targets.quality[image, cell], targets.person[image, cell]
    losses = {"score": entropy / total, "box": ((1 - _giou(own, boxes[image, row])) * quality).sum() / total}
    return losses | {"repulsion": (_repulsion(own, boxes, kinds, image, row) * quality).sum() / total}


def assign(
    predicted: torch.Tensor,
    scores: torch.Tensor,
    boxes: torch.Tensor,
    kinds: torch.Tensor,
    middles: torch.Tensor,
    strides: torch.Tensor,
) -> Targets:
    """Assign cells to people.

    Args:
        predicted: [B, M, 4], the box that each cell predicts.
        scores: [B, M], 0 to 1.
        boxes: [B, G, 4] left, top, right, bottom in pixels.
        kinds: [B, G] `PERSON`, `IGNORED` or neither.
        middles: [M, 2] x, y of each cell's middle in pixels.
        strides: [M] in pixels.
    """
    common, areas, own_areas = _overlap(boxes, predicted)
    iou = common / (areas[:, :, None] + own_areas[:, None] - common + 1e-6)
    near = _near(boxes, middles, strides) & (kinds == PERSON)[:, :, None]
    fit = scores[:, None] ** SCORE_POWER * iou**IOU_POWER * near
    best = fit.topk(min(CANDIDATES, fit.shape[2]), dim=2).indices
    chosen = torch.zeros_like(near).scatter_(2, best, True) & (fit > 1e-9)
    person = (iou * chosen).argmax(dim=1)  # the nearest one of those who claim a cell
    chosen &= F.one_hot(person, boxes.shape[1]).transpose(1, 2).bool()
    claimed = fit * chosen
    scale = (iou * chosen).amax(dim=2, keepdim=True) / claimed.amax(dim=2, keepdim=True).clamp(min=1e-9)
    quality = (claimed * scale).amax(dim=1)
    ignored = ((common / own_areas[:, None].clamp(min=1e-3) > INSIDE) | (iou > SAME)) & (kinds == IGNORED)[:, :, None]
    return Targets(quality, person, (quality > 0) | ~ignored.any(dim=1))


def cells(sizes: list[torch.Size], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the top left corner [M, 2] and the stride [M] of the cells of all levels, in pixels."""
    corners, strides = [], []
    for stride, (rows, columns) in zip(STRIDES, sizes):
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        corners.append(torch.stack([x, y], dim=-1).reshape(-1, 2) * stride)
        strides.append(torch.full((rows * columns,), stride))
    return torch.cat(corners).float().to(device), torch.cat(strides).float().to(device)


def _boxes(raw: torch.Tensor, corners: torch.Tensor, strides: torch.Tensor) -> torch.Tensor:
    centre = raw[..., :2] * strides[:, None] + corners
    half = raw[..., 2:4].clamp(max=LARGEST).exp() * strides[:, None] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def _near(boxes: torch.Tensor, middles: torch.Tensor, strides: torch.Tensor) -> torch.Tensor:
    """Return [B, G, M] bool: whether the middle of a cell is in a box and near its centre."""
    x, y = middles.T
    left, top, right, bottom = (side[:, :, None] for side in boxes.unbind(-1))
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    far_x, far_y = (x - (left + right) / 2).abs(), (y - (top + bottom) / 2).abs()
    # a box smaller than a cell may contain the middle of none
    smaller = (far_x <= strides / 2) & (far_y <= strides / 2)
    return inside & (far_x <= REACH[0] * strides) & (far_y <= REACH[1] * strides) | smaller


def _overlap(boxes: torch.Tensor, others: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the common area [B, G, M] of boxes [B, G, 4] and others [B, M, 4], and the areas of either."""
    a, b = boxes[:, :, None], others[:, None]
    width = (torch.minimum(a[..., 2], b[..., 2]) - torch.maximum(a[..., 0], b[..., 0])).clamp(min=0)
    height = (torch.minimum(a[..., 3], b[..., 3]) - torch.maximum(a[..., 1], b[..., 1])).clamp(min=0)
    return width * height, _area(boxes[..., 2:] - boxes[..., :2]), _area(others[..., 2:] - others[..., :2])


def _repulsion(
    own: torch.Tensor, boxes: torch.Tensor, kinds: torch.Tensor, image: torch.Tensor, row: torch.Tensor
) -> torch.Tensor:
    """Return [P]: how much more of the person's nearest neighbour a box covers than the person's own box does."""
    common, areas, _ = _overlap(boxes, boxes)
    iou = common / (areas[:, :, None] + areas[:, None] - common + 1e-6)
    people = kinds == PERSON
    apart = ~torch.eye(boxes.shape[1], dtype=torch.bool, device=boxes.device)
    value, neighbour = (iou * people[:, None] * apart).max(dim=2)
    other = boxes[image, neighbour[image, row]]
    covered, due = (
        _common(box, other) / (_area(other[:, 2:] - other[:, :2]) + 1e-6) for box in (own, boxes[image, row])
    )
    return (covered - due).clamp(min=0) * (value[image, row] > NEIGHBOUR)


def _giou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the generalised IoU [P] of boxes [P, 4] in pairs."""
    common = _common(a, b)
    union = _area(a[:, 2:] - a[:, :2]) + _area(b[:, 2:] - b[:, :2]) - common
    hull = _area(torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2]))
    return common / (union + 1e-6) - (hull - union) / (hull + 1e-6)


def _common(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return _area((torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0))


def _area(sides: torch.Tensor) -> torch.Tensor:
    return sides[..., 0] * sides[..., 1]
