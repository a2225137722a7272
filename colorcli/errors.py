"""The one family of errors; each carries the exit code that the command line ends with."""

from __future__ import annotations


class ColorizeError(Exception):
    """Something a user can act on: what was found, what was expected, what to do."""

    exit_code = 1


class UsageError(ColorizeError):
    """The request itself is wrong: an option, a value, a combination."""

    exit_code = 2


class PhotoError(ColorizeError):
    """One file cannot be read, coloured or written; the others go on."""

    exit_code = 3


class WeightsError(ColorizeError):
    """Weights are missing, damaged, or not those of the method that was asked for."""

    exit_code = 4


class Stopped(Exception):  # noqa: N818 - not an error: the way out of a stage
    """The run was stopped while a stage waited or worked."""
