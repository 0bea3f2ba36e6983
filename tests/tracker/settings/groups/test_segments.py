"""Durations and amounts as users write them."""

import pytest

from tracker.errors import OptionError
from tracker.settings.groups.segments import Keep, SegmentOptions, read_duration, read_keep


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("1h", 3600), ("1d", 86400), ("1.5H", 5400), (" 2 m ", 120), (90, 90), ("90", 90)],
)
def test_durations(text, seconds):
    assert read_duration("split", text) == seconds


@pytest.mark.parametrize("value", ["", "h", "1w", "-1h", "0s", "1h30m", "1e3", "inf", None, True, [], float("nan")])
def test_what_is_no_duration_is_named(value):
    with pytest.raises(OptionError, match=r"^split must be a duration such as 30s, 10m, 1h or 1d, not ."):
        read_duration("split", value)


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("7d", Keep(7 * 86400, None)),
        ("50GB", Keep(None, 50 * 10**9)),
        ("1.5 gib, 12h", Keep(43200, 1.5 * 2**30)),
        ("500mb", Keep(None, 5 * 10**8)),
    ],
)
def test_what_is_kept(text, keep):
    assert read_keep("keep", text) == keep


@pytest.mark.parametrize("value", ["", "7", "7d,8d", "1GB,2GB", "7d,", "0d", "0GB", "50 G", "all", 7, None, ["7d"]])
def test_what_cannot_be_kept_is_named(value):
    with pytest.raises(OptionError, match=r"^keep must be an age such as 7d, an amount such as 50GB, or one of each"):
        read_keep("keep", value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "0.5s"}, "split must be at least 1s, not '0.5s'"),
        ({"keep": "7d"}, "keep '7d' removes whole segments: give split too, such as 1h"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(OptionError, match=message):
        SegmentOptions(**options)


def test_options_as_numbers():
    assert SegmentOptions().length is None and SegmentOptions().kept == Keep()
    both = SegmentOptions(split="1h", keep="7d")
    assert (both.length, both.kept) == (3600, Keep(7 * 86400))
