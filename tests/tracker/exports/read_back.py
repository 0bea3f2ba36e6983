"""Read exports with the libraries of the tools that they are for, and print them as JSON; runs in an environment of
its own: ``pip install datumaro pycocotools label-studio-sdk``.

    python read_back.py FOLDER NAME

The JSON is {format: [[frame from 0, id or null, left, top, width, height, outside], ...]}.
"""

import json
import sys
import zipfile
from pathlib import Path

import datumaro
from label_studio_sdk.label_interface import LabelInterface

CONFIG = """<View>
  <Labels name="labels" toName="video"><Label value="person"/></Labels>
  <Video name="video" value="$video"/>
  <VideoRectangle name="box" toName="video"/>
</View>"""


def boxes(path, format, frame_of):
    rows = []
    for item in datumaro.Dataset.import_from(str(path), format):
        for box in item.annotations:
            known = box.attributes
            identity = known.get("track_id")
            outside = bool(known.get("outside"))
            rows.append([frame_of(item), identity, *map(float, box.get_bbox()), outside])
    return rows


def main(folder, name):
    found = {"cvat": boxes(folder / f"{name}_cvat.xml", "cvat", lambda item: item.attributes["frame"])}
    with zipfile.ZipFile(folder / f"{name}_mot.zip") as archive:
        archive.extractall(folder / "unpacked")
    found["mot"] = boxes(folder / "unpacked", "mot_seq", lambda item: int(item.id) - 1)

    def by_name(item):
        return int(item.id.rpartition("_")[2])

    found["coco"] = boxes(folder / f"{name}_coco", "coco", by_name)
    found["yolo"] = boxes(folder / f"{name}_yolo", "yolo", by_name)
    (task,) = json.loads((folder / f"{name}_labelstudio.json").read_text())
    interface = LabelInterface(CONFIG)
    errors = [error for one in task["predictions"] for error in interface.validate_prediction(one, return_errors=True)]
    found["labelstudio_errors"] = errors
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
