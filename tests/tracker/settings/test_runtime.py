"""What runs the network: values of a wrong type are refused at construction."""

import pytest

from tracker.errors import OptionError
from tracker.settings.runtime import PRECISIONS, RuntimeOptions


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
