"""What libvips said of one file does no harm to the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvips

from colorcli.media.libvips import VipsError
from colorcli.media.photos import read_photo

_LOST = b"/nowhere/latin-\xe9.png"  # no UTF-8


def test_words_about_a_name_in_an_old_encoding_harm_no_other_photo(gray_png: Path) -> None:
    """Oracle: the same photo read before; libvips keeps one text for all threads, and another's is left in it."""
    before = read_photo(gray_png, side=64, multiple=32)[1]
    pyvips.vips_lib.vips_foreign_find_load(_LOST)
    assert _LOST in pyvips.ffi.string(pyvips.vips_lib.vips_error_buffer())
    assert np.array_equal(read_photo(gray_png, side=64, multiple=32)[1], before)


def test_an_error_names_the_file_as_python_does() -> None:
    """Oracle: PEP 383: a byte that is no UTF-8 is a surrogate."""
    with pytest.raises(VipsError, match="latin-\udce9"):
        pyvips.Image.new_from_file(_LOST)
