"""PatchMatch: the engines against each other, against plain loops over patches, and on input that means harm."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from colorcli.bench.patchmatch import features
from colorcli.errors import UsageError
from colorcli.methods.multimodal.patchmatch.engines import match
from colorcli.methods.multimodal.patchmatch.match import Match, Matches, enlarged, warp
from colorcli.methods.multimodal.patchmatch.pyramid import match_levels

CPU = torch.device("cpu")
needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")


def _features(name: str, side: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return features(name, side, 1, dtype, CPU)


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _ways(matches: Matches) -> tuple[Match, Match]:
    return matches.forward, matches.backward


def _by_unfolding(target: Tensor, reference: Tensor) -> Tensor:
    """Similarities of all patches of one picture, (H W, h w), float64: unfolded patches, one product."""
    rows = []
    for maps in (target, reference):
        unit = F.pad(F.normalize(maps.double(), dim=1), (1, 1, 1, 1), mode="replicate")
        rows.append(F.unfold(unit, 3)[0].T)  # (1, 9 C, N) -> (N, 9 C)
    return rows[0] @ rows[1].T / 9


@pytest.mark.parametrize("sizes", [((9, 13), (7, 5)), ((1, 1), (1, 1)), ((2, 1), (1, 30)), ((16, 16), (16, 16))])
def test_exact_is_the_best_of_all(sizes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Oracle: every patch with every other by unfolding, in float64; similarity 1e-5 (float32 sums of nine), and the
    field points to a patch of that similarity."""
    target, reference = (_random(2, 6, *size, seed=number) for number, size in enumerate(sizes))
    found = match(target, reference, engine="exact")
    for image in range(2):
        all_pairs = _by_unfolding(target[image : image + 1], reference[image : image + 1])
        for way, pairs, width in ((found.forward, all_pairs, sizes[1][1]), (found.backward, all_pairs.T, sizes[0][1])):
            similarity = way.similarity[image].flatten().double()
            assert torch.allclose(similarity, pairs.max(1).values, atol=1e-5)
            index = (way.field[image, 0] * width + way.field[image, 1]).flatten()
            assert torch.allclose(pairs.gather(1, index[:, None])[:, 0], similarity, atol=1e-5)


def test_exact_in_slabs() -> None:
    """Oracle: unfolding, as above, at a size that is looked at in several slabs of rows."""
    target, reference = _features("astronaut", 48), _features("chelsea", 44)
    found = match(target, reference, engine="exact")
    pairs = _by_unfolding(target, reference)
    for way, best in zip(_ways(found), (pairs.max(1).values, pairs.max(0).values), strict=True):
        assert torch.allclose(way.similarity.flatten().double(), best, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("side", "names"), [(64, ("astronaut", "chelsea")), (72, ("coffee", "rocket"))])
def test_a_search_is_nearly_as_good(dtype: torch.dtype, side: int, names: tuple[str, str]) -> None:
    """Oracle: the exact engine: mean similarity of at least 99 % of it, both ways, on photographs seen through fixed
    random filters."""
    target, reference = (_features(name, side, dtype) for name in names)
    exact, searched = (match(target, reference, engine=engine) for engine in ("exact", "torch"))
    for best, found in zip(_ways(exact), _ways(searched), strict=True):
        assert float(found.similarity.mean()) >= 0.99 * float(best.similarity.mean())


@pytest.mark.parametrize("engine", ["exact", "torch"])
def test_a_shifted_copy(engine: str) -> None:
    """Oracle: the shift, in the interior that both pictures show: all of it for "exact", 99 % for a search by chance;
    similarity is 1 there (1e-5)."""
    whole = _features("chelsea", 72)
    down, across = 5, 7
    target, reference = whole[:, :, :60, :60], whole[:, :, down : down + 60, across : across + 60]
    found = match(target, reference, engine=engine).forward
    rows, columns = torch.meshgrid(torch.arange(60), torch.arange(60), indexing="ij")
    right = (found.field[0, 0] == rows - down) & (found.field[0, 1] == columns - across)
    inside = right[down + 1 : -1, across + 1 : -1]
    share = float(inside.float().mean())
    assert share == 1 if engine == "exact" else share >= 0.99
    assert float((found.similarity[0, down + 1 : -1, across + 1 : -1][inside] - 1).abs().max()) < 1e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype) -> None:
    """Oracle: what the field found in half precision is worth in float32, by unfolding: the mean within 0.2 % of the
    exact best (eight bits of a cosine), and what is said of it within 0.01."""
    target, reference = _features("astronaut", 32), _features("chelsea", 32)
    found = match(target.to(dtype), reference.to(dtype), engine="exact").forward
    pairs = _by_unfolding(target, reference)
    index = (found.field[0, 0] * 32 + found.field[0, 1]).flatten()
    worth = pairs.gather(1, index[:, None])[:, 0]
    assert float(worth.mean()) >= 0.998 * float(pairs.max(1).values.mean())
    assert float((worth - found.similarity.flatten()).abs().max()) < 0.01


@pytest.mark.parametrize("engine", ["exact", "torch"])
def test_the_same_seed_gives_the_same_field(engine: str) -> None:
    """Oracle: itself; exact. Another seed moves some matches of a search."""
    target, reference = _features("coffee", 40), _features("rocket", 40)
    one, same, other = (match(target, reference, engine=engine, seed=seed).forward for seed in (3, 3, 4))
    assert torch.equal(one.field, same.field) and torch.equal(one.similarity, same.similarity)
    assert torch.equal(one.field, other.field) == (engine == "exact")


@pytest.mark.parametrize("engine", ["exact", "torch"])
def test_pictures_do_not_influence_each_other(engine: str) -> None:
    """Oracle: each pair alone; exact."""
    target = torch.cat((_features("coffee", 24), _features("rocket", 24)))
    reference = torch.cat((_features("astronaut", 24), _features("chelsea", 24)))
    together = match(target, reference, engine=engine).forward
    for image in range(2):
        alone = match(target[image : image + 1], reference[image : image + 1], engine=engine).forward
        assert torch.equal(together.field[image], alone.field[0])


@needs_triton
def test_the_kernel_agrees() -> None:
    """Oracle: the torch engine, in Triton's interpreter on the CPU, without and with a reach: the same fields but for
    patches whose best candidates are equal to 1e-5, sizes that no block divides."""
    code = """
import torch
from colorcli.methods.multimodal.patchmatch.engines import match
from colorcli.methods.multimodal.patchmatch.match import enlarged
from colorcli.bench.patchmatch import features
def seen(names, side):
    return torch.cat([features(name, side, 1, torch.float32, torch.device("cpu"))[:, :5] for name in names])
target = seen(("astronaut", "coffee"), 9)
reference = seen(("chelsea", "rocket"), 11)[..., :7]
starts = tuple(torch.full((2, 2, *size), 4) for size in ((9, 9), (11, 7)))
for further in ({}, {"starts": starts, "reach": 3}):
    one, other = (match(target, reference, engine=engine, seed=1, **further) for engine in ("torch", "triton"))
    for way in ("forward", "backward"):
        a, b = getattr(one, way), getattr(other, way)
        assert float((a.similarity - b.similarity).abs().max()) < 1e-5
        assert float((a.field == b.field).all(1).float().mean()) > 0.95
"""
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@needs_triton
def test_the_kernel_compiles_without_a_gpu() -> None:
    """Oracle: Triton's own compiler, for an H100: machine code comes out."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    from colorcli.methods.multimodal.patchmatch import kernel

    constants = {"channels": 64, "side": 3, "patch_block": 16, "candidate_block": 8, "channel_block": 64}
    pointers = {"target": "*bf16", "reference": "*bf16", "candidates": "*i32", "index": "*i64", "similarity": "*fp32"}
    names = kernel._best.arg_names
    signature = {name: pointers.get(name, "constexpr" if name in constants else "i32") for name in names}
    built = compile(ASTSource(kernel._best, signature, constants), target=GPUTarget("cuda", 90, 32))
    assert built.asm["cubin"]


@pytest.mark.gpu
@needs_triton
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_the_kernel_on_a_gpu() -> None:
    """Oracle: the torch engine on the CPU with the same seed: mean similarity to 0.1 %, nine tenths of the field (a
    search's start is compared in bf16 on machines where that is fast, so that some begin elsewhere)."""
    target, reference = _features("astronaut", 64), _features("chelsea", 64)
    expected = match(target, reference, engine="torch").forward
    found = match(target.cuda(), reference.cuda(), engine="triton").forward
    assert float(found.similarity.mean()) == pytest.approx(float(expected.similarity.mean()), rel=1e-3)
    assert float((found.field.cpu() == expected.field).all(1).float().mean()) > 0.9


@pytest.mark.skipif(torch.cuda.is_available(), reason="here it can run")
def test_the_kernel_needs_a_gpu() -> None:
    """Oracle: the contract: UsageError that names another engine."""
    with pytest.raises(UsageError, match="use torch"):
        match(_random(1, 3, 8, 8), _random(1, 3, 8, 8), engine="triton")


@pytest.mark.parametrize("engine", ["exact", "torch"])
@pytest.mark.parametrize("sizes", [((40, 24), (20, 60)), ((3, 3), (64, 64)), ((1, 1), (9, 2)), ((15, 8), (1, 1))])
def test_other_sizes_and_aspects(engine: str, sizes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Oracle: the contract's shapes; fields inside of the other map, finite similarity of at most 1."""
    target, reference = (_random(1, 4, *size, seed=number) for number, size in enumerate(sizes))
    for way, own, other in zip(_ways(match(target, reference, engine=engine)), sizes, sizes[::-1], strict=True):
        assert way.field.shape == (1, 2, *own) and way.similarity.shape == (1, *own)
        assert way.field.dtype is torch.int64 and way.similarity.dtype is torch.float32
        assert int(way.field.min()) >= 0
        assert all(int(way.field[:, axis].max()) < other[axis] for axis in (0, 1))
        assert torch.isfinite(way.similarity).all() and float(way.similarity.abs().max()) <= 1


@pytest.mark.parametrize("engine", ["exact", "torch"])
def test_one_flat_colour_and_nothing_at_all(engine: str) -> None:
    """Oracle: closed form: flat features are all like each other, 1 (1e-5); features of 0 are like nothing, 0."""
    flat, nothing = torch.full((1, 4, 20, 20), 3.0), torch.zeros(1, 4, 20, 20)
    assert torch.allclose(match(flat, flat, engine=engine).forward.similarity, torch.ones(1, 20, 20), atol=1e-5)
    found = match(nothing, flat, engine=engine)
    assert not found.forward.similarity.any() and not found.backward.similarity.any()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_features_that_are_not_finite(value: float) -> None:
    """Oracle: the contract: ValueError that says of which and what to do, for one bad number in either map; also for
    one whose square overflows."""
    good = _random(1, 3, 8, 8)
    bad = good.clone()
    bad[0, 1, 7, 2] = value
    for pair, name in (((bad, good), "target"), ((good, bad), "reference")):
        with pytest.raises(ValueError, match=f"the {name} features are not finite.*fp32"):
            match(*pair)


@pytest.mark.parametrize(
    ("target", "reference", "message"),
    [
        (torch.zeros(3, 8, 8), torch.zeros(1, 3, 8, 8), "expected target features"),
        (torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8, dtype=torch.int64), "expected reference features"),
        (torch.zeros(1, 3, 0, 8), torch.zeros(1, 3, 8, 8), "at least one pixel"),
        (torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 8, 8), "as many pictures and channels"),
        (torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, 8, 8), "as many pictures and channels"),
        (torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8).bfloat16(), "the same type"),
    ],
)
def test_other_shapes(target: Tensor, reference: Tensor, message: str) -> None:
    """Oracle: the contract: ValueError that says what was expected."""
    with pytest.raises(ValueError, match=message):
        match(target, reference)


def test_requests_that_cannot_be() -> None:
    """Oracle: the contract."""
    maps = _random(1, 3, 8, 8)
    with pytest.raises(UsageError, match="no PatchMatch engine is called 'cuda'"):
        match(maps, maps, engine="cuda")
    with pytest.raises(ValueError, match="needs starts"):
        match(maps, maps, reach=2)
    with pytest.raises(ValueError, match=r"expected a start \(1, 2, 8, 8\)"):
        match(maps, maps, engine="torch", starts=(torch.zeros(1, 2, 4, 4).long(),) * 2)


@pytest.mark.parametrize("engine", ["exact", "torch"])
def test_a_reach_is_kept(engine: str) -> None:
    """Oracle: unfolding, limited to the window around the start: "exact" finds its best (1e-5), a search of 20 of its
    81 patches 95 % of that, and no match lies outside."""
    target, reference = _features("coffee", 24), _features("astronaut", 24)
    start = torch.stack(torch.meshgrid(torch.arange(24), torch.arange(24), indexing="ij"))[None]
    found = match(target, reference, engine=engine, starts=(start, start), reach=4).forward
    away = (found.field - start).abs().amax(1)
    assert int(away.max()) == 4
    pairs = _by_unfolding(target, reference)
    places = start[0].flatten(1).T  # (H W, 2)
    pairs[(places[:, None] - places[None]).abs().amax(2) > 4] = -1
    best = pairs.max(1).values
    if engine == "exact":
        assert torch.allclose(found.similarity.flatten().double(), best, atol=1e-5)
    assert float(found.similarity.mean()) >= 0.95 * float(best.mean())


def test_levels_start_from_coarser_ones() -> None:
    """Oracle: with a reach of 2, every finer match lies within 2 of where the coarser points; without one, the finest
    is the exact engine's, whatever the coarser say."""
    target = [_random(1, 4, side, side) for side in (16, 8, 4)]
    reference = [_random(1, 5 - 1, side, 2 * side, seed=1) for side in (16, 8, 4)]
    found = match_levels(target, reference, engine="exact", reach=2)
    for fine, coarse, side in ((0, 1, 16), (1, 2, 8)):
        start = enlarged(found[coarse].forward.field, (side // 2, side), (side, side), (side, 2 * side))
        assert int((found[fine].forward.field - start).abs().max()) <= 2
    free = match_levels(target, reference, engine="exact")[0].forward
    assert torch.equal(free.field, match(target[0], reference[0], engine="exact").forward.field)
    with pytest.raises(ValueError, match="as many levels of both"):
        match_levels(target, reference[:2])


def test_fields_grow_with_the_picture() -> None:
    """Oracle: closed form: the identity of 3 x 5 becomes the identity of 6 x 11, also into another size."""
    identity = torch.stack(torch.meshgrid(torch.arange(3), torch.arange(5), indexing="ij"))[None]
    large = torch.stack(torch.meshgrid(torch.arange(6), torch.arange(11), indexing="ij"))[None]
    assert torch.equal(enlarged(identity, (3, 5), (6, 11), (6, 11)), large)
    assert torch.equal(enlarged(identity, (3, 5), (6, 11), (12, 22))[:, :, :, :].div(2, rounding_mode="floor"), large)


def test_there_and_back() -> None:
    """Oracle: plain loops over the pixels of a random pair of fields; exact."""
    generator = torch.Generator().manual_seed(0)
    forward = Match(torch.randint(0, 3, (1, 2, 4, 5), generator=generator), _random(1, 4, 5))
    backward = Match(torch.randint(0, 4, (1, 2, 3, 6), generator=generator), _random(1, 3, 6))
    back = Matches(forward, backward).there_and_back()
    values = _random(1, 2, 4, 5)
    warped = warp(values, back.field)
    for row in range(4):
        for column in range(5):
            y, x = forward.field[0, :, row, column].tolist()
            v, u = backward.field[0, :, y, x].tolist()
            assert back.field[0, :, row, column].tolist() == [v, u]
            assert back.similarity[0, row, column] == backward.similarity[0, y, x]
            assert torch.equal(warped[0, :, row, column], values[0, :, v, u])


def test_fields_that_point_outside() -> None:
    """Oracle: the contract."""
    with pytest.raises(ValueError, match="points outside of 3 rows and 4 columns"):
        warp(torch.zeros(1, 2, 3, 4), torch.full((1, 2, 5, 5), 3))
