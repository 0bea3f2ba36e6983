"""The archive for ``hub install``: what it holds, and its life in a PaddleHub home."""

import ast
import io
import json
import os
import re
import subprocess
import sys
import tarfile

import pytest

from tests.helpers.hub import NAME
from tests.helpers.paths import ROOT
from tests.helpers.videos import write_video
from tools import make_archive
from tracker.settings.version import VERSION

LEFT_OUT = {"demo/tour.ipynb"}  # of what README links to: it needs the clip, which is large

OLD_MODULE = """
import paddlehub as hub
from paddlehub.module.module import moduleinfo

from . import old_helper


@moduleinfo(
    name="jde_darknet53_30e_1088x608",
    type="CV/multiple_object_tracking",
    author="paddlepaddle",
    author_email="",
    summary="An older one.",
    version="2.0.0",
)
class JDE(hub.Module):
    pass
"""

# What several commands would do one after the other, in one process, for each takes many seconds to start.
LIFE = """
import json, pathlib, sys

import paddlehub as hub
from paddlehub.module.manager import LocalModuleManager

old, new, clip, output = sys.argv[1:]
name = "jde_darknet53_30e_1088x608"
manager = LocalModuleManager()
home = pathlib.Path(manager.home, name)
found = {"path": sys.path[:]}


def files():
    return sorted(p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file() and p.suffix != ".pyc")


def forget():
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        del sys.modules[module]


found["old"] = str(manager.install(archive=old).version)
found["old files"] = files()
forget()
found["new"] = str(manager.install(archive=new).version)
forget()
manager._local_modules.clear()
found["searched"] = str(manager.search(name).version)
module = hub.Module(name=name, model="compact")
found["loaded"] = str(module.version)
result = module.mot_predict(clip, output_dir=output, visualization=False)
found["frames"], found["people"] = result.frames, result.people
found["model"] = str(result.model_path)
found["home"] = str(home)
found["sources"] = [
    m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] in (name, "tracker", "module") and m.__file__
]
found["ppdet"] = "ppdet" in sys.modules
found["new files"] = files()
found["uninstalled"] = manager.uninstall(name)
found["left"] = home.exists()
found["again"] = manager.uninstall(name)
print("FOUND" + json.dumps(found))
"""


def names(archive):
    with tarfile.open(archive) as tar:
        return [member.name.removeprefix(f"{NAME}/") for member in tar.getmembers()]


def test_it_holds_what_a_user_needs(archive):
    found = names(archive)
    assert len(set(found)) == len(found) and found == sorted(found)
    needed = {"module.py", "README.md", "README_cn.md", "LICENSE", "requirements.txt", "config/tracker.yml"}
    needed |= {"config/jde_darknet53_30e_1088x608.yml", "tools/export_model.py", "tools/eval_mot.py"}
    needed |= {
        f"weights/jde_compact/{graph}.{kind}" for graph in ("model", "embed") for kind in ("pdmodel", "pdiparams")
    }
    needed |= {"weights/jde_compact/infer_cfg.yml", "weights/README.md"}
    needed |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "tracker").rglob("*.py")}
    assert needed <= set(found)


def test_it_holds_nothing_else(archive):
    tops = {name.partition("/")[0] for name in names(archive)}
    assert tops == {
        *("module.py", "README.md", "README_cn.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"),
        "requirements.txt",
        *(f"requirements-{name}.txt" for name in ("light", "mqtt", "onnx", "page", "quantize", "ray")),
        *("config", "demo", "docs", "tracker", "tools", "weights"),
    }
    for name in names(archive):
        assert "__pycache__" not in name and not name.endswith(".pyc")
        assert not any(part.startswith(".") for part in name.split("/"))
        assert not name.startswith("config/train") and not name.endswith((".pdparams", ".npz")), "that is for training"


def imported(source):
    """Modules that a text imports by their full names, those within functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def test_nothing_in_it_imports_what_stays_out(archive):
    found = set(names(archive))
    for name in (name for name in found if name.endswith(".py")):
        for module in imported((ROOT / name).read_text()):
            if module.partition(".")[0] in ("tools", "training", "tests"):
                path = module.replace(".", "/")
                assert {f"{path}.py", f"{path}/__init__.py"} & found, f"{name} imports {module}"


# runs two of its tools in one process, for each takes a second to start
RUN_TOOLS = """
import runpy, sys

folder, gt, result, missing = sys.argv[1:]


def run(tool, *arguments):
    sys.argv = [tool, *arguments]
    try:
        runpy.run_path(f"{folder}/tools/{tool}.py", run_name="__main__")
    except SystemExit as end:
        print(tool, end.code)


run("eval_mot", "--gt", gt, "--result", result)
run("quantize", "--help")
run("export_model", "-c", missing, "--weights", missing, "--output", missing)
print(*{module.__file__ for name, module in sys.modules.items() if name.startswith(("tools.", "tracker."))})
"""


def test_its_tools_work_without_the_project(archive, tmp_path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    folder, case = tmp_path / NAME, ROOT / "tests" / "data" / "mot_case"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    arguments = [folder, case / "gt.txt", case / "result.txt", tmp_path / "none.yml"]
    command = [sys.executable, "-c", RUN_TOOLS, *map(str, arguments)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert {"eval_mot 0", "quantize 0", "export_model 1"} <= set(lines), done.stderr
    assert lines[0].split()[:2] == ["sequence", "MOTA"]
    assert done.stderr.splitlines()[-1].startswith("error: ") and "none.yml" in done.stderr
    assert all(path.startswith(str(folder)) for path in lines[-1].split())


def test_everything_lies_in_one_folder_of_plain_files(archive):
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            assert member.isfile() and member.name.startswith(f"{NAME}/") and ".." not in member.name
            assert member.mode == 0o644 and (member.uid, member.gid, member.mtime) == (0, 0, 0)
            content = (ROOT / member.name.removeprefix(f"{NAME}/")).read_bytes()
            assert tar.extractfile(member).read() == content


def test_it_is_small(archive):
    assert archive.stat().st_size < 13e6


def test_the_same_files_give_the_same_bytes(archive, tmp_path):
    again = make_archive.make_archive(tmp_path / "not" / "there" / "other name.tar.gz")
    assert again.read_bytes() == archive.read_bytes()
    assert [path.name for path in again.parent.iterdir()] == [again.name]


def test_times_and_rights_of_the_files_do_not_matter(tmp_path, monkeypatch):
    monkeypatch.setattr(make_archive, "ROOT", tmp_path)
    monkeypatch.setattr(make_archive, "CONTENTS", ("module.py", "tracker/**/*.py"))
    (tmp_path / "tracker").mkdir()
    for name in ("module.py", "tracker/b.py", "tracker/a.py"):
        (tmp_path / name).write_text(name)
    first = make_archive.make_archive(tmp_path / "1.tar.gz").read_bytes()
    os.utime(tmp_path / "module.py", (1, 1))
    (tmp_path / "module.py").chmod(0o600)
    assert make_archive.make_archive(tmp_path / "2.tar.gz").read_bytes() == first
    (tmp_path / "module.py").write_text("changed")
    assert make_archive.make_archive(tmp_path / "2.tar.gz").read_bytes() != first


def test_a_missing_part_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(make_archive, "ROOT", tmp_path)
    (tmp_path / "module.py").touch()
    assert make_archive.main(["--output", str(tmp_path / "a.tar.gz")]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {tmp_path / 'requirements.txt'} is missing") and printed.out == ""
    assert not (tmp_path / "a.tar.gz").exists()


def test_the_command_tells_where_the_archive_is(tmp_path, capsys):
    assert make_archive.main(["--output", str(tmp_path / "a.tar.gz")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'a.tar.gz'}\n" and (tmp_path / "a.tar.gz").exists()


def test_what_its_documents_link_to_is_in_it(archive):
    found = set(names(archive))
    for name in ("README.md", "README_cn.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / name).read_text())
        assert links and not {link for link in links if link not in {*found, *LEFT_OUT}}


@pytest.fixture(scope="module")
def life(archive, clip_frames, tmp_path_factory):
    """What was seen while an older version, then this one was installed, used far from the project, and removed."""
    folder = tmp_path_factory.mktemp("life")
    with tarfile.open(folder / "old.tar.gz", "w:gz") as tar:
        for name, content in (("module.py", OLD_MODULE), ("old_helper.py", ""), ("tracker/old_part.py", "")):
            entry = tarfile.TarInfo(f"{NAME}/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content.encode()))
    clip = write_video(folder / "street.mp4", clip_frames[:2], rate=10)
    environment = {**os.environ, "HUB_HOME": str(folder / "home")}
    environment.pop("PYTHONPATH", None)
    arguments = [folder / "old.tar.gz", archive, clip, folder / "out"]
    done = subprocess.run(
        [sys.executable, "-c", LIFE, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND")] or [pytest.fail(done.stderr)]
    return json.loads(line.removeprefix("FOUND"))


@pytest.mark.slow
def test_it_takes_the_place_of_an_older_version(life, archive):
    assert life["old"] == "2.0.0" and life["old files"] == ["module.py", "old_helper.py", "tracker/old_part.py"]
    assert life["new"] == life["searched"] == life["loaded"] == VERSION
    assert life["new files"] == sorted(names(archive)), "a file of the older version stays, or one is missing"


@pytest.mark.slow
def test_it_runs_without_the_project(life):
    assert str(ROOT) not in life["path"] and life["frames"] == 2 and life["people"] >= 3
    assert len(life["sources"]) > 20 and all(source.startswith(life["home"]) for source in life["sources"])
    assert life["model"].startswith(life["home"])


@pytest.mark.slow
def test_tracking_does_not_import_ppdet(life):
    assert life["ppdet"] is False


@pytest.mark.slow
def test_uninstalling_leaves_nothing(life):
    assert life["uninstalled"] is True and life["left"] is False and life["again"] is False
