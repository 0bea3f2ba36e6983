"""Models from elsewhere are tried in a process of their own: once, and what happens to it is told in one line."""

import json
import shutil
import signal
import subprocess

import pytest

from tests.attacks.hostile_folders import copy_of_the_bundled
from tracker.detection.backends import trial
from tracker.detection.backends.choice import open_network
from tracker.detection.backends.trial import try_out
from tracker.detection.detector import Model
from tracker.errors import ModelError, OptionError
from tracker.models.locate import COMPACT
from tracker.settings.model import ModelConfig
from tracker.settings.runtime import RuntimeOptions


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "hub"))


@pytest.fixture
def stranger(tmp_path):
    """The bundled model with one weight changed."""
    folder = copy_of_the_bundled(tmp_path / "model")
    path = folder / "embed.pdiparams"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    return folder


class Started:
    """In place of the start of processes: each ends as the first of `ends` says; where there is none it runs."""

    def __init__(self):
        self.seen, self.ends, self._run = [], [], trial.run_module

    def __call__(self, module, arguments, variables, timeout):
        self.seen.append(arguments)
        end = self.ends.pop(0) if self.ends else self._run(module, arguments, variables, timeout)
        if isinstance(end, Exception):
            raise end
        return end


@pytest.fixture
def started(monkeypatch):
    monkeypatch.setattr(trial, "run_module", found := Started())
    return found


def ended(code, stderr=""):
    return subprocess.CompletedProcess([], code, "", stderr)


def test_a_stranger_is_tried_once_until_it_changes(stranger, started):
    config = ModelConfig.load(stranger)
    for _ in range(2):
        assert open_network(stranger, config).description == "openvino fp32"
    assert len(started.seen) == 1
    open_network(stranger, config, RuntimeOptions(precision="fp32"))
    assert len(started.seen) == 2, "as another way to run it is"
    (stranger / "infer_cfg.yml").open("a").write("\n")
    open_network(stranger, config)
    assert len(started.seen) == 3


def test_another_input_size_is_tried_at_that_size(stranger, started):
    for _ in range(2):
        assert Model(stranger, RuntimeOptions(input_size=(640, 352))).config.letterbox.width == 640
    ((_, options),) = started.seen
    assert json.loads(options)["input_size"] == [640, 352]
    Model(stranger)
    assert len(started.seen) == 2
    with pytest.raises(OptionError, match="multiples of 32"):
        Model(stranger, RuntimeOptions(input_size=(641, 352)))
    assert len(started.seen) == 2


def test_the_bundled_model_and_copies_of_it_are_not_tried(tmp_path, started):
    try_out(COMPACT, RuntimeOptions())
    try_out(copy_of_the_bundled(tmp_path / "model"), RuntimeOptions())
    try_out(copy_of_the_bundled(tmp_path / "other", with_int8=True), RuntimeOptions())
    assert not started.seen


def test_models_made_here_are_not_tried(stranger, started):
    inside = trial.cache_folder() / "full"
    shutil.copytree(stranger, inside)
    try_out(inside, RuntimeOptions())
    assert not started.seen


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (ended(-signal.SIGSEGV), r"model is refused: it crashes what runs it \(SIGSEGV\)"),
        (ended(139), r"model is refused: it crashes what runs it \(exit code 139\)"),
        (ended(1, "noise\nerror: it is damaged\n"), r"^it is damaged$"),
        (ended(1), "model cannot be run"),
        (subprocess.TimeoutExpired("", 1), r"model is refused: it takes more than 45 s"),
        (OSError(12, "Cannot allocate memory"), r"model cannot be tried .*: Cannot allocate memory"),
    ],
)
def test_what_happens_to_the_process_is_told_in_one_line(stranger, started, end, message):
    for _ in range(2):  # and it is not remembered as one that was tried
        started.ends.append(end)
        with pytest.raises(ModelError, match=message) as caught:
            try_out(stranger, RuntimeOptions())
        assert "\n" not in str(caught.value)
    assert len(started.seen) == 2


def test_wrong_options_are_told_as_such(stranger, started, monkeypatch):
    started.ends.append(ended(trial.OTHER))
    with pytest.raises(OptionError, match="precision bf16 needs backend openvino"):
        open_network(stranger, ModelConfig.load(stranger), RuntimeOptions("paddle", "bf16"))
    try_out(stranger, RuntimeOptions())  # nothing is raised, for loading it will tell


def test_a_cache_that_cannot_be_written_does_no_harm(stranger, started, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "file"))
    for count in (1, 2):
        started.ends.append(ended(0))
        try_out(stranger, RuntimeOptions())
        assert len(started.seen) == count
