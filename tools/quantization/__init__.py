"""Parts of tools/quantize.py."""
