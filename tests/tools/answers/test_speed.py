"""What the answers to a scene cost: the measurement itself, on little."""

from tools import benchmark


def test_live_frames_and_a_text_are_timed(capsys):
    words = ["analysis", "--people", "3", "--places", "2", "--frames", "20", "--seconds", "2"]
    assert benchmark.main(words) == 0
    told = capsys.readouterr().out
    assert "3 people" in told and "ms" in told
