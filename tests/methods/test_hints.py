"""Hints as training draws them."""

from __future__ import annotations

import torch

from colorcli.methods.hints import reveal


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
