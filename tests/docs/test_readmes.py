"""README.md is short, its Chinese twin says the same, and its way for newcomers leads to what it promises."""

import logging
import re
import subprocess

import av
import pytest

from tests.docs.pages import READMES, block_lines, code_blocks, read, split_line, without_blocks
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tracker import Predictor
from tracker.command import run_command

MOST_LINES, MOST_COLUMNS = 120, 120
SECTIONS = {
    "README.md": ["I. Basic Information", "II. Installation", "III. Module API Prediction", "IV. Server Deployment"],
    "README_cn.md": ["一、模型基本信息", "二、安装", "三、模型API预测", "四、服务部署"],
}
LAST = {"README.md": "V. Release Note", "README_cn.md": "五、更新历史"}


@pytest.mark.parametrize("page", READMES)
def test_it_is_short(page):
    lines = read(page).splitlines()
    assert len(lines) <= MOST_LINES
    assert not [line for line in lines if len(line) > MOST_COLUMNS and not line.strip().startswith("|")]


@pytest.mark.parametrize("page", READMES)
def test_it_has_the_sections_of_paddlehub(page):
    assert re.findall(r"^## (.+)$", read(page), re.MULTILINE) == [*SECTIONS[page], LAST[page]]


def test_both_show_the_same_code():
    for language in ("python", "shell"):
        english, chinese = (
            [re.sub(r"\s*#.*", "", block).strip() for block in code_blocks(page, language)] for page in READMES
        )
        assert english and english == chinese


def test_both_state_the_same_figures_names_and_links():
    def stated(page):
        text = without_blocks(page)
        rows = [line for line in text.splitlines() if line.strip().startswith("|")]
        figures = [re.findall(r"\d+(?:\.\d+)?", row) for row in rows]
        others = re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", "".join(set(text.splitlines()) - set(rows)))
        names = re.findall(r"`([^`]+)`", text)
        links = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text)
        return figures, sorted(others), sorted(names), sorted(link for link in links if "README" not in link[0])

    for english, chinese in zip(*map(stated, READMES)):
        assert english and english == chinese


def test_the_way_of_a_newcomer(tmp_path, monkeypatch, caplog, clip_frames):
    """What is typed after the installation makes a counted video with hidden heads, a report, and counts anew."""
    page = "README.md"  # its twin shows the same code
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO)
    write_video(tmp_path / "street.mp4", clip_frames, rate=10)
    first, second = [block for block in code_blocks(page, "shell") if "street" in block][:2]
    predictor, typed = Predictor("compact"), []
    for line in block_lines(first) + block_lines(second):
        words = list(split_line(line)[-1])
        if words[:3] == ["python", "-m", "tracker"]:
            typed.append(run_command(predictor, "tracker", words[3:]))
        elif words[0] == "echo":
            subprocess.run(["bash", "-c", line], check=True)
        else:
            assert words[0] in (".", "pip") and (words[0] == "." or (ROOT / words[-1]).exists()), line
    tracked, grid, counted = typed
    promised = re.findall(r"`((?:mot_result/)[\w/.]+)`", read(page))
    assert len(promised) == 2 and all((tmp_path / path).stat().st_size > 1000 for path in promised)
    assert tracked.frames == len(clip_frames) and tracked.people >= 4
    counts = (tmp_path / "mot_result" / "answers" / "street" / "counts.csv").read_text().splitlines()
    assert len(counts) == 2 and ",middle," in counts[1]
    assert "hidden in all pictures: everybody (head)" in caplog.text
    assert grid.picture.name == "grid.png" and (tmp_path / "grid.png").exists() and "middle" in str(counted)
    with av.open(str(tmp_path / promised[0])) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(clip_frames)
