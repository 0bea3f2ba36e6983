"""The answers as one page to read, check, print and mail: ``report.html``."""
