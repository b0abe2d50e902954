"""ONNX: graphs of affine layers, average pools, (leaky) ReLUs and residual sums, in and out."""

from slth.doors.onnx.graph import from_onnx, read_onnx
from slth.doors.onnx.writer import onnx_bytes

__all__ = ["from_onnx", "onnx_bytes", "read_onnx"]
