"""The full network, DarkNet53 YOLOv3 with an embedding head, as PaddleDetection builds it from its own YAML keys.

The network is that of JDE (arXiv 1909.12605). ppdet is needed here only: tracking runs on the exported folder.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import paddle
from paddle import nn

# Score from which a box may continue a track. PaddleDetection drops all boxes below its conf_thresh.
LOW_SCORE = 0.1


class FullJDE(nn.Layer):
    """The part of a ppdet ``JDE`` model that gives raw maps: of detections, and of features for embeddings.

    Args:
        jde: The ppdet model.
    """

    def __init__(self, jde: nn.Layer) -> None:
        super().__init__()
        self.backbone = jde.detector.backbone
        self.neck = jde.detector.neck
        self.heads = nn.LayerList(jde.detector.yolo_head.yolo_outputs)

    def forward(self, image: paddle.Tensor) -> list[paddle.Tensor]:
        """Compute the raw output maps of an image.

        Args:
            image: [N, 3, H, W] RGB pixels, scaled to 0 to 1; H and W are multiples of 32.

        Returns:
            Detection maps [N, 24, h, w] at strides 32, 16 and 8, then feature maps [N, C, h, w] at the same strides.
        """
        feats = self.neck(self.backbone({"image": image}), True)
        return [head(x) for head, x in zip(self.heads, feats["yolo_feats"])] + list(feats["emb_feats"])


def build(config: Path) -> tuple[nn.Layer, dict[str, Any]]:
    """Build the ppdet model of a configuration, with fresh weights.

    Args:
        config: A configuration file of PaddleDetection.

    Returns:
        The model, and the configuration as ppdet reads it.
    """
    from ppdet.core.workspace import create, load_config

    logging.getLogger("ppdet").setLevel(logging.ERROR)
    settings = load_config(str(config))
    model = create(settings["architecture"])
    model.eval()
    return model, settings


def needed_parameters(model: nn.Layer) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of the parameters that inference needs.

    The identity classifier and the weights of the losses are for training only.

    Args:
        model: The ppdet model.
    """
    unused = ("reid.classifier.", "reid.emb_loss.", "reid.cls.", "reid.reg.", "reid.ide.")
    return {name: tuple(value.shape) for name, value in model.state_dict().items() if not name.startswith(unused)}


def embedding_layers(model: nn.Layer) -> list[nn.Linear]:
    """Return the embedding head's 3x3 convolution of each level as a linear layer on one patch.

    A layer maps the [C * 3 * 3] features around a cell to an embedding [D]. It is cheaper than the convolution, since
    only the cells of kept boxes are computed.

    Args:
        model: The ppdet model.
    """
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
    """Return the contents of ``infer_cfg.yml``, from PaddleDetection's keys.

    Args:
        settings: The configuration as ppdet reads it.
    """
    head, post = settings["YOLOv3Head"], settings["JDEBBoxPostProcess"]
    stride = post["decode"]["downsample_ratio"]
    transforms = {name: value for step in settings["TestReader"]["sample_transforms"] for name, value in step.items()}
    height, width = transforms["LetterBoxResize"]["target_size"]
    levels = [
        {"stride": stride // 2**level, "anchors": [list(head["anchors"][index]) for index in mask]}
        for level, mask in enumerate(head["anchor_masks"])
    ]
    high_score = post["decode"]["conf_thresh"]
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
            "score": min(LOW_SCORE, high_score),
            "nms": post["nms"]["nms_threshold"],
            "nms_top_k": post["nms"]["nms_top_k"],
            "keep_top_k": post["nms"]["keep_top_k"],
            "confident": high_score,
        },
        "embedding": {
            "dimension": settings["JDEEmbeddingHead"]["embedding_dim"],
            "read": "cell",
            "strides": [level["stride"] for level in levels],
            "kernel": 3,
        },
    }
