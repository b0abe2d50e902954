"""The onnx library, where it is installed."""

from __future__ import annotations

from typing import Any

from slth.errors import MissingExtra


def onnx_for(purpose: str) -> Any:
    """The library.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import onnx
        import onnx.external_data_helper
        import onnx.reference
    except ImportError as error:
        raise MissingExtra("onnx", "onnx", purpose) from error
    return onnx


def options_of(onnx: Any, node: Any) -> dict[str, Any]:
    """A node's attributes by name."""
    return {part.name: onnx.helper.get_attribute_value(part) for part in node.attribute}
