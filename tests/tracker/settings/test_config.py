"""Settings of a model: what its file says, and what is refused in one line."""

import copy
import dataclasses
import datetime

import pytest
import yaml

from tests.helpers.paths import ROOT
from tracker.errors import ModelError
from tracker.settings.model import EmbeddingConfig, LevelConfig, ModelConfig, Thresholds
from tracker.settings.tracking import TrackerConfig

COMPACT = ROOT / "weights" / "jde_compact"


def refusal(call, *arguments):
    with pytest.raises(ModelError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert message and "\n" not in message
    return message


def test_the_compact_model_describes_itself():
    config = ModelConfig.load(COMPACT)
    assert (config.name, config.label) == ("jde_compact", "pedestrian")
    box = config.letterbox
    assert (box.height, box.width, box.color, box.scale) == (608, 1088, "BGR", 1.0)
    assert (box.place, box.pad_value, box.interpolation) == ("top_left", 114, "linear")
    assert config.levels == tuple(LevelConfig(stride, ((stride, stride),)) for stride in (32, 16, 8))
    assert config.thresholds == Thresholds(
        score=0.2, nms=0.55, nms_top_k=2000, keep_top_k=500, high_conf_thres=0.66, vote=0.6, hide=0.2
    )
    assert config.embedding == EmbeddingConfig(128, "crop", grid=(80, 32))


def test_the_compact_model_was_exported_from_its_configuration():
    stated = yaml.safe_load((COMPACT / "infer_cfg.yml").read_text())
    assert stated.pop("sha256").keys() == {"model.pdmodel", "model.pdiparams", "embed.pdmodel", "embed.pdiparams"}
    settings = yaml.safe_load((ROOT / "config" / "jde_compact.yml").read_text())
    embedding, network = stated.pop("embedding"), settings["CompactJDE"]
    assert stated == settings["infer_cfg"]
    assert (embedding["dimension"], embedding["grid"]) == (network["dimension"], network["grid"])


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        pytest.param(("input", "color"), "GRAY", "input.color must be one of BGR, RGB, not 'GRAY'", id="color"),
        pytest.param(("input", "place"), "left", "input.place must be one of", id="place"),
        pytest.param(("input", "interpolation"), "cubic", "input.interpolation", id="interpolation"),
        pytest.param(("input", "height"), "608", "input.height must be a whole number", id="height as text"),
        pytest.param(
            ("input", "height"), 6080, "input.height must be a whole number from 1 to 4096, not 6080", id="tall"
        ),
        pytest.param(("input", "width"), 0, "input.width must be a whole number", id="no width"),
        pytest.param(("input", "width"), 10**1000, "input.width", id="a width of a thousand digits"),
        pytest.param(("input", "scale"), None, "input.scale", id="scale"),
        pytest.param(("input", "scale"), 0, "input.scale", id="scale 0"),
        pytest.param(("input", "depth"), 3, "unknown setting input.depth", id="unknown"),
        pytest.param(("input",), [608, 1088], "input must be a mapping", id="input of another form"),
        pytest.param(("name",), datetime.date(2026, 1, 1), "name must be one line", id="a date as name"),
        pytest.param(("name",), "two\nlines", "name must be one line", id="two lines as name"),
        pytest.param(("label",), 3 * ["x"], "label must be one line", id="a list as label"),
        pytest.param(("levels", 0, "stride"), 32.0, "levels.stride must be a whole number", id="stride"),
        pytest.param(("levels", 0, "anchors"), [], "levels.anchors must have at least one", id="no anchors"),
        pytest.param(("levels", 0, "anchors"), [[1, "wide"]], "levels.anchors must be a number", id="anchor as text"),
        pytest.param(("levels", 0, "anchors"), [[1, 0]], "levels.anchors must be a number", id="flat anchor"),
        pytest.param(("levels", 0, "anchors"), [[1]], "levels.anchors must be a list of 2", id="half an anchor"),
        pytest.param(("levels",), [], "levels must have at least one", id="no levels"),
        pytest.param(("levels",), {"stride": 8}, "levels must be a list", id="levels of another form"),
        pytest.param(("thresholds", "nms"), float("nan"), "thresholds.nms must be a number from 0 to 1", id="nan"),
        pytest.param(("thresholds", "confident"), 2, "thresholds.confident", id="confident"),
        pytest.param(("thresholds", "keep_top_k"), 0, "thresholds.keep_top_k", id="nothing kept"),
        pytest.param(("embedding", "strides"), [8, 0], "embedding.strides must be a whole number", id="stride 0"),
        pytest.param(("embedding", "strides"), 8, "embedding.strides must be a list", id="strides"),
        pytest.param(("embedding", "strides"), [8], "embedding.strides must be [] for crop, not [8]", id="a stride"),
        pytest.param(("embedding", "read"), "cell", "must be [8, 16, 32] for cell, not []", id="no strides"),
        pytest.param(("levels", 0, "stride"), 16, "levels must be of different strides", id="a level twice"),
        pytest.param(("embedding", "dimension"), "128", "embedding.dimension", id="dimension"),
        pytest.param(("embedding", "read"), "box_center", "embedding.read must be one of cell, crop", id="read"),
        pytest.param(("embedding", "grid"), [6], "embedding.grid must be a list of 2 values, not [6]", id="rows only"),
        pytest.param(("embedding", "grid"), 6, "embedding.grid must be a list", id="a number as grid"),
        pytest.param(("embedding", "grid"), [6, 0], "embedding.grid must be a whole number", id="no columns"),
        pytest.param(("embedding", "grid"), [10**9, 10**9], "embedding.grid", id="a grid beyond memory"),
        pytest.param(("embedding", "grid"), ["6", 3], "embedding.grid must be a whole number", id="rows as text"),
        pytest.param(("embedding", "gird"), [6, 3], "unknown setting embedding.gird", id="unknown of the embedding"),
        pytest.param(("embedding",), ["read"], "embedding must be a mapping", id="embedding of another form"),
        pytest.param(("embedding",), None, "embedding must be a mapping", id="no embedding"),
    ],
)
def test_a_model_that_cannot_be_is_refused_in_one_line(tmp_path, path, value, part):
    values = yaml.safe_load((COMPACT / "infer_cfg.yml").read_text())
    changed = copy.deepcopy(values)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (tmp_path / "infer_cfg.yml").write_text(yaml.safe_dump(changed))
    message = refusal(ModelConfig.load, tmp_path)
    assert part in message and str(tmp_path) in message and len(message) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("group", [None, "input", "levels", "thresholds", "embedding"])
def test_a_value_that_is_missing_is_named(tmp_path, group):
    """Those of the embedding that have a default may be."""
    values = yaml.safe_load((COMPACT / "infer_cfg.yml").read_text())
    place = values[group] if group else values
    for key in place[0] if group == "levels" else place:
        if (group, key) in [(None, "sha256"), ("thresholds", "vote"), ("thresholds", "hide"), ("embedding", "grid")]:
            continue
        changed = copy.deepcopy(values)
        del (changed if group is None else changed[group][0] if group == "levels" else changed[group])[key]
        (tmp_path / "infer_cfg.yml").write_text(yaml.safe_dump(changed))
        assert f"{key} is missing" in refusal(ModelConfig.load, tmp_path)


def test_what_a_model_file_says_beside_its_settings_is_left_aside(tmp_path):
    text = (COMPACT / "infer_cfg.yml").read_text()
    (tmp_path / "infer_cfg.yml").write_text(f"{text}\nnote: made by hand\n")
    assert ModelConfig.load(tmp_path) == ModelConfig.load(COMPACT)


def test_feature_maps_come_in_the_order_of_the_levels():
    config = ModelConfig.load(COMPACT)
    assert config.feature_strides == []
    cells = dataclasses.replace(config.embedding, read="cell", strides=(8, 16, 32))
    assert dataclasses.replace(config, embedding=cells).feature_strides == [32, 16, 8]


def test_embeddings_of_cells_need_a_matrix_for_every_level(tmp_path):
    values = yaml.safe_load((COMPACT / "infer_cfg.yml").read_text())
    values["embedding"] = {"dimension": 128, "read": "cell", "strides": [8, 16], "kernel": 3}
    (tmp_path / "infer_cfg.yml").write_text(yaml.safe_dump(values))
    assert "strides must be [8, 16, 32] for cell, not [8, 16]" in refusal(ModelConfig.load, tmp_path)
    values["embedding"]["strides"] = [16, 32, 8]
    (tmp_path / "infer_cfg.yml").write_text(yaml.safe_dump(values))
    assert ModelConfig.load(tmp_path).embedding.kernel == 3


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"[]", b"name: x", b"{"])
def test_a_model_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "infer_cfg.yml").write_bytes(content)
    assert str(tmp_path) in refusal(ModelConfig.load, tmp_path)
    assert "infer_cfg.yml" in refusal(ModelConfig.load, tmp_path / "nowhere")


def test_a_model_states_the_settings_that_go_by_its_scores(tmp_path):
    assert ModelConfig.load(COMPACT).thresholds.tracker_settings == {"conf_thres": 0.66}
    values = yaml.safe_load((COMPACT / "infer_cfg.yml").read_text())
    values["thresholds"] |= {"confident": 0.35, "low_thres": 0.1, "confirm_evidence": 0.1}
    (tmp_path / "infer_cfg.yml").write_text(yaml.safe_dump(values))
    stated = ModelConfig.load(tmp_path).thresholds.tracker_settings
    assert stated == {"conf_thres": 0.35, "low_thres": 0.1, "confirm_evidence": 0.1}
    TrackerConfig().override(stated)
    values["thresholds"]["low_thres"] = 2
    (tmp_path / "infer_cfg.yml").write_text(yaml.safe_dump(values))
    assert "thresholds.low_thres must be a number from 0 to 1, not 2" in refusal(ModelConfig.load, tmp_path)
