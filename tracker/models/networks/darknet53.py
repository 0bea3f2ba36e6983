"""The full network, DarkNet53 YOLOv3 with an embedding head, as PaddleDetection builds it from its own YAML keys.

This is the one place where ppdet is needed: tracking runs on the exported folder.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import paddle
from paddle import nn

DOUBTFUL = 0.1  # score from which a box may continue a track; PaddleDetection drops all below its conf_thresh


class FullJDE(nn.Layer):
    """Raw maps of a ppdet ``JDE`` model: three detection maps, then the feature maps its embeddings are made of."""

    def __init__(self, jde: nn.Layer) -> None:
        super().__init__()
        self.backbone = jde.detector.backbone
        self.neck = jde.detector.neck
        self.heads = nn.LayerList(jde.detector.yolo_head.yolo_outputs)

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Args: image [N, 3, H, W]. Returns: [N, 24, h, w] and [N, C, h, w] at strides 32, 16, 8."""
        feats = self.neck(self.backbone({"image": image}), True)
        return [head(x) for head, x in zip(self.heads, feats["yolo_feats"])] + list(feats["emb_feats"])


def build(config: Path) -> tuple[nn.Layer, dict[str, Any]]:
    """The ppdet model of a configuration, with fresh weights, and the configuration."""
    from ppdet.core.workspace import create, load_config

    logging.getLogger("ppdet").setLevel(logging.ERROR)
    settings = load_config(str(config))
    model = create(settings["architecture"])
    model.eval()
    return model, settings


def needed_parameters(model: nn.Layer) -> dict[str, tuple[int, ...]]:
    """Names and shapes of what inference needs: the identity classifier and loss weights are for training only."""
    unused = ("reid.classifier.", "reid.emb_loss.", "reid.cls.", "reid.reg.", "reid.ide.")
    return {name: tuple(value.shape) for name, value in model.state_dict().items() if not name.startswith(unused)}


def embedding_layers(model: nn.Layer) -> list[nn.Linear]:
    """The head's convolution of each level as a matrix on the patch it would read: [C * 3 * 3] to [D]."""
    layers = []
    for convolution in model.reid.identify_outputs:
        weight = convolution.weight
        matrix = paddle.reshape(weight, [weight.shape[0], -1]).T
        layer = nn.Linear(*matrix.shape)
        layer.weight.set_value(matrix)
        layer.bias.set_value(convolution.bias)
        layers.append(layer)
    return layers


def inference_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Contents of ``infer_cfg.yml`` from PaddleDetection's keys."""
    head, post = settings["YOLOv3Head"], settings["JDEBBoxPostProcess"]
    stride = post["decode"]["downsample_ratio"]
    transforms = {name: value for step in settings["TestReader"]["sample_transforms"] for name, value in step.items()}
    height, width = transforms["LetterBoxResize"]["target_size"]
    levels = [
        {"stride": stride // 2**level, "anchors": [list(head["anchors"][index]) for index in mask]}
        for level, mask in enumerate(head["anchor_masks"])
    ]
    confident = post["decode"]["conf_thresh"]
    return {
        "name": "jde_darknet53_30e_1088x608",
        "label": "pedestrian",
        "input": {
            "height": height,
            "width": width,
            "color": "RGB",
            "scale": 1 / 255,
            "place": "center",
            "pad_value": 127.5,
            "interpolation": "area",
        },
        "levels": levels,
        "thresholds": {
            "score": min(DOUBTFUL, confident),
            "nms": post["nms"]["nms_threshold"],
            "nms_top_k": post["nms"]["nms_top_k"],
            "keep_top_k": post["nms"]["keep_top_k"],
            "confident": confident,
        },
        "embedding": {
            "dimension": settings["JDEEmbeddingHead"]["embedding_dim"],
            "read": "cell",
            "strides": [level["stride"] for level in levels],
            "kernel": 3,
        },
    }
