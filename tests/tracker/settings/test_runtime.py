"""What runs the network: values of a wrong type are refused at construction."""

import pytest

from tracker.errors import OptionError
from tracker.settings.runtime import PRECISIONS, RuntimeOptions, parse_input_size


def test_options_that_may_be():
    assert RuntimeOptions() == RuntimeOptions("auto", "auto", False, None, False)
    for precision in PRECISIONS:
        assert RuntimeOptions("paddle", precision, True, 4, True).threads == 4
    assert len({RuntimeOptions(), RuntimeOptions(threads=1), RuntimeOptions()}) == 2


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("backend", ("", None, 3)),
        ("precision", ("int4", "", None, ["fp32"])),
        ("use_gpu", (0, 1, "yes", None)),
        ("threads", (0, -1, 2.0, True, "4")),
        ("throughput", (0, 1, None)),
    ],
)
def test_a_value_of_another_kind_is_named(name, values):
    for value in values:
        with pytest.raises(OptionError) as caught:
            RuntimeOptions(**{name: value})
        assert str(caught.value).startswith(f"{name} must be") and repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("auto", None),
        ("640x352", (640, 352)),
        (" 1920X1088 ", (1920, 1088)),
        ([640, 352], (640, 352)),
        ((1, 1), (1, 1)),
    ],
)
def test_sizes_of_the_input(value, size):
    assert parse_input_size(value) == size
    assert RuntimeOptions(input_size=size).input_size == size


@pytest.mark.parametrize(
    "value",
    [
        *("", "Auto", "640", "640x", "x352", "640x352x3", "-640x352", "640.0x352", "640 x 352", "٦٤٠x352"),
        *("9" * 99 + "x352", None, 640, True, [640], [640, 352, 3], {"width": 640}),
        *(["640", 352], [640.0, 352], [True, 352], "0x352", "640x0", "4097x608", [640, 4097], [-32, 32]),
    ],
)
def test_what_is_no_size_is_refused_in_one_line(value):
    with pytest.raises(
        OptionError, match=r"^(input_size must be auto or|(width|height) of input_size must be)"
    ) as caught:
        parse_input_size(value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
