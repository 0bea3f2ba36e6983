"""Reading files of parameters without running what a hostile or damaged file asks for.

``paddle.save(layer.state_dict(), path)`` writes one pickle: a dict from name to ``numpy.ndarray``. A plain unpickler
would call whatever the file names. Here only the names that a pickle of arrays needs are resolved. Those of numpy are
resolved to stand-ins, since numpy's own trust the file: ``dtype.__setstate__`` takes any flags, with which numbers pass
for pointers, and ``_reconstruct`` allocates arrays of any size.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError

LARGEST_FILE = 4 << 30  # bytes; the weights of the full network have 0.3 GB
SHOWN = 3  # parameters in a message
SHOWN_CHARACTERS = 80  # of a text out of a file
NAME_TABLE = "StructuredToParameterName@@"  # Paddle writes it beside the parameters: their names in the framework
# Booleans, integers and floats of a fixed size. Object, structured, string and date types have no place in weights.
PLAIN_DTYPE = re.compile(r"b1|[iu][1248]|f[248]")
# What reading a damaged pickle raises.
DAMAGE = (
    *(pickle.PickleError, AttributeError, EOFError, LookupError, TypeError, ValueError),
    *(MemoryError, OverflowError, RecursionError),
)

# A pickle can set a state on whatever it names, a class too. That fails on a class with a `__setstate__` for its
# instances, and on builtin classes and methods: so no file can alter what names are resolved to.


class _Dtype:
    """Stands in for ``numpy.dtype('f4', False, True)``, with the byte order in its state."""

    def __init__(self, code: str, *_: object) -> None:
        if not PLAIN_DTYPE.fullmatch(code):
            raise pickle.UnpicklingError(f"arrays of dtype {_quoted(code)} are not allowed")
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        self.value = self.value.newbyteorder(state[1])


class _Array:
    """Stands in for ``numpy.core.multiarray._reconstruct(...)``, with shape, dtype and bytes in its state."""

    def __init__(self, *_: object) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, is_fortran, data = state
        if isinstance(data, str):  # bytes that were saved under Python 2
            data = data.encode("latin1")
        self.value = np.frombuffer(data, dtype.value).reshape(shape, order="F" if is_fortran else "C")


class _Scalar(_Array):
    """Stands in for ``numpy.core.multiarray.scalar(dtype, data)``."""

    def __init__(self, dtype: _Dtype, data: bytes | str) -> None:
        self.__setstate__((1, (), dtype, False, data))


class _Encoded:
    """Stands in for ``_codecs.encode``, by which protocol 2 writes bytes."""

    def __new__(cls, text: str, encoding: str) -> Any:
        if encoding != "latin1":  # others take time or room without bounds
            raise pickle.UnpicklingError(f"bytes are not written as {_quoted(encoding)}")
        return text.encode("latin1")

    def __setstate__(self, state: object) -> None: ...


class _Dict:
    """Stands in for ``collections.OrderedDict``, whose contents are an argument under Python 2."""

    def __new__(cls, pairs: list | tuple = ()) -> Any:
        if not all(type(name) is str for name, _ in pairs):
            raise pickle.UnpicklingError("a key is no text")
        return dict(pairs)

    def __setstate__(self, state: object) -> None: ...


_TEXTS = {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING"}

_NEEDLESS = {"DUP", "POP", "POP_MARK", "EMPTY_SET", "ADDITEMS", "FROZENSET"}

ALLOWED: dict[str, Any] = {
    "_codecs.encode": _Encoded,
    "builtins.bytes": "".encode,  # of no bytes; `bytes` itself would make as many as it is asked for
    "builtins.tuple": tuple,
    "collections.OrderedDict": _Dict,
    "numpy.ndarray": None,  # only ever an argument of `_reconstruct`
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy.core.multiarray.scalar": _Scalar,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # The names of Python 2 and of numpy 2.
        full_name = f"{module.replace('__builtin__', 'builtins').replace('numpy._core', 'numpy.core')}.{name}"
        if full_name not in ALLOWED:
            raise ModelError(f"it asks for {_quoted(f'{module}.{name}')}, which weights never need")
        return ALLOWED[full_name]


def check_beginning(path: Path) -> None:
    """Check that a file begins as a ``.pdparams`` file does, which a page in its place does not.

    Raises:
        ModelError: It does not, or cannot be read.
    """
    _check_beginning(path, _content(path, 8))


def _content(path: Path, size: int = -1) -> bytes:
    """Return a file, or the first bytes of it."""
    try:
        if path.exists() and not path.is_file():
            raise OSError(0, "it is no regular file")
        if path.stat().st_size > LARGEST_FILE:
            raise OSError(0, f"it has more than {LARGEST_FILE} bytes")
        with path.open("rb") as file:
            return file.read(size)
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "not enough memory"
        raise ModelError(f"{path} cannot be read ({reason}); give the path of a .pdparams file") from error


def _check_beginning(path: Path, data: bytes) -> None:
    if data[:2] not in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):  # Paddle writes pickle protocols 2 to 4
        raise ModelError(
            f"{path} is not a .pdparams file: it begins with {data!r}; "
            "give a file written by paddle.save(layer.state_dict(), ...)"
        )


def load_pdparams(path: Path) -> dict[str, np.ndarray]:
    """Read the parameters in a ``.pdparams`` file. Nothing in the file is run.

    Time and memory are bounded by the size of the file.

    Args:
        path: A file written by ``paddle.save(layer.state_dict(), path)`` of Paddle 2.x or 3.x.

    Returns:
        Name -> array, in the file's order, of any shape and a plain numeric dtype (bfloat16 is stored by Paddle as
        uint16). Arrays are read-only; copy one to change it.

    Raises:
        ModelError: The file is missing, damaged, of another format, asks for anything but arrays, or does not hold
            a flat dict of arrays.
    """
    path = Path(path)
    data = _content(path)
    _check_beginning(path, data[:8])
    try:
        _check_whole(data)
        return _parameters(_Unpickler(io.BytesIO(data), encoding="latin1").load())
    except DAMAGE as error:
        reason = _quoted(str(error) or type(error).__name__)
        raise ModelError(f"{path} is damaged ({reason}); download it again") from error
    except ModelError as error:
        raise ModelError(
            f"{path} is refused: {error}; "
            "use a file written by paddle.save(layer.state_dict(), ...) from a source you trust"
        ) from error


def _check_whole(data: bytes) -> None:
    """Walk the opcodes without building anything: no length may pass the end, and the pickle must end with the file.

    Neither may a memo index pass the number of opcodes: the unpickler makes room for that many entries at once. And all
    keys must be texts: to find the place of a deeply nested tuple, Python takes all time there is, or crashes.
    """
    end: int | None = None
    texts = _Texts()
    for count, (opcode, argument, end) in enumerate(pickletools.genops(data)):
        if opcode.name.endswith("PUT") and (argument or 0) > count:
            raise pickle.UnpicklingError(f"memo index {argument} at byte {end}")
        if not texts.follow(opcode, argument):
            raise pickle.UnpicklingError(f"a key that is no text at byte {end}")
    if end != len(data) - 1:
        raise pickle.UnpicklingError("bytes follow the end")


class _Texts:
    """Which values on the unpickler's stack are texts, as far as its opcodes tell."""

    def __init__(self) -> None:
        self._stack: list[bool] = []
        self._marks: list[int] = []  # heights of the stack
        self._memo: dict[int, bool] = {}

    def follow(self, opcode: pickletools.OpcodeInfo, argument: Any) -> bool:
        """Follow an opcode; return whether the keys that it sets, if any, are all texts."""
        name, stack = opcode.name, self._stack
        if name in _NEEDLESS:
            raise pickle.UnpicklingError(f"opcode {name}, which weights never need")
        if name == "MARK":
            self._marks.append(len(stack))
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name.endswith("PUT"):
            self._memo[argument] = stack[-1]
        elif name.endswith("GET"):
            stack.append(self._memo.get(argument, False))
        else:
            taken = self._take(opcode)
            stack += [name in _TEXTS] * len(opcode.stack_after)
            return name not in ("SETITEM", "SETITEMS", "DICT") or all(taken[::2])
        return True

    def _take(self, opcode: pickletools.OpcodeInfo) -> list[bool]:
        """Take what an opcode needs off the stack; return what follows the object that it fills."""
        stack, needs = self._stack, opcode.stack_before
        if pickletools.markobject in needs:
            start = self._marks.pop()
            taken, below = stack[start:], needs.index(pickletools.markobject)
        else:
            start = len(stack)
            taken, below = stack[start - len(needs) + 1 :] if needs else [], len(needs)
        if below > start:
            raise pickle.UnpicklingError("too little on the stack")
        del stack[start - below :]
        return taken


def _parameters(content: object) -> dict[str, np.ndarray]:
    """Return the flat dict of arrays in what the pickle held, without Paddle's own table."""
    if type(content) is not dict:
        raise ModelError(f"it holds a {type(content).__name__.strip('_')} where a dict of parameters is needed")
    content.pop(NAME_TABLE, None)
    arrays = {}
    for name, value in content.items():
        if type(value) is tuple and len(value) == 2:
            value = value[1]  # Paddle keeps (name in the framework, array) outside of plain state dicts.
        if not isinstance(name, str) or not isinstance(value, _Array) or value.value is None:
            raise ModelError(f"its entry {_quoted(str(name))} is not an array with a name")
        arrays[name] = value.value
    return arrays


def check_parameters(found: Mapping[str, np.ndarray], expected: Mapping[str, tuple[int, ...]], source: str) -> None:
    """Check that parameters belong to a network and are finite numbers.

    Args:
        found: Name -> array, as read from a file.
        expected: Name -> shape, as the network has them.
        source: The file, for the message.

    Raises:
        ModelError: Names or shapes differ, or a parameter is not floating or not finite.
    """
    missing = [repr(name) for name in expected if name not in found]
    unexpected = [_quoted(name) for name in found if name not in expected]
    reshaped = [
        f"{name!r} has shape {list(found[name].shape)} where {list(shape)} is needed"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != tuple(shape)
    ]
    problems = [
        f"{len(names)} of {total} {problem} ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})"
        for names, total, problem in (
            (missing, len(expected), "parameters missing"),
            (unexpected, len(found), "unexpected"),
            (reshaped, len(expected), "of another shape"),
        )
        if names
    ]
    if problems:
        raise ModelError(f"{source} is not for this network: {', '.join(problems)}")
    for name, array in found.items():
        if not np.issubdtype(array.dtype, np.floating):
            raise ModelError(f"{source}: parameter {name!r} is of dtype {array.dtype} where a float is needed")
        if not np.isfinite(array).all():
            count = int(array.size - np.isfinite(array).sum())
            raise ModelError(f"{source}: parameter {name!r} has {count} of {array.size} values that are not finite")


def _quoted(text: str) -> str:
    """Return text out of a file, which may hold anything, as one short printable line."""
    quoted = ascii(text)
    return quoted if len(quoted) <= SHOWN_CHARACTERS else f"{quoted[:SHOWN_CHARACTERS]}...'"
