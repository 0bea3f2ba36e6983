"""PaddleHub Serving: images posted to its web application come back as tracks, within limits."""

import base64
import contextlib
import json
import re
import socket
import struct
import threading
import time
import zlib

import cv2
import numpy as np
import pytest

from tests.helpers.hub import NAME
from tracker.settings.version import VERSION

URL = f"/predict/{NAME}"


@pytest.fixture(scope="module")
def app(module, tmp_path_factory):
    """The application that ``hub serving start`` runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("serving"))  # it logs into the current folder
        from paddlehub.serving.app_compat import create_app

        info = {"method_name": module.serving_func_name, "category": "CV", "version": VERSION, "module": module}
        yield create_app(configs={NAME: {**info, "predict_args": {}, "init_args": {}, "name": NAME}})


@pytest.fixture
def post(app):
    """Posts an object as JSON, or a body as it is, and returns the answer."""

    def send(body, **options):
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        response = app.test_client().post(URL, data=body, **{"content_type": "application/json", **options})
        assert response.status_code == 200
        return response.get_json()

    return send


@pytest.fixture
def limited(module, monkeypatch):
    """Sets limits of the server for one test."""
    from_mapping, options = type(module).__init__.__globals__["from_mapping"], type(module.serving_options)

    def set_limits(**limits):
        monkeypatch.setattr(module, "serving_options", from_mapping(options, limits))
        assert module.serving_func_name == "serving_method"  # as at the start of the server

    yield set_limits
    monkeypatch.undo()
    assert module.serving_func_name


def encoded(data):
    return base64.b64encode(data).decode()


def jpeg(frame):
    return cv2.imencode(".jpg", frame)[1].tobytes()


def png_header(width, height):
    """The beginning of a PNG that states a size; there are no pixels behind it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.fixture(scope="module")
def image(clip_frames):
    return encoded(jpeg(clip_frames[0]))


def test_posted_images_are_tracked(post, clip_frames):
    answer = post({"images": [encoded(jpeg(f)) for f in clip_frames[:3]], "frame_rate": 10})
    assert answer["status"] == "000", answer
    assert [entry["frame"] for entry in answer["results"]] == [1, 2, 3]
    first, last = answer["results"][0], answer["results"][2]
    assert len(first["ids"]) == 3 == len(first["boxes"]) == len(first["scores"]) and set(first["ids"]) == set(
        last["ids"]
    )
    assert np.abs(np.array(first["boxes"]) - np.array(last["boxes"])).max() < 20


@pytest.mark.parametrize(
    ("posted", "message"),
    [
        ({}, "images must be a list of base64 texts, not NoneType"),
        ({"images": "text"}, "images must be a list"),
        ({"images": ["*"]}, "image 1 is not base64"),
        ({"images": [3]}, "image 1 is not base64"),
        ({"images": [None]}, "image 1 is not base64"),
        ({"images": ["\ud800"]}, "image 1 is not base64"),
        ({"images": ["/etc/passwd"]}, "image 1 is n"),
        ({"images": [encoded(b"text")]}, "image 1 is no image file"),
        ({"images": [encoded(jpeg(np.zeros((64, 64, 3), np.uint8))[:-20])]}, "image 1 is no image file: it is cut off"),
        ({"images": [encoded(png_header(8, 8))]}, "image 1 is no image file: it is damaged"),
        ({"images": [encoded(png_header(60000, 60000))]}, "image 1 has 60000 x 60000 pixels"),
        ({"images": [], "self": 1}, "unknown option 'self'"),
        ({"images": [], "frame_rate": -1}, "frame_rate must be a positive number"),
        ({"images": [], "association": ["fused"]}, "association must be"),
        ({"images": [], "nms_top_k": 10**15}, "nms_top_k must be a whole number from 1 to 4096"),
        ({"images": [], "keep_top_k": 10**400}, "keep_top_k must be a whole number from 1 to 2000"),
        ({"images": [], "min_overlap": 0.2, "association": "jde"}, "min_overlap"),
    ],
)
def test_bad_requests_say_why(post, posted, message):
    answer = post(posted)
    assert answer["status"] == "101" and message in answer["msg"] and answer["results"] == ""
    assert "\n" not in answer["msg"]


FORBIDDEN = """output_dir sinks tracker_config progress detector use_gpu name visualization draw_threshold refine model
threads backend refine_gap nonsense __class__"""


@pytest.mark.parametrize("name", FORBIDDEN.split())
def test_clients_set_nothing_but_thresholds(post, tmp_path, name):
    answer = post({"images": [], name: str(tmp_path / "stolen")})
    assert answer["status"] == "101" and answer["msg"].startswith(f"unknown option '{name}'; a client may set frame_")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (" ", "no JSON"),
        ("{", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        ('{"images": [], "frame_rate": 1' + "0" * 5000 + "}", "no JSON"),
        ("[" * 100_000, "post one object"),
        ('{"images":' * 2000 + "1" + "}" * 2000, "post one object"),
        ('{"images": [' + "[]," * 100_000 + "[]]}", "post one object"),
        ('{"images": [' + '"aa",' * 100_000 + '""]}', "post one object"),
        ("null", "post an object"),
        ("[]", "post an object"),
        ('"x"', "post an object"),
    ],
)
def test_bodies_that_are_no_request(post, body, message):
    answer = post(body)
    assert answer["status"] == "101" and message in answer["msg"]


def test_body_of_another_kind_or_without_a_size(post):
    assert "Content-Type" in post("a=1", content_type="application/x-www-form-urlencoded")["msg"]
    assert "Content-Length" in post("{}", content_length=None, headers={"Transfer-Encoding": "chunked"})["msg"]


def test_limits_can_be_set(post, limited, image):
    limited(max_images=2)
    assert post({"images": [image] * 2})["status"] == "000"
    assert "3 images are more than the 2" in post({"images": [image] * 3})["msg"]
    limited(max_body_bytes=1000)
    assert "is more than the 1000 that a request may have" in post({"images": [image]})["msg"]
    limited(max_pixels=100)
    assert "pixels, more than the 100 allowed" in post({"images": [image]})["msg"]
    limited(max_seconds=0.001)
    answer = post({"images": [image] * 100})["msg"]
    assert "of 100 images took the 0.001 seconds that a request may take" in answer


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_images": 0}, "max_images must be a whole number of at least 1, not 0"),
        ({"max_pixels": "many"}, "max_pixels must be a whole number"),
        ({"unknown": 1}, "unknown setting unknown; known are max_body_bytes"),
    ],
)
def test_limits_are_checked(limited, limits, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        limited(**limits)


def test_one_image_is_decoded_at_a_time(post, module, monkeypatch, image):
    """So that what a request takes does not grow with the number of its images."""
    order = []
    real_decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *a: order.append("decode") or real_decode(*a))
    stream = type(module.stream_mode(None))
    real_track = stream._track
    monkeypatch.setattr(stream, "_track", lambda *a: order.append("track") or real_track(*a))
    assert post({"images": [image] * 3})["status"] == "000"
    assert order == ["decode", "track"] * 3


def test_an_image_is_unpacked_once(post, monkeypatch, image):
    unpacked, real = [], base64.b64decode
    monkeypatch.setattr(base64, "b64decode", lambda *a, **k: unpacked.append(1) or real(*a, **k))
    assert post({"images": [image] * 3})["status"] == "000" and len(unpacked) == 3
    assert "image 2 is no image file" in post({"images": [image, "AAAA", image]})["msg"]


def test_answers_tell_nothing_about_the_server(post, module, monkeypatch, image):
    def fail(*_, **__):
        raise OSError(2, "No such file or directory", "/root/secret/model.pdmodel")

    monkeypatch.setattr(module, "load_model", fail)
    answer = post({"images": [image]})
    assert answer["status"] == "101" and answer["msg"] == "the server failed at this request: its log says why"
    monkeypatch.setattr(module, "backend", "/root/secret")
    assert "secret" not in post({"images": [image]})["msg"]


@pytest.fixture
def server(app, limited):
    """The application on a port of this machine, one request at a time as PaddleHub runs it."""
    from werkzeug.serving import make_server

    limited(idle_seconds=1)
    server = make_server("127.0.0.1", 0, app, threaded=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address
    server.shutdown()
    thread.join()
    server.server_close()


def request(body):
    head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body.encode()


def answer_of(address, body):
    with socket.create_connection(address, 60) as client:
        client.sendall(request(body))
        text = b"".join(iter(lambda: client.recv(65536), b""))
    return json.loads(text.partition(b"\r\n\r\n")[2])


def test_work_for_a_client_that_has_gone_stops(server, module, monkeypatch, image):
    stream = type(module.stream_mode(None))
    tracked, begun, gone = [], threading.Event(), threading.Event()
    real_track = stream._track

    def track(*arguments):
        tracked.append(1)
        begun.set()
        assert gone.wait(60)
        return real_track(*arguments)

    monkeypatch.setattr(stream, "_track", track)
    with socket.create_connection(server, 60) as client:
        client.sendall(request(json.dumps({"images": [image] * 50})))
        assert begun.wait(60)
    gone.set()
    assert answer_of(server, json.dumps({"images": []}))["status"] == "000"
    assert len(tracked) == 1


@pytest.mark.parametrize(
    "begun", [b"POST /predict/x HTTP/1.1\r\nX-Long: ", request("x" * 500)[:-490]], ids=["head", "body"]
)
def test_client_that_sends_byte_by_byte_does_not_stop_others_for_long(server, limited, image, begun):
    limited(max_seconds=1, idle_seconds=1)
    with socket.create_connection(server, 60) as slow:
        slow.sendall(begun)
        stop = threading.Event()

        def drip():
            with contextlib.suppress(OSError):  # the server has closed it
                while not stop.wait(0.2):
                    slow.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        time.sleep(0.3)
        assert answer_of(server, json.dumps({"images": [image]}))["status"] == "000"
        stop.set()
        dripping.join()


def test_client_that_says_nothing_does_not_stop_others_for_long(server, image):
    with socket.create_connection(server, 60) as silent:
        silent.sendall(b"POST /predict/x HTTP/1.1\r\n")
        began = time.monotonic()
        assert answer_of(server, json.dumps({"images": [image]}))["status"] == "000"
    assert time.monotonic() - began < 20
