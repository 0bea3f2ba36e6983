"""Fixtures shared by the tests: the module as a user has it, installed from its archive into a home of its own."""

import logging
import os

import pytest

from tests.helpers.hub import NAME, run_hub
from tests.helpers.paths import CLIP


@pytest.fixture(autouse=True)
def level_of_the_log():
    """A command that a test runs logs more from then on, which the next test does not expect."""
    logger = logging.getLogger("tracker")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    from tools.make_archive import make_archive

    return make_archive(tmp_path_factory.mktemp("archive") / f"{NAME}.tar.gz")


@pytest.fixture(scope="session")
def hub_home(tmp_path_factory, archive):
    """A PaddleHub home with the module installed from its archive."""
    home = tmp_path_factory.mktemp("hub_home")
    done = run_hub(home, "install", archive)
    assert done.returncode == 0 and "Successfully installed" in done.stderr, done.stdout + done.stderr
    return home


@pytest.fixture(scope="session")
def module(hub_home):
    """The installed module with the compact model, as ``hub.Module`` gives it."""
    os.environ["HUB_HOME"] = str(hub_home)  # read when paddlehub is imported
    import paddlehub as hub

    return hub.Module(name=NAME, model="compact")


@pytest.fixture(scope="module")
def dynamic_mode():
    """Paddle as training needs it; the networks of a test before may have left it in static mode."""
    import paddle

    static = not paddle.in_dynamic_mode()
    paddle.disable_static()
    yield
    if static:
        paddle.enable_static()


@pytest.fixture(scope="session")
def clip_frames():
    """The first 30 pictures of the demo clip, BGR."""
    import av

    with av.open(str(CLIP)) as container:
        frames = []
        for picture in container.decode(video=0):
            frames.append(picture.to_ndarray(format="bgr24"))
            if len(frames) == 30:
                return frames
