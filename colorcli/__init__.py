"""colorize: colours folders of legacy photographs, and reports how well.

The package is layered (see ARCHITECTURE.md); importing it loads nothing heavy.
"""

__version__ = "0.1.0"
