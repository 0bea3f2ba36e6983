"""YAML files of settings, which may come from anyone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..errors import OptionError
from .checks import shown

_LARGEST_FILE = 100_000  # bytes, a hundred times a usual file
_MOST_VALUES = 100_000  # with aliases written out


def read_mapping(path: Path) -> dict[Any, Any]:
    """Read a YAML file that holds a mapping.

    Never blocks and never takes long, whatever the file holds: pipes and devices, large files, and aliases that
    unfold to very many values are refused.

    Args:
        path: The file.

    Returns:
        Its names and values, as YAML has them: nothing is checked.

    Raises:
        OptionError: The file cannot be read, or does not hold a YAML mapping.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError(0, "not a regular file")
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise OSError(0, f"larger than {_LARGEST_FILE} bytes, which no file of settings is")
        values = yaml.load(content.decode(), _Loader)
    except RecursionError as error:
        raise OptionError(f"cannot read {path}: lists or mappings are nested too deeply") from error
    # besides its own errors, PyYAML lets those of Python's conversions through, such as int()
    except (OSError, yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise OptionError(f"cannot read {path}: {_reason(error)}") from error
    if not isinstance(values, dict):
        raise OptionError(f"{path} must be a mapping of names to values, not {shown(values)}")
    return values


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, UnicodeDecodeError):
        return "it is not a text in UTF-8"
    if isinstance(error, yaml.YAMLError):
        return " ".join(str(error).split())
    return "a value in it is too large or malformed"


class _Loader(yaml.SafeLoader):
    """A loader of plain values that refuses names given twice, and aliases which unfold to very many values."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        names = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in names:
                    line = key.start_mark.line + 1
                    raise yaml.YAMLError(f"{shown(key.value)} in line {line} is there twice; give it once")
                names.add((key.tag, key.value))
        return node

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None and _unfolded_size(node, {}) > _MOST_VALUES:
            raise yaml.YAMLError(f"its aliases unfold to more than {_MOST_VALUES} values")
        return node


def _unfolded_size(node: yaml.Node, sizes: dict[yaml.Node, float]) -> float:
    """Return the number of values in a node with aliases written out, infinity for one within itself."""
    if node not in sizes:
        sizes[node] = float("inf")
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in parts for part in pair]
        sizes[node] = 1 + sum(_unfolded_size(part, sizes) for part in parts)
    return sizes[node]
