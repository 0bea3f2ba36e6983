"""Whether tracking works on this machine, and how fast: each file checks one subject.

Nothing but Python itself is imported before a check needs it, for what is missing or broken is what is looked for.
"""
