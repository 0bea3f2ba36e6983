"""Parts of the evaluation tools, a file for each table."""
