"""Helper package of the ResFold workbook. Importing it loads neither torch nor Jupyter."""

__version__ = "0.1.0"

PROFILES = ("ci", "laptop", "gpu")
"""The sizes in which everything can be run, from the smallest."""
