"""The module's version; module.py has it a second time, where PaddleHub reads it without running code."""

VERSION = "2.1.0"
