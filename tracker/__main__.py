"""``python -m tracker --video_stream FILE``: the same as ``hub run``, without PaddleHub."""

from .command import run_command
from .predictor import Predictor

if __name__ == "__main__":
    print(run_command(Predictor(), "python -m tracker"))
