"""Nodes against what the standard says of their operator."""

from __future__ import annotations

from typing import Any

from slth.doors.graph_value import unlike


def require_node(onnx: Any, node: Any, opset: int, where: str) -> None:
    """The node has the attributes, inputs and outputs that its operator has in this set.

    What nothing reads would be left out in silence, and of two attributes of one name one is.

    Raises:
        InvalidInput: an operator that the set does not have; an attribute twice, of another type,
            or one that the operator does not have; too many inputs or outputs.
    """
    try:
        schema = onnx.defs.get_schema(node.op_type, opset)
    except onnx.defs.SchemaError as error:
        raise unlike(where, f"an operator that set {opset} does not have", "another") from error
    seen: set[str] = set()
    for part in node.attribute:
        if part.name in seen:
            raise unlike(where, f"the attribute {part.name!r} twice", "one of a name")
        seen.add(part.name)
        known = schema.attributes.get(part.name)
        if known is None:
            got = f"an attribute {part.name!r}, which the operator does not have in set {opset}"
            raise unlike(where, got, f"one of {', '.join(sorted(schema.attributes)) or 'none'}")
        if part.ref_attr_name or part.type != int(known.type):
            got = f"the attribute {part.name!r} of type {part.type}"
            raise unlike(where, got, f"type {int(known.type)}")
    for kind, count, most in (
        ("inputs", len(node.input), schema.max_input),
        ("outputs", len(node.output), schema.max_output),
    ):
        if count > most:
            raise unlike(where, f"{count} {kind}", f"at most {most}")
