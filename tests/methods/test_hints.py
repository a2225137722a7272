"""Hints as training draws them, and as a person does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from colorcli.methods.hints import dotted, drawn, reveal


def _truth(count: int, side: int = 64) -> torch.Tensor:
    return torch.rand(count, 2, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_hints_are_means_of_the_truth() -> None:
    """Oracle: a chroma that is constant: wherever the mask is 1 the hint is that constant, elsewhere 0; exact."""
    chroma = torch.tensor([0.25, -0.5])[None, :, None, None].expand(50, 2, 32, 32).contiguous()
    hints, mask = reveal(chroma, torch.arange(50))
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert torch.allclose(hints, chroma * mask, atol=1e-7)


def test_a_single_patch_has_one_colour() -> None:
    """Oracle: the mean over the rectangle that the mask shows, for every picture with one patch (stop = 1/2 gives
    many); 1e-6."""
    chroma = _truth(200)
    hints, mask = reveal(chroma, torch.arange(200), stop=0.5, whole=0.0)
    singles = 0
    for index in range(200):
        rows, columns = mask[index, 0].nonzero(as_tuple=True)
        if len(rows) == 0:
            continue
        box = (slice(None), slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        height, width = rows.max() - rows.min() + 1, columns.max() - columns.min() + 1
        if len(rows) != height * width or height != width or height > 9:
            continue  # several patches
        mean = chroma[index][box].mean((1, 2), keepdim=True)
        if torch.allclose(hints[index][box], mean.expand(-1, height, width), atol=1e-6):
            singles += 1
    assert singles > 32  # a quarter of 200 has exactly one, give or take three standard deviations


def test_number_of_hints_is_geometric() -> None:
    """Oracle: P(no hint) = p and the mean number is (1 - p) / p = 7 at p = 1/8: the share of pictures without any among
    2000, three standard deviations of a binomial; with `whole` 1 % have all."""
    _, mask = reveal(_truth(2000, 16), torch.arange(2000))
    shares = mask.flatten(1).mean(1)
    none = float((shares == 0).double().mean())
    assert abs(none - 0.99 / 8) < 3 * (0.124 * 0.876 / 2000) ** 0.5
    assert 4 <= int((shares == 1).sum()) <= 60  # 1 % of 2000 is 20; tiny pictures may be covered by patches alone


def test_most_hints_are_near_the_middle() -> None:
    """Oracle: a normal of a quarter of the side: far more in the middle half's square than in as many corner pixels."""
    _, mask = reveal(_truth(400), torch.arange(400), whole=0.0)
    density = mask.mean((0, 1))
    assert float(density[24:40, 24:40].mean()) > 3 * float(density[:8, :8].mean())


def test_hints_follow_from_the_seed() -> None:
    """Oracle: a second call, and the same picture elsewhere in a batch; exact. Another seed gives others."""
    chroma = _truth(3)
    hints, mask = reveal(chroma, torch.tensor([5, 6, 7]))
    again, _ = reveal(chroma[1:2], torch.tensor([6]))
    assert torch.equal(hints[1:2], again)
    _, other = reveal(chroma, torch.tensor([8, 9, 10]))
    assert not torch.equal(mask, other)


# a person's hints

_RED, _BLUE = (0.8, 0.3, 0.2), (0.2, 0.4, 0.7)


def _ab(rgb: tuple[float, float, float]) -> torch.Tensor:
    return torch.from_numpy(rgb2lab(np.array([[rgb]]))[0, 0, 1:]).float()


def _drawing(height: int, width: int) -> torch.Tensor:
    return torch.zeros(4, height, width)


def _stroke(drawing: torch.Tensor, rows: slice, columns: slice, rgb: tuple[float, float, float], alpha: float) -> None:
    drawing[:, rows, columns] = torch.tensor([*(alpha * value for value in rgb), alpha])[:, None, None]


def test_an_empty_drawing_is_no_hint() -> None:
    """Oracle: the contract: zeros in all three planes."""
    assert not drawn(_drawing(40, 50), 16, 24).any()


@pytest.mark.parametrize("alpha", [1.0, 0.4])
@pytest.mark.parametrize("factor", [1, 3])
def test_a_stroke_stays_where_it_was_drawn(alpha: float, factor: int) -> None:
    """Oracle: the rectangle itself, three times as fine or at the network's size; its ab by scikit-image, 0.01; a
    faint brush gives the same colour."""
    drawing = _drawing(16 * factor, 24 * factor)
    _stroke(drawing, slice(2 * factor, 9 * factor), slice(4 * factor, 20 * factor), _RED, alpha)
    expected = torch.zeros(3, 16, 24)
    expected[:, 2:9, 4:20] = torch.cat((_ab(_RED), torch.ones(1)))[:, None, None]
    assert torch.allclose(drawn(drawing, 16, 24), expected, atol=0.01)


def test_colours_in_one_pixel_are_averaged_by_their_alpha() -> None:
    """Oracle: closed form: red at alpha 1 over 2 of 4 columns, blue at 0.5 over the rest: (2 red + blue) / 3; 0.01."""
    drawing = _drawing(32, 32)
    _stroke(drawing, slice(0, 32), slice(0, 32), _BLUE, 0.5)
    for column in range(0, 32, 4):
        _stroke(drawing, slice(0, 32), slice(column, column + 2), _RED, 1.0)
    hints = drawn(drawing, 8, 8)
    expected = (2 * _ab(_RED) + _ab(_BLUE)) / 3
    assert torch.allclose(hints, torch.cat((expected, torch.ones(1)))[:, None, None].expand(3, 8, 8), atol=0.01)


@pytest.mark.parametrize("size", [(97, 131), (30, 40), (64, 96), (5, 7), (500, 333)])
def test_a_single_pixel_anywhere_becomes_a_patch_of_five(size: tuple[int, int]) -> None:
    """Oracle: the place by proportion, to one network pixel; 25 pixels of scikit-image's ab, also at the borders, for
    drawings finer and coarser than the network's 32x48. One pixel of a very coarse drawing is larger itself."""
    height, width = size
    for row, column in ((0, 0), (height // 2, width // 3), (height - 1, width - 1), (height // 5, width - 1)):
        drawing = _drawing(height, width)
        _stroke(drawing, slice(row, row + 1), slice(column, column + 1), _BLUE, 1.0)
        hints = drawn(drawing, 32, 48)
        rows, columns = hints[2].nonzero(as_tuple=True)
        sides = (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1)
        assert len(rows) == sides[0] * sides[1]
        assert (sides[0] == 5 or height == 5) and (sides[1] == 5 or width == 7)
        assert abs(float(rows.float().mean()) + 0.5 - min(max((row + 0.5) / height * 32, 2.5), 29.5)) <= 1
        assert abs(float(columns.float().mean()) + 0.5 - min(max((column + 0.5) / width * 48, 2.5), 45.5)) <= 1
        assert torch.allclose(hints[:2, rows, columns], _ab(_BLUE)[:, None], atol=0.01)


def test_dots_grow_over_what_is_empty_alone() -> None:
    """Oracle: a stroke two pixels from a dot keeps its colour and its edge; the dot fills the rest of its patch."""
    drawing = _drawing(32, 48)
    _stroke(drawing, slice(0, 32), slice(10, 20), _RED, 1.0)
    _stroke(drawing, slice(16, 17), slice(21, 22), _BLUE, 1.0)
    hints = drawn(drawing, 32, 48)
    assert torch.allclose(hints[:2, :, 10:20], _ab(_RED)[:, None, None], atol=0.01)
    assert torch.allclose(hints[:2, 14:19, 20:24], _ab(_BLUE)[:, None, None], atol=0.01)
    assert int(hints[2].sum()) == 32 * 10 + 5 * 4


def test_thin_strokes_stay_thin_and_many_dots_all_grow() -> None:
    """Oracle: counts: a line of 1x30 has 30 pixels; twelve dots of 2x2 far apart have 12 x 25."""
    drawing = _drawing(64, 64)
    _stroke(drawing, slice(3, 4), slice(10, 40), _RED, 1.0)
    assert int(drawn(drawing, 64, 64)[2].sum()) == 30
    drawing = _drawing(64, 64)
    for index in range(12):
        row, column = 10 + 12 * (index // 3), 10 + 14 * (index % 3)
        _stroke(drawing, slice(row, row + 2), slice(column, column + 2), _BLUE, 1.0)
    assert int(drawn(drawing, 64, 64)[2].sum()) == 12 * 25


def test_a_dot_in_a_reduced_drawing_is_seen() -> None:
    """Oracle: a pixel of the file, of 64 that were averaged into one, is a hint as before; its edge of 1/10 is none."""
    drawing = _drawing(64, 64)
    _stroke(drawing, slice(30, 31), slice(30, 31), _BLUE, 1 / 64)
    assert int(drawn(drawing, 16, 16, each=64)[2].sum()) == 25
    _stroke(drawing, slice(30, 31), slice(30, 31), _BLUE, 0.1 / 64)
    assert int(drawn(drawing, 16, 16, each=64)[2].sum()) == 0


@pytest.mark.parametrize(
    ("place", "corner"), [((0.5, 0.5), (14, 22)), ((0.0, 0.999), (0, 43)), ((0.999, 0.0), (27, 0))]
)
def test_a_dot_is_a_patch_over_all_else(place: tuple[float, float], corner: tuple[int, int]) -> None:
    """Oracle: closed form: 5x5 about the place, moved inside at the borders; what was there is kept elsewhere."""
    before = torch.full((3, 32, 48), 7.0)
    hints = dotted(before, *place, _RED)
    top, left = corner
    expected = before.clone()
    expected[:, top : top + 5, left : left + 5] = torch.cat((_ab(_RED), torch.ones(1)))[:, None, None]
    assert torch.allclose(hints, expected, atol=0.01) and bool((before == 7).all())
