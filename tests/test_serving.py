"""PaddleHub Serving: images posted to its web application come back as tracks."""

import base64

import cv2
import numpy as np
import pytest

from tests.helpers.hub import NAME


@pytest.fixture(scope="module")
def client(module, tmp_path_factory):
    """A client of the application that ``hub serving start`` runs, without a port."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("serving"))  # it logs into the current folder
        from paddlehub.serving.app_compat import create_app

        info = {"method_name": module.serving_func_name, "category": "CV", "version": "2.0.0", "module": module}
        app = create_app(configs={NAME: {**info, "predict_args": {}, "init_args": {}, "name": NAME}})
        yield app.test_client()


def encoded(frame):
    return base64.b64encode(cv2.imencode(".jpg", frame)[1].tobytes()).decode()


def test_posted_images_are_tracked(client, clip_frames):
    posted = {"images": [encoded(f) for f in clip_frames[:3]], "frame_rate": 10}
    answer = client.post(f"/predict/{NAME}", json=posted).get_json()
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
        ({"images": ["*"]}, "image 1 is not base64"),
        ({"images": [3]}, "image 1 is not base64"),
        ({"images": [base64.b64encode(b"text").decode()]}, "image 1 is no image file"),
        ({"images": "text"}, "images must be a list"),
        ({"images": [], "nonsense": 1}, "unknown option 'nonsense'"),
        ({"images": [], "name": "../../up"}, "name must be a plain file name"),
    ],
)
def test_bad_requests_say_why(client, posted, message):
    answer = client.post(f"/predict/{NAME}", json=posted).get_json()
    assert answer["status"] == "101" and message in answer["msg"]
