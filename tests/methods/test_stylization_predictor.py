"""Pre-colorization, transfer, sampling, colorization."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from skimage import color
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.hints import reveal
from colorcli.methods.stylization.colorization import ColorizationNet
from colorcli.methods.stylization.predictor import HintPredictor, Predictor, Sampling
from colorcli.methods.stylization.stylist import Stylist
from colorcli.methods.stylization.transfer import TransferNet


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> object:
    """Networks this small lose their time to the hand-over between threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _networks() -> tuple[TransferNet, ColorizationNet]:
    torch.manual_seed(0)
    transfer, colorization = TransferNet((4, 6, 8, 12)).eval(), ColorizationNet((4, 6, 8, 10), 3).eval()
    for module in colorization.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
    nn.init.normal_(colorization.out[0].weight, std=0.1)  # type: ignore[arg-type]  # far from the ends of tanh
    return transfer, colorization


def _predictor(**settings: Any) -> Predictor:
    return Predictor(*_networks(), **{"reference_side": 32, **settings})


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def _lightness(*shape: int) -> Tensor:
    return 100 * _random(*shape)


@pytest.mark.parametrize("transform", ["adain", "wct"])
def test_every_step(transform: str) -> None:
    """Oracle: each step by hand on the one before: scikit-image's RGB of the pre-colorization (clipped), the stylist,
    scikit-image's ab, `reveal`, the colorization sub-net; 0.01 ab (skimage's rounded constants), 1 ab behind the
    stylist, whose statistics of three pixels pass small differences on enlarged."""
    transfer, colorization = _networks()
    sampling = Sampling(seed=5, least=3)
    predictor = Predictor(transfer, colorization, 0.8, transform=transform, sampling=sampling, reference_side=32)
    lightness, reference = _lightness(2, 1, 32, 24), _random(2, 3, 32, 32, seed=1)
    stages = predictor.stages(lightness, reference)
    colorize = HintPredictor(colorization, 0.8)
    assert torch.equal(stages.precolored, colorize(lightness))
    lab = torch.cat((lightness, stages.precolored), 1).permute(0, 2, 3, 1).double().numpy()
    with warnings.catch_warnings(action="ignore"):  # of colours outside the gamut
        content = torch.from_numpy(color.lab2rgb(lab)).permute(0, 3, 1, 2).float()
    painted = Stylist(transfer, transform).stylize(content, reference)
    expected = torch.from_numpy(color.rgb2lab(painted.permute(0, 2, 3, 1).double().numpy())).permute(0, 3, 1, 2)[:, 1:]
    assert float((stages.transferred - expected).abs().max()) < 1
    hints, mask = reveal(stages.transferred, torch.tensor([5, 5]), whole=0.0, least=3)
    assert torch.equal(stages.hints, torch.cat((hints, mask), 1))
    assert torch.equal(stages.chroma, colorize(lightness, stages.hints))
    assert stages.chroma.dtype is torch.float32 and stages.chroma.shape == (2, 2, 32, 24)
    assert torch.equal(predictor(lightness, predictor.embed(reference)), stages.chroma)


@pytest.mark.parametrize("transform", ["adain", "wct"])
def test_photos_do_not_depend_on_their_neighbours(transform: str) -> None:
    """Oracle: each alone with its own reference; 0.1 ab. One reference for all is its copies, and another reference is
    another result."""
    predictor = _predictor(transform=transform, sampling=Sampling(least=20))
    tints = torch.tensor([[1, 0.4, 0.3], [0.3, 1, 0.5], [0.4, 0.3, 1]])[:, :, None, None]
    lightness, z = _lightness(3, 1, 16, 24), predictor.embed(tints * _random(3, 3, 20, 30, seed=1))
    together = predictor(lightness, z)
    alone = torch.cat([predictor(lightness[i : i + 1], z[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=0.1)
    assert torch.allclose(predictor(lightness, z[:1]), predictor(lightness, z[:1].expand(3, -1)), atol=0.1)
    assert not torch.allclose(together, predictor(lightness, z.flip(0)), atol=0.5)


def test_samples_follow_from_the_seed() -> None:
    """Oracle: the same seed, the same answer, exactly; another seed samples elsewhere; every photo of a batch at the
    same places."""
    lightness, reference = _lightness(2, 1, 32, 32), _random(1, 3, 32, 32, seed=1)
    first = _predictor(sampling=Sampling(seed=1)).stages(lightness, reference)
    again = _predictor(sampling=Sampling(seed=1)).stages(lightness, reference)
    other = _predictor(sampling=Sampling(seed=2)).stages(lightness, reference)
    assert torch.equal(first.chroma, again.chroma) and torch.equal(first.hints, again.hints)
    assert not torch.equal(first.hints[:, 2], other.hints[:, 2])
    assert torch.equal(first.hints[0, 2], first.hints[1, 2])


def test_without_samples_the_result_is_automatic() -> None:
    """Oracle: the pre-colorization, exactly, where nothing is sampled."""
    stages = _predictor(sampling=Sampling(stop=1.0, least=0)).stages(_lightness(1, 1, 16, 16), _random(1, 3, 16, 16))
    assert not stages.hints.any() and torch.equal(stages.chroma, stages.precolored)


def test_a_persons_hints_come_first() -> None:
    """Oracle: by hand: the person's where there are some, the samples elsewhere; the answer is that to these hints."""
    predictor = _predictor(sampling=Sampling(stop=1 / 100, least=30))
    lightness, reference = _lightness(1, 1, 32, 32), _random(1, 3, 32, 32, seed=1)
    hints = torch.zeros(1, 3, 32, 32)
    hints[:, :, 10:20, 10:20] = torch.tensor([40.0, 30.0, 1.0])[:, None, None]
    sampled, both = predictor.stages(lightness, reference), predictor.stages(lightness, reference, hints=hints)
    assert torch.equal(both.hints[..., 10:20, 10:20], hints[..., 10:20, 10:20])
    outside = hints[0, 2] == 0
    assert torch.equal(both.hints[..., outside], sampled.hints[..., outside])
    assert bool(sampled.hints[0, 2, 10:20, 10:20].any())
    assert torch.equal(predictor(lightness, predictor.embed(reference), None, hints), both.chroma)


@pytest.mark.parametrize("size", [(1, 1), (9, 300), (200, 100), (32, 32)])
def test_references_of_any_size(size: tuple[int, int]) -> None:
    """Oracle: the contract: one vector length for all, so that they can be joined; finite chroma, for gray and for
    one-coloured references too."""
    for transform in ("adain", "wct"):
        predictor = _predictor(transform=transform)
        lightness = _lightness(3, 1, 16, 16)
        gray = _random(1, 1, *size, seed=1).expand(1, 3, *size)
        references = (_random(1, 3, *size, seed=1), gray, torch.full((1, 3, *size), 0.4))
        z = torch.cat([predictor.embed(reference) for reference in references])
        assert z.dtype is torch.float32
        assert bool(torch.isfinite(predictor(lightness, z)).all())


def test_segments() -> None:
    """Oracle: exchanged labels exchange what the halves of the photo become; those of one side are named."""
    predictor, lightness = _predictor(), _lightness(1, 1, 16, 32)
    reference = _random(1, 3, 32, 32, seed=1)
    reference[:, 0, :16] *= 0.2
    here, there = torch.tensor([[[0, 1]]]), torch.tensor([[[0], [1]]])
    straight, crossed = (predictor.stages(lightness, reference, (here, labels)) for labels in (there, 1 - there))
    assert float((straight.transferred - crossed.transferred).abs().mean()) > 1
    assert torch.equal(straight.precolored, crossed.precolored)
    with pytest.raises(UsageError, match="the reference's segment map has labels that the target's lacks: 7"):
        predictor.stages(lightness, reference, (here, torch.tensor([[[0, 1, 7]]])))


@pytest.mark.parametrize("transform", ["adain", "wct"])
def test_an_embedding_has_its_regions(transform: str) -> None:
    """Oracle: `stages`, which is given the same maps; exact, also with the steps; a region that is nowhere in the
    reference, one pixel of the photo, and an embedding that is of fewer numbers."""
    predictor, lightness = _predictor(transform=transform), _lightness(2, 1, 16, 32)
    reference = _random(1, 3, 40, 24, seed=1)
    here, there = torch.zeros(2, 16, 32, dtype=torch.uint8), torch.zeros(1, 40, 24, dtype=torch.uint8)
    here[:, 4:, 9:], there[:, 7:] = 1, 1
    z = predictor.embed(reference, there, 2)
    assert z.shape == (1, 2 * predictor.embed(reference).shape[1])
    expected = predictor.stages(lightness, reference, (here, there))
    assert torch.equal(predictor(lightness, z, here), expected.chroma)
    chroma, steps = predictor.with_stages(lightness, z, here)
    assert torch.equal(chroma, expected.chroma) and torch.equal(steps[:, 2:4], expected.transferred)
    here[:, 3, 3] = 2
    assert bool(torch.isfinite(predictor(lightness, predictor.embed(reference, there, 3), here)).all())
    with pytest.raises(ValueError, match=r"expected styles \(B, a multiple of \d+\), not \(1, 7\)"):
        predictor(lightness, z[:, :7], here)


def test_content() -> None:
    """Oracle: MethodSpec's comment: of length 1 (1e-5), nearer for the same photo made brighter than for another."""
    predictor = _predictor()
    photo, other = _lightness(1, 1, 32, 48), 100 * _random(1, 1, 48, 32, seed=1)
    own, like, unlike = (predictor.content(one)[0] for one in (photo, 0.95 * photo + 2, other))
    assert own.shape == (16 * 12,) and abs(float(own.norm()) - 1) < 1e-5
    assert float(own @ like) > float(own @ unlike)


def test_other_shapes_name_what_was_expected() -> None:
    """Oracle: house rule 9."""
    predictor, lightness = _predictor(), _lightness(2, 1, 16, 16)
    z = predictor.embed(_random(1, 3, 16, 16))
    with pytest.raises(ValueError, match=r"multiples of 8, got \(16, 20\): pad outside"):
        predictor(_lightness(1, 1, 16, 20), z)
    with pytest.raises(ValueError, match=r"expected a reference \(B, 3, h, w\), got \(1, 1, 8, 8\)"):
        predictor.embed(_random(1, 1, 8, 8))
    with pytest.raises(ValueError, match=r"expected styles \(B, \d+\), not \(1, 512\)"):
        predictor(lightness, torch.zeros(1, 512))
    with pytest.raises(ValueError, match="expected styles of 2 pictures or of one, not of 3"):
        predictor(lightness, z.expand(3, -1))
    with pytest.raises(ValueError, match=r"expected \(B, 1, H, W\), got \(1, 3, 16, 16\)"):
        predictor.content(_random(1, 3, 16, 16))
    with pytest.raises(ValueError, match=r"expected hints \(B, 3, H, W\)"):
        predictor(lightness, z, None, torch.zeros(2, 3, 8, 8))
    with pytest.raises(ValueError, match=r"expected segments \(2, h, w\), got \(2, 3, 8, 8\)"):
        predictor(lightness, z, torch.zeros(2, 3, 8, 8))
    with pytest.raises(ValueError, match=r"expected segments \(1, h, w\), got \(2, 8, 8\)"):
        predictor.embed(_random(1, 3, 16, 16), torch.zeros(2, 8, 8), 1)


def test_bf16() -> None:
    """Oracle: a spec with `half` promises a tenth of the largest chroma; the pre-colorization keeps it. Behind the
    samples both are finite and float32."""
    predictor, lightness = _predictor(), _lightness(1, 1, 32, 32)
    reference = _random(1, 3, 32, 32, seed=1)
    exact = predictor.stages(lightness, reference)
    with torch.autocast("cpu", torch.bfloat16):
        rough = predictor.stages(lightness, reference)
    largest = float(exact.precolored.abs().max())
    assert float((rough.precolored - exact.precolored).abs().max()) < 0.1 * largest
    for stage in (rough.precolored, rough.transferred, rough.chroma):
        assert stage.dtype is torch.float32 and bool(torch.isfinite(stage).all())


@pytest.mark.parametrize(
    ("settings", "message"), [({"stop": 0}, r"stop must be in \(0, 1\], not 0"), ({"least": -1}, "least must be 0 or")]
)
def test_samplings_that_do_not_exist(settings: dict[str, Any], message: str) -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)
