"""Helper package of the ResFold workbook. Importing it loads neither torch nor Jupyter."""

__version__ = "0.1.0"
