"""Fields that declare what they accept, and dataclasses built from mappings of YAML."""

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from tracker.errors import OptionError
from tracker.settings.checks import (
    REQUIRED,
    check_flag,
    check_number,
    check_positive,
    check_settings,
    check_text,
    check_whole,
    choice,
    flag,
    from_mapping,
    number,
    setting,
    shown,
    text,
    whole,
)


def check_even(name, value):
    if check_whole(name, value) % 2:
        raise OptionError(f"{name} must be even, not {value}")


@dataclass(frozen=True)
class Wheel:
    radius: float = number(REQUIRED, "metres", 0.1, 2)
    spokes: int = setting(20, "number of spokes", check_even)

    def __post_init__(self):
        check_settings(self, "wheel.")


@dataclass(frozen=True)
class Bicycle:
    front: Wheel
    others: tuple[Wheel, ...] = ()
    basket: Wheel | None = None
    size: tuple[int, int] = (1, 1)
    gears: int = whole(3, "number of gears", 1, 30)
    colour: str = choice("red", "of the frame", ("red", "blue"))
    bell: bool = flag(True, "whether it has one")
    owner: str = text("nobody", "name", key="belongs_to")
    note: str = field(default="", metadata={})

    def __post_init__(self):
        check_settings(self)


def refusal(call, *arguments):
    with pytest.raises(OptionError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300
    return message


def test_a_mapping_becomes_a_dataclass_with_its_parts():
    made = from_mapping(
        Bicycle,
        {
            "front": {"radius": 1},
            "others": [{"radius": 0.5, "spokes": 8}],
            "basket": None,
            "size": [2, 3],
            "belongs_to": "Ann",
            "note": 5,
        },
    )
    assert made == Bicycle(Wheel(1), (Wheel(0.5, 8),), None, (2, 3), owner="Ann", note=5)
    assert from_mapping(Bicycle, {"front": {"radius": 1}, "basket": {"radius": 2}}).basket == Wheel(2)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"gears": 31}, ("gears", "1 to 30", "31")),
        ({"gears": True}, ("gears", "True")),
        ({"gears": 2.0}, ("gears", "2.0")),
        ({"colour": "green"}, ("colour", "red, blue", "'green'")),
        ({"colour": ["red"]}, ("colour", "['red']")),
        ({"bell": 1}, ("bell", "True or False", "1")),
        ({"belongs_to": ""}, ("belongs_to", "''")),
        ({"belongs_to": "x" * 10_000}, ("belongs_to", "xxx...xxx")),
        ({"owner": "Ann"}, ("unknown setting owner", "belongs_to")),
        ({3: 4}, ("unknown setting 3",)),
        ({"front": {}}, ("front.radius is missing",)),
        ({"front": {"radius": 1, "tyre": 2}}, ("unknown setting front.tyre", "radius, spokes")),
        ({"front": {"radius": 5}}, ("wheel.radius", "0.1 to 2", "5")),
        ({"front": {"radius": 1, "spokes": 3}}, ("wheel.spokes must be even, not 3",)),
        ({"front": 5}, ("front must be a mapping", "5")),
        ({"others": {"radius": 1}}, ("others must be a list",)),
        ({"others": [5]}, ("others must be a mapping", "5")),
        ({"size": [1, 2, 3]}, ("size must be a list of 2 values", "[1, 2, 3]")),
    ],
)
def test_a_value_that_is_not_accepted_is_named_with_what_came(changes, parts):
    message = refusal(from_mapping, Bicycle, {"front": {"radius": 1}, **changes})
    for part in parts:
        assert part in message


def test_something_else_than_a_mapping_is_refused():
    assert "must be a mapping" in refusal(from_mapping, Bicycle, ["front"])
    assert "bicycle must be a mapping" in refusal(from_mapping, Bicycle, None, "bicycle")
    assert "front is missing" in refusal(from_mapping, Bicycle, {})


def test_a_dataclass_is_checked_however_it_is_made():
    assert "wheel.radius" in refusal(Wheel, "1")
    assert "gears" in refusal(lambda: dataclasses.replace(Bicycle(Wheel(1)), gears=0))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1", None, True, [1], 10**400, 1j])
def test_what_is_no_finite_number_is_refused(value):
    for check in (lambda: check_number("x", value, -10), lambda: check_positive("x", value)):
        assert refusal(check).startswith("x must be a")
    assert refusal(check_whole, "x", value).startswith("x must be a whole number")


def test_numbers_of_numpy_are_numbers():
    assert check_number("x", np.float32(0.5), 0, 1) == 0.5 and check_positive("x", np.int64(2)) == 2
    assert check_whole("x", np.int64(3)) == 3 and check_whole("x", 0, low=0) == 0
    assert "True or False" in refusal(check_flag, "x", np.True_)
    assert check_text("x", "Grüße 你好") == "Grüße 你好" and "one line" in refusal(check_text, "x", "a\tb")


@pytest.mark.parametrize(
    "value",
    [16**20_000, "x" * 10**6, list(range(10**6)), 50 * [50 * [50 * [50 * [50 * [1]]]]], np.zeros((100, 100))],
    ids=["digits", "text", "list", "nested lists", "array"],
)
def test_a_value_is_shown_in_a_short_line(value):
    assert len(shown(value)) < 200 and "\n" not in shown(value)


def test_a_usual_value_is_shown_as_python_writes_it():
    for value in (1, 0.25, "jde", ["a", 1], None, {"a": 1}, 10**9):
        assert shown(value) == repr(value)
