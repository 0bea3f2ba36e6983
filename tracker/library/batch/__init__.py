"""A batch: every video of a library tracked, each with its own files."""
