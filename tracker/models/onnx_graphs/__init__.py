"""Graphs of model folders in the format of ONNX."""
