"""Settings of the association: what the file says, what the command line takes, and what is refused in one line."""

import argparse
import logging
import math

import numpy as np
import pytest
import yaml

from tests.helpers.paths import ROOT
from tracker.association.base import make_tracker
from tracker.association.fused_tracker import FusedTracker
from tracker.association.jde_tracker import JDETracker
from tracker.errors import OptionError
from tracker.options import TRACKER, add_threshold_arguments, split
from tracker.settings.tracking import ASSOCIATIONS, REFINE, RETIRED, SETTINGS, TrackerConfig, used_by

FILE = ROOT / "config" / "tracker.yml"
NUMBERS = {name: field.metadata["range"] for name, field in SETTINGS.items() if "range" in field.metadata}
FLAGS = [name for name, field in SETTINGS.items() if isinstance(field.default, bool)]
BOUNDED = [name for name, (_, high) in NUMBERS.items() if high < math.inf]


def tracker_file(tmp_path, content):
    path = tmp_path / "tracker.yml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    return path


def refusal(call, *arguments):
    with pytest.raises(OptionError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert message and "\n" not in message
    return message


def parsed(*words):
    """What the command line hands on: the options of the association by name."""
    parser = argparse.ArgumentParser()
    add_threshold_arguments(parser)
    values = vars(parser.parse_args(words))
    return {name: values[name] for name in TRACKER}


def value_of(config, name):
    """What a configuration holds under the name that files and the command line have for it."""
    return getattr(config.refine, name.removeprefix(REFINE)) if name.startswith(REFINE) else getattr(config, name)


def other_value(name):
    """A value that is not the default."""
    default = SETTINGS[name].default
    if isinstance(default, str):
        return "byte"
    return not default if isinstance(default, bool) else default / 2 or 0.5


def test_the_file_of_the_project_states_the_defaults():
    assert TrackerConfig.load(FILE) == TrackerConfig()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_file_of_the_project_tells_of_every_setting(name):
    """With a comment beside it or above it; conf_thres in a comment alone, for each model has its own."""
    text = FILE.read_text()
    if name == "conf_thres":
        assert "# conf_thres," in text and name not in yaml.safe_load(text)
        return
    lines = text.splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith(f"{name}:")]
    assert "#" in lines[place] or lines[place - 1].startswith("#")


@pytest.mark.parametrize("name", SETTINGS)
def test_the_file_of_the_project_names_the_associations_that_use_a_setting(name):
    """A heading such as ``# fused and byte`` stands over those that not all of them use."""
    heading = None
    for line in FILE.read_text().splitlines():
        names = line.removeprefix("# ").split(" and ")
        if line.startswith("# "):
            heading = tuple(names) if set(names) <= set(ASSOCIATIONS) else None
        if line.startswith(f"{name}:"):
            assert (heading or ASSOCIATIONS) == used_by(name)


def test_a_file_may_name_some_settings_only(tmp_path):
    loaded = TrackerConfig.load(tracker_file(tmp_path, "track_buffer: 12.5\nmin_box_area: 200\nconf_thres:\n"))
    assert loaded == TrackerConfig(track_buffer=12.5, min_box_area=200)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        pytest.param("trak_buffer: 30", "'trak_buffer'", id="unknown"),
        pytest.param("3: 30", "unknown tracker option 3", id="a number as name"),
        pytest.param("det_thresh: high", "det_thresh must be a number from 0 to 1, not 'high'", id="text"),
        pytest.param("det_thresh: true", "det_thresh", id="boolean"),
        pytest.param("det_thresh: [0.3]", "det_thresh", id="a list as number"),
        pytest.param("det_thresh: .nan", "det_thresh", id="nan"),
        pytest.param("track_buffer: .nan", "track_buffer", id="nan without upper bound"),
        pytest.param("track_buffer: .inf", "track_buffer must be a number of at least 0, not inf", id="infinity"),
        pytest.param("min_box_area: 1" + 400 * "0", "min_box_area", id="a number beyond floats"),
        pytest.param("association: [jde]", "association must be", id="association"),
        pytest.param("association: 3", "association must be", id="a number"),
        pytest.param("camera_motion: 1", "camera_motion must be True or False, not 1", id="a number as flag"),
        pytest.param("camera_motion: maybe", "camera_motion must be True or False, not 'maybe'", id="text as flag"),
        pytest.param("", "must be a mapping", id="empty"),
        pytest.param("- det_thresh", "must be a mapping", id="sequence"),
        pytest.param("det_thresh: {", "cannot read", id="broken"),
        pytest.param("a: b: c", "cannot read", id="not YAML"),
        pytest.param("x: !!python/object/apply:os.getcwd []", "cannot read", id="code"),
        pytest.param(b"\xff\xfe\x00\x80", "cannot read", id="binary"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, content, part):
    path = tracker_file(tmp_path, content)
    message = refusal(TrackerConfig.load, path)
    assert part in message and str(path) in message


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path / "missing.yml", tmp_path):
        assert str(path) in refusal(TrackerConfig.load, path)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_out_of_its_range_is_refused_by_name(name):
    low, high = NUMBERS[name]
    for value in (
        low - 0.001,
        math.nan,
        math.inf,
        -math.inf,
        "0.5",
        True,
        *([high + 0.001] if high < math.inf else []),
    ):
        assert refusal(TrackerConfig().override, {name: value}).startswith(f"{name} must be a number")
    for value in (low, min(high, 1e6), 1, np.float32(0.5), np.int64(1)):
        assert value_of(TrackerConfig().override({name: value}), name) == value


@pytest.mark.parametrize("name", BOUNDED)
def test_help_states_the_range(name):
    """Weights and shares without a unit; what has a unit has no end."""
    low, high = NUMBERS[name]
    assert f"{low:g} to {high:g}" in SETTINGS[name].metadata["help"] or name == "appearance_weight"


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_true_or_false(name):
    for value in (0, 1, "true", np.True_):
        assert refusal(TrackerConfig().override, {name: value}).startswith(f"{name} must be True or False")
    assert getattr(TrackerConfig().override({name: False}), name) is False


def test_override_takes_values_and_leaves_out_none():
    base = TrackerConfig(det_thresh=0.4)
    changed = base.override({"track_buffer": 60, "conf_thres": None, "det_thresh": None})
    assert changed == TrackerConfig(det_thresh=0.4, track_buffer=60)
    assert base == TrackerConfig(det_thresh=0.4)  # the original stays
    assert base.override({}) == base
    assert f"known are {', '.join(sorted(SETTINGS))}" in refusal(base.override, {"nothing": None})


def test_numbers_of_numpy_are_numbers():
    assert TrackerConfig().override({"det_thresh": np.float32(0.5), "track_buffer": np.int64(3)}).track_buffer == 3


@pytest.mark.parametrize("association", ASSOCIATIONS)
@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - {"association"}))
def test_an_option_without_effect_is_refused_by_name(association, name):
    config, value = TrackerConfig(association=association), other_value(name)
    assert config.uses(name) == (association in used_by(name))
    if config.uses(name):
        chosen = config.choose({name: value}, refine=True)
        assert value_of(chosen, name) == value and chosen == config.override({name: value}) != config
    else:
        message = refusal(config.choose, {name: value}, True)
        assert message.startswith(f"{name} has no effect with association {association}")
        assert f"only with {' and '.join(used_by(name))}:" in message
    assert config.choose({name: None}, refine=False) == config  # nobody asked for it


@pytest.mark.parametrize("name", [name for name in SETTINGS if name.startswith(REFINE)])
def test_an_option_of_the_refinement_without_it_is_refused_by_name(name):
    message = refusal(TrackerConfig().choose, {name: other_value(name)}, False)
    assert message.startswith(f"{name} has no effect without refine")


def test_the_association_chosen_with_an_option_counts():
    options = {"association": "jde", "track_buffer": 60}
    assert TrackerConfig().choose(options, refine=False) == TrackerConfig(**options)
    byte = {**options, "association": "byte"}
    assert "association byte" in refusal(TrackerConfig(association="jde").choose, byte, False)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        pytest.param({"association": ""}, "association must be", id="association"),
        pytest.param({"nothing": 1}, "unknown tracker option 'nothing'", id="unknown"),
        pytest.param({"refine": True}, "unknown tracker option 'refine'", id="what is no setting"),
        pytest.param({"det_thresh": 2}, "det_thresh must be a number", id="range before use"),
    ],
)
def test_choosing_refuses_what_overriding_does(options, part):
    assert part in refusal(TrackerConfig().choose, options, False)
    assert part in refusal(TrackerConfig().override, options)


@pytest.mark.parametrize(
    ("association", "kind"), [("fused", FusedTracker), ("byte", FusedTracker), ("jde", JDETracker)]
)
def test_each_association_has_its_tracker(association, kind):
    config = TrackerConfig(association=association, conf_thres=0.4)
    tracker = make_tracker(config, 12.0)
    assert type(tracker) is kind and tracker.config == config and tracker.num_identities == 0
    if kind is FusedTracker:
        assert tracker._use_appearance == (association == "fused") and tracker._frame_rate == 12.0


def test_the_command_line_sets_nothing_by_itself():
    """The file's values and the model's hold unless somebody says otherwise."""
    assert set(parsed().values()) == {None} and parsed().keys() == SETTINGS.keys()


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - FLAGS))
def test_the_command_line_takes_every_setting(name):
    value = other_value(name)
    assert parsed(f"--{name}", str(value)) == {**dict.fromkeys(SETTINGS), name: value}
    assert TRACKER[name].kind is type(SETTINGS[name].default)


@pytest.mark.parametrize("name", FLAGS)
def test_the_command_line_switches_flags_on_and_off(name):
    assert parsed(f"--{name}")[name] is True
    for word, value in {"False": False, "no": False, "off": False, "0": False, "True": True, "yes": True}.items():
        assert parsed(f"--{name}", word)[name] is value
    with pytest.raises(SystemExit):
        parsed(f"--{name}", "maybe")


@pytest.mark.parametrize("name", SETTINGS)
def test_help_tells_which_associations_use_a_setting(name):
    users = f" ({', '.join(used_by(name))})" if used_by(name) != ASSOCIATIONS else ""
    assert TRACKER[name].help == SETTINGS[name].metadata["help"] + users


def parse(name):
    parser = argparse.ArgumentParser()
    add_threshold_arguments(parser)
    return vars(parser.parse_args([f"--{name}", "0.5", "--conf_thres", "0.4"]))


@pytest.mark.parametrize("name", RETIRED)
@pytest.mark.parametrize("way", ["override", "choose", "file", "python", "command line"])
def test_a_retired_option_is_taken_without_effect_and_says_so_once(name, way, tmp_path, caplog):
    options = {name: 0.5, "conf_thres": 0.4}
    (tmp_path / "tracker.yml").write_text(yaml.safe_dump(options))
    with caplog.at_level(logging.WARNING):
        if way == "override":
            left = TrackerConfig().override(options)
        elif way == "choose":
            left = TrackerConfig().choose(options, refine=False)
        elif way == "file":
            left = TrackerConfig.load(tmp_path / "tracker.yml")
        else:
            _, settings = split(options if way == "python" else parse(name))
            left = TrackerConfig().choose(settings, refine=False)
    assert left == TrackerConfig(conf_thres=0.4)
    (record,) = caplog.records
    assert name in record.message


def test_a_retired_option_without_a_value_says_nothing(caplog):
    TrackerConfig().override(dict.fromkeys(RETIRED))
    assert not caplog.records
