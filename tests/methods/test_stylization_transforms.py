"""AdaIN and WCT, for whole maps and by regions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorcli.errors import UsageError
from colorcli.methods.stylization.transforms import TRANSFORMS, labels_of, match, measure, regions

Array = NDArray[np.float64]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> object:
    """Maps this small lose their time to the hand-over between threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _map(*shape: int, seed: int = 0) -> Tensor:
    """Channels that hang together, as a network's do, each on its own level."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.einsum("ij,bjhw->bihw", torch.randn(shape[1], shape[1], generator=generator), torch.rand(shape))
    noise = torch.randn(shape, generator=generator)
    return mixed + noise + 3 * torch.randn(1, shape[1], 1, 1, generator=generator)


def _transferred(name: str, content: Tensor, style: Tensor, labels: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Both halves."""
    transform = TRANSFORMS[name]
    if labels is None:
        return match(transform, content, measure(transform, style))
    known = labels_of(*labels)
    here, there = (regions(of, known, *maps.shape[2:]) for of, maps in zip(labels, (content, style), strict=True))
    return match(transform, content, measure(transform, style, there), here)


def _plain_wct(content: Array, style: Array) -> Array:
    """WCT of (C, N) pixels as Li et al. 2017 write it (their eq. 1 to 4), by eigenvectors, eigenvalues floored."""
    centred = content - content.mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(centred @ centred.T / centred.shape[1])
    values = np.maximum(values, max(1e-5 * values.max(), 1e-8))
    white = vectors @ np.diag(values**-0.5) @ vectors.T @ centred
    mean = style.mean(1, keepdims=True)
    values, vectors = np.linalg.eigh((style - mean) @ (style - mean).T / style.shape[1])
    return np.asarray(vectors @ np.diag(np.maximum(values, 0) ** 0.5) @ vectors.T @ white + mean)


def _pixels(features: Tensor) -> Array:
    """(C, H, W) -> (C, N)."""
    return features.flatten(1).double().numpy()


def test_wct_is_numpys() -> None:
    """Oracle: the plain NumPy version above in float64, photo by photo, styles of another size; 1e-3 of values of about
    ten (float32 covariances, roots of eigenvalues that lie five decades apart)."""
    content, style = _map(3, 12, 10, 14), _map(3, 12, 9, 8, seed=1)
    found = _transferred("wct", content, style)
    for index in range(3):
        expected = _plain_wct(_pixels(content[index]), _pixels(style[index]))
        assert np.abs(_pixels(found[index]) - expected).max() < 1e-3


def test_wct_has_the_styles_covariance() -> None:
    """Oracle: closed form: mean and covariance of the result are the style's, in NumPy; 1e-2 of variances of ten."""
    content, style = _map(1, 6, 20, 20), _map(1, 6, 15, 9, seed=1)
    found, wanted = _pixels(_transferred("wct", content, style)[0]), _pixels(style[0])
    assert np.abs(found.mean(1) - wanted.mean(1)).max() < 1e-4
    assert np.abs(np.cov(found, bias=True) - np.cov(wanted, bias=True)).max() < 1e-2


def test_adain_is_the_papers_equation() -> None:
    """Oracle: sigma(y) (x - mu(x)) / sigma(x) + mu(y) in NumPy, float64; 1e-4 of values of
    about ten (float32)."""
    content, style = _map(2, 5, 7, 9), _map(2, 5, 12, 4, seed=1)
    found = _transferred("adain", content, style)
    for index in range(2):
        x, y = _pixels(content[index]), _pixels(style[index])
        normal = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
        expected = y.std(1, keepdims=True) * normal + y.mean(1, keepdims=True)
        assert np.abs(_pixels(found[index]) - expected).max() < 1e-4


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_pictures_own_style_changes_nothing(name: str) -> None:
    """Oracle: the content itself; 1e-3, as above. Twice is as once."""
    content, style = _map(2, 6, 11, 13), _map(2, 6, 8, 8, seed=1)
    assert torch.allclose(_transferred(name, content, content), content, atol=1e-3)
    once = _transferred(name, content, style)
    assert torch.allclose(_transferred(name, once, style), once, atol=1e-3)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_maps_of_any_scale(name: str) -> None:
    """Oracle: a linear rule: a content of a thousandth, as a narrow network's channels may be, gives the same; 1 % of
    values of ten."""
    content, style = _map(1, 4, 9, 9), _map(1, 4, 9, 9, seed=1)
    assert torch.allclose(_transferred(name, content, style), _transferred(name, content / 1000, style), atol=0.1)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_one_colour(name: str) -> None:
    """Oracle: closed form: after a style of one colour everything has that colour; a content of one colour becomes the
    style's mean; both exact to 1e-3, and nothing is infinite."""
    plain = torch.tensor([2.0, -1.0, 7.0])[None, :, None, None]
    found = _transferred(name, _map(1, 3, 9, 9), plain.expand(1, 3, 5, 5))
    assert torch.allclose(found, plain.expand_as(found), atol=1e-3)
    style = _map(1, 3, 9, 9)
    found = _transferred(name, plain.expand(1, 3, 4, 6), style)
    assert torch.allclose(found, style.mean((2, 3), keepdim=True).expand_as(found), atol=1e-3)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_fewer_pixels_than_channels(name: str, size: tuple[int, int]) -> None:
    """Oracle: a singular covariance gives finite values no further from the style's mean than its pixels allow: of n
    pixels whitened by population statistics, none is beyond sqrt(n) standard deviations; 5 % for rounding."""
    content, style = _map(2, 24, *size), _map(2, 24, 16, 16, seed=1)
    found = _transferred(name, content, style)
    spread = style.var((2, 3), correction=0).sum(1).sqrt()[:, None]
    distance = (found - style.mean((2, 3), keepdim=True)).square().sum(1).sqrt().flatten(1)
    assert bool((distance <= 1.05 * spread * (24 * size[0] * size[1]) ** 0.5).all())


@pytest.mark.parametrize("name", TRANSFORMS)
def test_pictures_do_not_depend_on_their_neighbours(name: str) -> None:
    """Oracle: each alone; 1e-4 (sums in another order). One style for all is its copies."""
    content, style = _map(3, 6, 8, 8), _map(3, 6, 8, 8, seed=1)
    alone = torch.cat([_transferred(name, content[i : i + 1], style[i : i + 1]) for i in range(3)])
    assert torch.allclose(_transferred(name, content, style), alone, atol=1e-4)
    copies = _transferred(name, content, style[:1].expand(3, -1, -1, -1))
    assert torch.allclose(_transferred(name, content, style[:1]), copies, atol=1e-4)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_regions_are_numpys(name: str) -> None:
    """Oracle: the plain NumPy versions above, region by region of pixels strewn at random, photo by photo; 1e-3."""
    content, style = _map(2, 5, 10, 14), _map(2, 5, 12, 9, seed=1)
    generator = torch.Generator().manual_seed(2)
    here, there = (torch.randint(3, (2, *maps.shape[2:]), generator=generator) for maps in (content, style))
    found = _transferred(name, content, style, (here, there))
    for index in range(2):
        for label in range(3):
            own, like = (here[index] == label).flatten().numpy(), (there[index] == label).flatten().numpy()
            x, y = _pixels(content[index])[:, own], _pixels(style[index])[:, like]
            normal = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
            adain = y.std(1, keepdims=True) * normal + y.mean(1, keepdims=True)
            expected = adain if name == "adain" else _plain_wct(x, y)
            assert np.abs(_pixels(found[index])[:, own] - expected).max() < 1e-3


@pytest.mark.parametrize("name", TRANSFORMS)
def test_regions_take_after_their_like(name: str) -> None:
    """Oracle: each region cut out and transferred by itself, for halves whose labels change sides; 1e-3."""
    content, style = _map(2, 4, 8, 10), _map(2, 4, 6, 12, seed=1)
    here, there = torch.full((2, 8, 10), 7), torch.full((2, 6, 12), 7)
    here[:, :, 4:] = 2
    there[:, :4] = 2
    found = _transferred(name, content, style, (here, there))
    assert torch.allclose(found[..., :4], _transferred(name, content[..., :4], style[:, :, 4:]), atol=1e-3)
    assert torch.allclose(found[..., 4:], _transferred(name, content[..., 4:], style[:, :, :4]), atol=1e-3)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_one_label_is_none(name: str) -> None:
    """Oracle: the whole map; 1e-4."""
    content, style = _map(2, 4, 8, 10), _map(2, 4, 6, 12, seed=1)
    labels = (torch.full((2, 3, 3), 5), torch.full((2, 1, 1), 5))
    assert torch.allclose(_transferred(name, content, style, labels), _transferred(name, content, style), atol=1e-4)


def test_labels_of_another_size() -> None:
    """Oracle: each pixel by hand: a map of 2x2 is enlarged to blocks, one of 4x4 keeps its middle pixels' values."""
    found = regions(torch.tensor([[[1, 2], [2, 1]]]), (1, 2), 4, 6)
    quarter = torch.zeros(4, 6, dtype=torch.bool)
    quarter[:2, :3] = quarter[2:, 3:] = True
    assert found.shape == (1, 2, 4, 6)
    assert torch.equal(found[0, 0], quarter) and torch.equal(found[0, 1], ~quarter)
    assert regions(torch.tensor([[[65535, 0]]]), (65535,), 1, 2).flatten().tolist() == [True, False]


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("kept", [0, 1, 3])
def test_what_has_few_pixels_in_the_style_takes_after_all_of_it(name: str, kept: int) -> None:
    """Oracle: the region cut out and transferred after the whole style's map, where that has none of its pixels left
    (they were lost when the labels were resized), or too few for a spread; 1e-3."""
    content, style = _map(1, 4, 8, 8), _map(1, 4, 4, 4, seed=1)
    here, there = torch.zeros(1, 8, 8, dtype=torch.long), torch.zeros(1, 4, 4, dtype=torch.long)
    here[:, :2], there[:, 0, :kept] = 3, 3
    if not kept:
        there = there.repeat_interleave(16, 1).repeat_interleave(16, 2)
        there[:, 0, 0] = 3
    found = _transferred(name, content, style, (here, there))
    assert torch.allclose(found[:, :, :2], _transferred(name, content[:, :, :2], style), atol=1e-3)


@pytest.mark.parametrize("pixels", [1, 2, 5])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_small_regions_of_the_content(name: str, pixels: int) -> None:
    """Oracle: NumPy, of the pixels by themselves, floored as the transforms are: fewer than channels, so WCT's
    covariance is singular; one pixel becomes the mean of its like. 1e-2 of values of ten."""
    content, style = _map(1, 6, 9, 9), _map(1, 6, 7, 12, seed=1)
    here, there = torch.zeros(1, 9, 9, dtype=torch.long), torch.zeros(1, 7, 12, dtype=torch.long)
    here[:, 4, 2 : 2 + pixels], there[:, 2:] = 1, 1
    found = _pixels(_transferred(name, content, style, (here, there))[0, :, 4:5, 2 : 2 + pixels])
    x, y = _pixels(content[0, :, 4:5, 2 : 2 + pixels]), _pixels(style[0, :, 2:])
    centred = x - x.mean(1, keepdims=True)
    adain = y.std(1, keepdims=True) * centred / np.sqrt(x.var(1, keepdims=True) + 1e-8) + y.mean(1, keepdims=True)
    assert np.abs(found - (adain if name == "adain" else _plain_wct(x, y))).max() < 1e-2


def test_labels_of_one_side_are_named() -> None:
    """Oracle: house rule 9: which, on which side; also where another photo of the batch has them."""
    one, two = torch.tensor([[[1, 2]]]), torch.tensor([[[1], [3]]])
    with pytest.raises(UsageError, match="the target's segment map has labels that the reference's lacks: 2;"):
        labels_of(one, one[:, :, :1])
    with pytest.raises(UsageError, match="the reference's segment map has labels that the target's lacks: 3;"):
        labels_of(one[:, :, :1], two)
    with pytest.raises(UsageError, match=r"target.s .* lacks: 2"):
        labels_of(torch.cat((one, one[:, :, [0, 0]])), torch.cat((two[:, [0, 0]], two[:, [0, 0]])))
    assert labels_of(one, one.mT) == (1, 2)
    with pytest.raises(ValueError, match=r"expected segment maps \(B, h, w\), not \(1, 2\)"):
        labels_of(one[0], one)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_under_autocast(name: str) -> None:
    """Oracle: the same without; exact in float32, and a bf16 map stays one, to the 8 bits that it has."""
    content, style = _map(1, 6, 8, 8), _map(1, 6, 8, 8, seed=1)
    expected = _transferred(name, content, style)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(_transferred(name, content, style), expected)
        rough = _transferred(name, content.bfloat16(), style.bfloat16())
    assert rough.dtype is torch.bfloat16
    assert float((rough - expected).abs().max()) < 0.05 * float(expected.abs().max())


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("side", ["content", "style"])
def test_what_is_not_finite_stays_with_its_picture(name: str, value: float, side: str) -> None:
    """Oracle: house rule 10 and the promise on half precision: no exception, a result that is not finite (so that it is
    redone), and the neighbour as without it; 1e-4."""
    content, style = _map(2, 4, 8, 8), _map(2, 4, 8, 8, seed=1)
    expected = _transferred(name, content, style)
    (content if side == "content" else style)[0, 1, 3, 3] = value
    found = _transferred(name, content, style)
    assert not torch.isfinite(found[0]).all()
    assert torch.allclose(found[1], expected[1], atol=1e-4)
