"""The commands of the command line: each file has its arguments, and what runs it."""
