"""Reading ``.pdparams`` weights without running what a hostile or damaged file asks for.

``paddle.save(layer.state_dict(), path)`` writes one pickle: a dict from structured name to ``numpy.ndarray``. A plain
unpickler would call whatever the file names, so here every name a pickle of arrays needs is answered by a harmless
stand-in, and every other name is refused.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import ModelError

SHOWN_PARAMETERS = 3
SHOWN_CHARACTERS = 80

# Written by paddle next to the parameters: the names inside the framework, and which arrays were cut in slices.
NAME_TABLE = "StructuredToParameterName@@"
SLICE_TABLE = "UnpackBigParamInfor@@"

# Paddle writes protocols 2 to 4; 5 is the newest there is.
PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")

# Booleans, integers and floats of a fixed size. Object, structured, string and date types have no place in weights.
PLAIN_DTYPE = re.compile(r"b1|[iu][1248]|f[248]")

# What reading or rebuilding a damaged pickle raises; a name that is not allowed raises ModelError at once.
DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    OverflowError,
    MemoryError,
    RecursionError,
)


class _StandIn:
    """Takes the place of a class or function a pickle names. Nothing in the file can alter it."""

    # A pickle gives a state to whatever it likes, a class too. Without this method it would be set as attributes.
    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a state is given to something that has none")


class _Bytes(_StandIn):
    """``_codecs.encode(text, 'latin1')``, by which protocol 2 writes bytes, and ``bytes()`` for none at all."""

    def __new__(cls, text: str = "", encoding: str = "latin1") -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise pickle.UnpicklingError("bytes are written in an unknown way")
        return text.encode("latin1")


class _NdarrayType(_StandIn):
    """``numpy.ndarray``, named only to say what is to be rebuilt."""

    def __new__(cls, *arguments: object) -> _NdarrayType:
        raise pickle.UnpicklingError("an array is made in an unknown way")


class _Dtype(_StandIn):
    """``numpy.dtype('f4', False, True)`` with the byte order in its state."""

    def __init__(self, code: str, align: object = False, copy: object = True) -> None:
        if not isinstance(code, str):
            raise pickle.UnpicklingError("a dtype has no name")
        if not PLAIN_DTYPE.fullmatch(code):
            raise pickle.UnpicklingError(f"arrays of dtype {_shown(code)} are not allowed")
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("arrays of structured dtype are not allowed")
        self.value = self.value.newbyteorder(state[1])


class _Array(_StandIn):
    """``numpy.core.multiarray._reconstruct(ndarray, (0,), b'b')`` with shape, dtype and bytes in its state."""

    value: np.ndarray | None = None

    def __init__(self, kind: object, shape: object, code: object) -> None:
        if kind is not _NdarrayType:
            raise pickle.UnpicklingError("something other than a plain array is rebuilt")

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, is_fortran, raw = state
        self.value = _array(shape, dtype, raw, "F" if is_fortran else "C")


class _Scalar(_Array):
    """``numpy.core.multiarray.scalar(dtype, raw)``, kept as an array of shape ()."""

    def __init__(self, dtype: object, raw: object) -> None:
        self.value = _array((), dtype, raw, "C")


# dict and tuple are themselves: neither has attributes a pickle could set, and both only hold what the file holds.
ALLOWED = {
    ("_codecs", "encode"): _Bytes,
    ("__builtin__", "bytes"): _Bytes,
    ("builtins", "bytes"): _Bytes,
    ("__builtin__", "tuple"): tuple,
    ("builtins", "tuple"): tuple,
    ("collections", "OrderedDict"): dict,
    ("numpy", "ndarray"): _NdarrayType,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "scalar"): _Scalar,
    ("numpy._core.multiarray", "scalar"): _Scalar,
}


class _Unpickler(pickle.Unpickler):
    """Rebuilds containers, numbers, text and stand-ins only."""

    def __init__(self, data: bytes, path: Path) -> None:
        # latin1 keeps the bytes of arrays which were saved under Python 2.
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in ALLOWED:
            self._refuse(_shown(f"{module}.{name}"))
        return ALLOWED[module, name]

    def persistent_load(self, pid: object) -> None:
        self._refuse("an object outside the file")

    def _refuse(self, wanted: str) -> None:
        raise ModelError(
            f"{self._path} is refused: it asks for {wanted}, which weights never need; "
            "use a file written by paddle.save(layer.state_dict(), ...) from a source you trust"
        )


def load_pdparams(path: Path) -> dict[str, np.ndarray]:
    """Read the parameters in a ``.pdparams`` file. Nothing in the file is run.

    A file made to do harm can still waste time or crash the process, by keys of deeply nested tuples.

    Args:
        path: A file written by ``paddle.save(layer.state_dict(), path)`` of Paddle 2.x or 3.x.

    Returns:
        Structured name -> array, in the file's order, of any shape and a plain numeric dtype (bfloat16 is stored by
        Paddle as uint16). The arrays are read-only views of the bytes read; copy one to change it.

    Raises:
        ModelError: The file is missing, damaged, of another format, asks for anything but arrays, or does not hold
            a flat dict of arrays.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "not enough memory"
        raise ModelError(f"{path} cannot be read ({reason}); give the path of a .pdparams file") from error
    if not data:
        raise ModelError(f"{path} is empty; download it again")
    if data.startswith(b"PK\x03\x04"):
        raise ModelError(f"{path} is a zip archive, not a .pdparams file; unpack it or give the file inside")
    try:
        _check_whole(data)
        content = _Unpickler(data, path).load()
        return _parameters(content, path)
    except DAMAGE as error:
        if not data.startswith(PICKLE_STARTS):
            raise ModelError(
                f"{path} is not a .pdparams file: it begins with {data[:8]!r}; "
                "give a file written by paddle.save(layer.state_dict(), ...)"
            ) from error
        reason = _shown(str(error) or type(error).__name__)
        raise ModelError(f"{path} is damaged ({reason}); download it again") from error


def check_parameters(found: Mapping[str, np.ndarray], expected: Mapping[str, tuple[int, ...]], source: str) -> None:
    """Make sure that parameters belong to a network and are numbers.

    Args:
        found: Name -> array, as read from a file.
        expected: Name -> shape, as the network has them.
        source: The file, for the message.

    Raises:
        ModelError: Names or shapes differ, or a parameter is not floating or not finite.
    """
    missing = [repr(name) for name in expected if name not in found]
    unexpected = [_shown(name) for name in found if name not in expected]
    reshaped = [
        f"{name!r} has shape {list(found[name].shape)} where {list(shape)} is needed"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != tuple(shape)
    ]
    problems = []
    if missing:
        problems.append(f"{len(missing)} of {len(expected)} parameters missing ({_first(missing)})")
    if unexpected:
        problems.append(f"{len(unexpected)} of {len(found)} unexpected ({_first(unexpected)})")
    if reshaped:
        problems.append(f"{len(reshaped)} of {len(expected)} of another shape ({_first(reshaped)})")
    if problems:
        raise ModelError(f"{source} is not for this network: {', '.join(problems)}")
    for name, array in found.items():
        if not np.issubdtype(array.dtype, np.floating):
            raise ModelError(f"{source}: parameter {name!r} is of dtype {array.dtype} where a float is needed")
        if not np.isfinite(array).all():
            count = int(array.size - np.isfinite(array).sum())
            raise ModelError(f"{source}: parameter {name!r} has {count} of {array.size} values that are not finite")


def _check_whole(data: bytes) -> None:
    """Walk the opcodes without building anything: the pickle must be whole, and end where the file ends.

    A memo index past the number of opcodes is damage too. The unpickler would make room for that many entries, so four
    flipped bytes could ask for gigabytes.
    """
    end = 0
    for count, (opcode, argument, position) in enumerate(pickletools.genops(data)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > count:
            raise pickle.UnpicklingError(f"memo index {argument} at byte {position}")
        end = position
    if end + 1 != len(data):
        raise pickle.UnpicklingError(f"{len(data) - end - 1} bytes follow the end")


def _array(shape: object, dtype: object, raw: object, order: str) -> np.ndarray:
    """The array of this shape over ``raw``, once everything fits together."""
    if isinstance(raw, str):
        raw = raw.encode("latin1")
    if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("an array lacks its shape, dtype or bytes")
    if not all(isinstance(side, int) and side >= 0 for side in shape):
        raise pickle.UnpicklingError("an array has a shape of something other than sizes")
    if math.prod(shape) * dtype.value.itemsize != len(raw):
        raise pickle.UnpicklingError(f"an array of shape {_shown(str(shape))} and {dtype.value} has {len(raw)} bytes")
    return np.frombuffer(raw, dtype.value).reshape(shape, order=order)


def _parameters(content: object, path: Path) -> dict[str, np.ndarray]:
    """The flat dict of arrays in what the pickle held, slices joined and Paddle's own tables left out."""
    if type(content) is not dict:
        raise ModelError(f"{path} holds an object of type {_kind(content)} where a dict of parameters is needed")
    table = content.pop(SLICE_TABLE, {})
    content.pop(NAME_TABLE, None)
    arrays = {}
    for name, value in content.items():
        if type(value) is tuple and len(value) == 2 and isinstance(value[0], str):
            value = value[1]  # Paddle 2.1 and later keep (name in the framework, array) outside of plain state dicts.
        array = value.value if isinstance(value, _Array) else None
        if not isinstance(name, str):
            raise ModelError(f"{path} names a parameter by an object of type {_kind(name)} where text is needed")
        if array is None:
            raise ModelError(
                f"{path} holds an object of type {_kind(value)} named {_shown(name)} where an array is needed"
            )
        arrays[name] = array
    for name, entry in table.items():
        slices = [arrays.pop(part) for part in entry["slices"]]
        arrays[name] = np.concatenate(slices).reshape(entry["OriginShape"])
    return arrays


def _kind(value: object) -> str:
    """The type of what a pickle held, in the user's words."""
    if isinstance(value, _Array):
        return "array without values" if value.value is None else "array"
    return type(value).__name__.lstrip("_")


def _shown(text: str) -> str:
    """Text out of a file, which may hold anything, as one short printable line."""
    quoted = ascii(text)
    return quoted if len(quoted) <= SHOWN_CHARACTERS else f"{quoted[:SHOWN_CHARACTERS]}...'"


def _first(texts: list[str]) -> str:
    """The first few, and dots for the rest."""
    return ", ".join(texts[:SHOWN_PARAMETERS]) + (", ..." if len(texts) > SHOWN_PARAMETERS else "")


def load_npz(path: Path, what: str = ".npz file of arrays", prefix: str = "") -> dict[str, np.ndarray]:
    """Read the plain arrays of an ``.npz`` file; nothing in it is executed.

    Args:
        path: the file.
        what: it should be, for the message.
        prefix: only arrays whose names begin with this are read, and it is taken off.

    Raises:
        ModelError: it is none, or not whole.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name.removeprefix(prefix): file[name] for name in file.files if name.startswith(prefix)}
    except (OSError, EOFError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"{path} is no whole {what}: {error}") from error
