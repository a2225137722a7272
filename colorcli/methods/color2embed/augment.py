"""Self-references (section 3.2): pictures made from the truth, in its colours but of another layout."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_CORNERS = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))  # (x, y) of the unit square, which stay
_INNER = (0.3, 0.7)  # on the diagonal, where the two other control points lie
_REACH = 0.25  # how far along the diagonal they move
_APART = 0.05  # nearer to each other after the move, they would fold the picture into a few pixels: our reading
_SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Which of the transformations."""

    noise: float = 5.0  # standard deviation, 8-bit steps (section 4.1's "variance sigma = 5": our reading)
    warp: bool = True  # thin plate spline
    turn: bool = True  # rotation by any angle, and flips (section 4.1)


@dataclass(frozen=True, slots=True)
class Draw:
    """What is random about one reference."""

    before: tuple[float, float]  # place on the diagonal of the two inner control points, in the picture
    after: tuple[float, float]  # and in the reference
    mirrored: tuple[bool, bool]  # left to right, top to bottom
    angle: float  # of the rotation, radians
    noise: int  # seed of the noise


def draw(seed: int) -> Draw:
    """The random numbers that follow from a seed."""
    generator = torch.Generator().manual_seed(seed)
    low, high = _INNER
    while True:
        inner, moves = torch.rand(2, 2, generator=generator, dtype=torch.float64)
        before = low + (high - low) * inner
        after = before + _REACH * (2 * moves - 1)
        if float((after[0] - after[1]).abs()) >= _APART:
            break
    left, top, angle = torch.rand(3, generator=generator).tolist()
    noise = int(torch.randint(_SEEDS, (1,), generator=generator))
    pair = (float(before[0]), float(before[1])), (float(after[0]), float(after[1]))
    return Draw(*pair, (left < 0.5, top < 0.5), 2 * math.pi * angle, noise)


def self_reference(rgb: Tensor, seeds: Tensor, augmentation: Augmentation) -> Tensor:
    """A reference of each picture: Gaussian noise, then the spline, then flips and a rotation about the middle.

    rgb: (B, 3, H, W) sRGB 0..1. seeds: (B,) int64; a picture's reference follows from its own alone, on each kind of
    device (noise is drawn there). Returns (B, 3, H, W), 0..1. Another number of seeds raises ValueError.

    Geometry is one bilinear sampling. What a rotation brings in from outside is the picture, mirrored, so that a
    reference has no colour that the truth lacks (our reading; the published code leaves black corners).
    """
    if len(seeds) != len(rgb):
        raise ValueError(f"{len(rgb)} pictures need as many seeds, not {len(seeds)}")
    draws = [draw(seed) for seed in seeds.tolist()]
    if augmentation.noise:
        rgb = (rgb + augmentation.noise / 255 * _noise(rgb, draws)).clamp(0, 1)
    if not (augmentation.warp or augmentation.turn):
        return rgb
    height, width = rgb.shape[2:]
    places = pixel_centres(height, width).to(rgb.device).expand(len(rgb), -1, -1, -1)
    if augmentation.turn:
        places = turned(places, [d.mirrored for d in draws], [d.angle for d in draws])
        places = 1 - (1 - places % 2).abs()  # beyond 0..1 the picture goes on mirrored
    if augmentation.warp:
        sources, targets = (_control_points([getattr(d, when) for d in draws]) for when in ("before", "after"))
        places = bent(places, targets, sources)
    sampled = F.grid_sample(rgb, 2 * places - 1, mode="bilinear", padding_mode="reflection", align_corners=False)
    return sampled.clamp(0, 1)


def pixel_centres(height: int, width: int) -> Tensor:
    """Where pixels lie in the unit square: (1, height, width, 2), x and y."""
    rows, columns = ((torch.arange(count) + 0.5) / count for count in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack((x, y), dim=-1)[None]


def turned(places: Tensor, mirrored: list[tuple[bool, bool]], angles: list[float]) -> Tensor:
    """Where in the picture the pixels of the flipped and then rotated picture come from.

    places: (B, H, W, 2) in the unit square. angles: radians, counterclockwise. Returns (B, H, W, 2), perhaps beyond it.
    """
    sides = places.new_tensor((places.shape[2], places.shape[1]))  # a rotation keeps angles in pixels
    x, y = ((places - 0.5) * sides).unbind(-1)
    across, down = (1 - 2 * places.new_tensor(mirrored)).T[:, :, None, None]  # 2 x (B, 1, 1), 1 or -1
    turns = places.new_tensor(angles)[:, None, None]
    cosine, sine = torch.cos(turns), torch.sin(turns)
    back = torch.stack((across * (cosine * x - sine * y), down * (sine * x + cosine * y)), dim=-1)
    return back / sides + 0.5


def bent(places: Tensor, controls: Tensor, values: Tensor) -> Tensor:
    """The thin plate splines through control points, at places (Duchon 1977): least bending, exact at the points.

    places: (B, H, W, 2). controls, values: (B, n, 2) float64 on the CPU; n points that are not on one line and not
    twice the same. Returns (B, H, W, 2): the spline maps controls[:, i] to values[:, i].
    """
    batch, count = controls.shape[:2]
    affine = torch.cat((controls.new_ones(batch, count, 1), controls), dim=2)  # (B, n, 3)
    bending = _kernel((controls[:, :, None] - controls[:, None]).square().sum(-1))  # (B, n, n)
    upper = torch.cat((bending, affine), dim=2)
    lower = torch.cat((affine.mT, controls.new_zeros(batch, 3, 3)), dim=2)
    system = torch.cat((upper, lower), dim=1)  # (B, n + 3, n + 3)
    right = torch.cat((values, values.new_zeros(batch, 3, 2)), dim=1)
    weights = torch.linalg.solve(system, right).to(places)[:, :, None, None]  # (B, n + 3, 1, 1, 2)
    *bends, origin, along_x, along_y = weights.unbind(1)
    x, y = places[..., :1], places[..., 1:]  # (B, H, W, 1)
    result: Tensor = origin + along_x * x + along_y * y
    for weight, control in zip(bends, controls.to(places).unbind(1), strict=True):
        distance = (places - control[:, None, None]).square().sum(-1, keepdim=True)  # (B, H, W, 1), squared
        result = result + weight * _kernel(distance)
    return result


def _kernel(squared: Tensor) -> Tensor:
    """r^2 log r of a squared distance; 0 at 0."""
    kernel: Tensor = 0.5 * torch.xlogy(squared, squared)
    return kernel


def _control_points(inner: list[tuple[float, float]]) -> Tensor:
    """The four corners and two points of the diagonal, for each picture: (B, 6, 2) float64."""
    return torch.tensor([[*_CORNERS, *((t, t) for t in pair)] for pair in inner], dtype=torch.float64)


def _noise(rgb: Tensor, draws: list[Draw]) -> Tensor:
    """Standard normal noise, (B, 3, H, W)."""
    generator = torch.Generator(rgb.device)
    shape = rgb.shape[1:]
    return torch.stack([torch.randn(shape, generator=generator.manual_seed(d.noise), device=rgb.device) for d in draws])
