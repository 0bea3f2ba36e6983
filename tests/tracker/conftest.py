"""The command in this process, and a clip for it."""

import pytest

from tests.helpers.videos import write_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory, clip_frames):
    """A clip of five frames."""
    return write_video(tmp_path_factory.mktemp("clip") / "street.mp4", clip_frames[:5], rate=10)


class Command:
    """The command in this process: what ``hub run`` calls with its arguments."""

    def __init__(self, module, capsys, folder):
        self.module, self.capsys, self.folder = module, capsys, folder
        self.text = folder / "mot_results" / "street.txt"
        self.video = folder / "mot_outputs" / "street_vis.mp4"

    def __call__(self, *arguments, model="compact"):
        """The exit code, with the result where it is 0; what was printed is in ``out`` and ``err`` afterwards."""
        try:
            words = [*map(str, arguments), "--model", str(model), "--output_dir", str(self.folder)]
            self.result = self.module.run_cmd(words)
            code = 0
        except SystemExit as end:
            code = end.code
        self.out, self.err = self.capsys.readouterr()
        return code


@pytest.fixture
def command(module, capsys, tmp_path):
    names = ("model", "threads", "backend", "precision", "input_size", "_loaded")
    kept = {name: getattr(module, name) for name in names}
    capsys.readouterr()
    yield Command(module, capsys, tmp_path / "out")
    vars(module).update(kept)
