"""The page in Chromium: drawn on, uploaded to, watched; in two sizes, two languages, light and dark."""

import json
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.helpers.paths import CLIP
from tests.tracker.web.conftest import SCENE, serving, video_page, walk_through
from tests.tracker.web.test_serve import Started
from tracker.analysis.scene import load_scene
from tracker.pipeline.analyse import analyse
from tracker.web.guard import Access
from tracker.web.live.sink import LiveSink
from tracker.web.scenes.easels import CameraEasel, SourceEasel
from tracker.web.site import Site

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHOTS = os.environ.get("PAGE_SHOTS")  # a folder to keep pictures of the page in, to look at
PATIENCE = 600_000  # milliseconds for tracking the clip, on a machine that has other work too


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium: apt-get install chromium")
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A tab that must ask nobody but the page, and have no error."""

    def __init__(self, chromium, address, width=1280, height=860, **options):
        self.context = chromium.new_context(
            viewport={"width": width, "height": height}, **{"locale": "en-GB", **options}
        )
        self.tab, self.address = self.context.new_page(), address
        self.errors, self.asked = [], set()
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        self.tab.on("request", lambda request: self.asked.add(request.url.partition("?")[0]))

    def open(self, place=""):
        self.tab.goto(f"{self.address}/{place}")
        return self.tab

    def keep(self, name):
        """Keep a picture where one is asked for; no part of the page may be wider than it."""
        width = self.tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{name} is {width} pixels too wide"
        if SHOTS:
            self.tab.screenshot(path=str(Path(SHOTS) / f"{name}.png"))

    def close(self):
        foreign = {url for url in self.asked if not url.startswith((self.address, "data:", "blob:"))}
        assert self.errors == [] and foreign == set()
        self.context.close()


@contextmanager
def opened(chromium, address, **options):
    tab = Tab(chromium, address, **options)
    yield tab
    tab.close()


def until(done):
    """Wait until something is so."""
    for _ in range(300):
        if done():
            return
        time.sleep(0.1)
    raise AssertionError("it never was so")


def at(tab, x, y):
    """The pixel of the tab where a fraction of the drawn picture is."""
    box = tab.locator(".sheet").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def click(tab, *points):
    for point in points:
        tab.mouse.click(*at(tab, *point))


def test_a_clip_is_uploaded_drawn_on_and_counted(chromium, tmp_path):
    server = Started("serve", "--model", "compact", "--port", 0, "--output_dir", tmp_path, seconds=PATIENCE / 1000)
    with opened(chromium, server.address) as page:
        tab = page.open("#/videos")
        tab.set_input_files("input[type=file]", str(CLIP))
        tab.wait_for_selector(".job .pill.running", timeout=PATIENCE)
        page.keep("videos")
        tab.wait_for_selector(".job .pill.done", timeout=PATIENCE)
        tab.click("text=Watch")
        tab.wait_for_selector(".timeline .person")
        page.keep("result")
        tab.click("text=Draw lines and zones")
        tab.wait_for_selector(".stage[style*=width]")
        tab.click("[data-tool=line]")
        click(tab, (0.4, 0.3), (0.4, 0.6))
        tab.keyboard.press("Enter")
        tab.click("[data-tool=zone]")
        click(tab, (0.42, 0.36), (0.7, 0.36), (0.88, 0.55), (0.88, 0.72), (0.42, 0.53), (0.42, 0.36))
        tab.wait_for_selector(r".status >> text=/\d+ people/")  # the last digit of a network differs between processors
        page.keep("draw")
        shown = tab.locator(".panel .num").all_text_contents()
        tab.click("#save")
        tab.wait_for_selector("#toast.shown")
        id = tab.evaluate("location.hash").rpartition("%3A")[2]
        scene = tab.evaluate(f"fetch('/api/easels/video:{id}').then((answer) => answer.json())")["scene"]
        tab.goto(f"{server.address}/#/videos/{id}")
        tab.wait_for_selector(".counts tr")
        told = tab.locator(".counts td").all_text_contents()
        tab.click(".timeline .person >> nth=3")
        until(lambda: tab.evaluate("document.querySelector('video').currentTime") > 0.5)
    server.end(15)
    assert list(scene["lines"]) == ["line 1"] and list(scene["zones"]) == ["zone 1"]
    assert scene["lines"]["line 1"]["points"][0] == pytest.approx([0.4, 0.3], abs=0.003)
    text = tmp_path / "videos" / id / "mot_results" / "video.txt"
    expected = analyse(text, scene, output_dir=tmp_path / "again")
    ways = [f"{way['direction']} {way['count']}" for way in expected.lines]
    assert shown[0] == " · ".join(ways) and all(way in told[0] for way in ways)
    assert int(shown[1].split()[0]) == int(told[1].split()[0]) > 5
    summary = json.loads((tmp_path / "videos" / id / "answers" / "video" / "summary.json").read_text())
    assert summary["lines"] == expected.lines


@pytest.fixture
def drawing(short_clip, tmp_path):
    site = Site(easels={"source": SourceEasel(str(short_clip), tmp_path / "scene.yml")})
    with serving(site) as page:
        yield page, tmp_path / "scene.yml"


def test_dragging_renaming_turning_and_undoing(chromium, drawing):
    page, file = drawing
    with opened(chromium, page.address) as view:
        tab = view.open()
        tab.click("[data-tool=line]")
        click(tab, (0.2, 0.5), (0.8, 0.5))
        tab.keyboard.press("Enter")
        assert tab.locator(".label").all_text_contents() == ["in", "out"]
        tab.get_by_label("Name", exact=True).fill("door")
        tab.get_by_label("Along the arrow").fill("entered")
        tab.keyboard.press("Tab")
        tab.click("#turn")
        # the first point is the last now: drag it, and put a new one into the middle
        tab.mouse.move(*at(tab, 0.8, 0.5))
        tab.mouse.down()
        tab.mouse.move(*at(tab, 0.9, 0.7), steps=4)
        tab.mouse.up()
        tab.mouse.move(*at(tab, 0.55, 0.6))
        tab.mouse.down()
        tab.mouse.move(*at(tab, 0.5, 0.4), steps=4)
        tab.mouse.up()
        assert tab.locator(".handle").count() == 3
        tab.keyboard.press("Control+z")
        assert tab.locator(".handle").count() == 2
        tab.keyboard.press("Control+Shift+z")
        tab.keyboard.press("Control+s")
        tab.wait_for_selector("#toast.shown")
    line = yaml.safe_load(file.read_text())["lines"]
    assert list(line) == ["door"] and (line["door"]["in"], line["door"]["out"]) == ("entered", "out")
    for found, expected in zip(line["door"]["points"], [[0.9, 0.7], [0.5, 0.4], [0.2, 0.5]], strict=True):
        assert found == pytest.approx(expected, abs=0.01)


def test_regions_and_the_floor(chromium, drawing):
    page, file = drawing
    with opened(chromium, page.address) as view:
        tab = view.open()
        tab.click("[data-tool=ignore]")
        click(tab, (0.7, 0.1), (0.9, 0.1), (0.9, 0.3), (0.7, 0.1))
        tab.click("[data-tool=plane]")
        click(tab, (0.3, 0.5), (0.7, 0.5), (0.9, 0.9), (0.1, 0.9))
        tab.fill("#field-Point-3-x-2-0", "5")
        tab.keyboard.press("Tab")
        tab.click("#save")
        tab.wait_for_selector("#toast.shown")
    scene = load_scene(file)
    assert len(scene.ignore) == 1 and scene.plane.metres[2] == (5, 6)


def test_without_a_mouse(chromium, drawing):
    page, file = drawing
    with opened(chromium, page.address) as view:
        tab = view.open()
        tab.wait_for_selector("[data-tool=zone]")
        tab.focus("[data-tool=zone]")
        tab.keyboard.press("Enter")
        tab.focus(".handle >> nth=0")
        for _ in range(4):
            tab.keyboard.press("ArrowLeft")
        tab.keyboard.press("Shift+ArrowUp")
        tab.focus(".handle >> nth=1")
        tab.keyboard.press("Delete")
        tab.focus("#save")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#toast.shown")
    points = yaml.safe_load(file.read_text())["zones"]["zone 1"]["points"]
    assert points == [[0.33, 0.35], [0.65, 0.7], [0.35, 0.7]]


def test_what_is_wrong_is_said_while_drawing(chromium, drawing):
    page, _ = drawing
    with opened(chromium, page.address) as view:
        tab = view.open()
        tab.click("[data-tool=zone]")
        click(tab, (0.2, 0.2), (0.8, 0.8), (0.8, 0.2), (0.2, 0.8))
        tab.keyboard.press("Enter")
        tab.wait_for_selector(".status.bad")
        assert "cuts itself" in tab.inner_text(".status")
        view.errors.clear()  # the browser reports every answer 400


def test_logging_in(chromium):
    with serving(Site(), Access.on("127.0.0.1", "a token to know")) as page:
        view = Tab(chromium, page.address, width=390, color_scheme="dark")
        tab = view.open()
        view.keep("login_390")
        tab.fill("#token", "another token")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("text=That is not the token.")
        tab.fill("#token", "a token to know")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("text=This server has nothing to show yet.")
        view.errors.clear()  # the browser reports every answer 401
        view.close()


@pytest.fixture
def everything(tmp_path, walk, short_clip):
    """A page with a camera, a finished video and a scene, that needs no network."""
    with video_page(tmp_path / "videos", walk) as page:
        sink = LiveSink("gate", load_scene(SCENE.both), page.site.events, title="Gate")
        walk_through(sink, 15)
        page.site.live["gate"] = sink
        page.site.easels["camera:gate"] = CameraEasel(sink, tmp_path / "gate.yml")
        page.video = page.upload(short_clip)["id"]
        page.wait(page.video)
        page.json(f"/api/easels/video:{page.video}", "PUT", json=SCENE.both)
        yield page


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_view_fits_in_both_languages(chromium, everything, language, width, scheme):
    with opened(chromium, everything.address, width=width, color_scheme=scheme) as page:
        views = {
            "live": ("#/live", ".figures b"),
            "videos": ("#/videos", ".job .pill.done"),
            "result": (f"#/videos/{everything.video}", ".timeline .person"),
            "draw": ("#/draw/camera%3Agate", ".panel .row"),
        }
        for name, (place, ready) in views.items():
            tab = page.open(f"?lang={language}{place}")
            tab.wait_for_selector(ready)
            tab.wait_for_timeout(300)
            text = tab.inner_text("body")
            assert ("场景" in text) == (language == "zh") and ("Scenes" in text) == (language == "en")
            page.keep(f"{name}_{width}_{language}")
        page.open("docs").wait_for_selector(".call")
        page.keep(f"docs_{width}")


def test_the_live_picture_is_new(chromium, everything):
    sink = everything.site.live["gate"]
    with opened(chromium, everything.address) as page:
        tab = page.open("#/live")
        tab.wait_for_selector(".view img:not(.empty)")
        event = {"event": "crossed", "camera": "gate", "id": 3, "line": "door", "direction": "east"}
        everything.site.events.add({**event, "time": None, "seconds": 2})
        tab.wait_for_selector("text=Person 3 crossed door: east")
        sink.failed("no signal")
        tab.wait_for_selector(".pill.failed")
        assert "no signal" in tab.inner_text(".camera")
