"""Groups of options of a run: each class is one, its fields are keywords and flags, see `tracker/option_groups.py`."""
