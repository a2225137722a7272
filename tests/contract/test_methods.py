"""What every registered method keeps, in every variant. A new method is tested here without a line being added,
unless its predictor takes more than a lightness: then `Case.predict` learns how to call it."""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from colorcli.methods.objective import Objective
from colorcli.methods.registry import METHODS, networks_of
from colorcli.methods.spec import MethodSpec

COMPACT_PARAMETERS = 8_000_000  # at inference: under 16 MiB in fp16
VARIANTS = [(spec.name, variant) for spec in METHODS for variant in spec.variants]
SETTINGS = [
    pytest.param(spec.name, key, choice, id=f"{spec.name}-{key}-{choice}")
    for spec in METHODS
    for key, choices in spec.settings.items()
    for choice in choices
]


@dataclass
class Case:
    """A method in one variant, built with random weights."""

    spec: MethodSpec
    variant: str
    network: nn.Module  # of a method of several parts a list of theirs
    predictor: Any

    def lightness(self, batch: int, rows: int, columns: int, seed: int = 0) -> Tensor:
        """(batch, 1, rows x multiple, columns x multiple), CIE L."""
        generator = torch.Generator().manual_seed(seed)
        return 100 * torch.rand(batch, 1, rows * self.spec.multiple, columns * self.spec.multiple, generator=generator)

    def predict(self, lightness: Tensor) -> Tensor:
        """What the method answers; here is the place to give a reference or a film's other frames."""
        if self.spec.temporal:
            raise NotImplementedError(f"say here how {self.spec.name} is called")
        chroma: Tensor = self.predictor(lightness, *self.referred(len(lightness)))
        return chroma

    def referred(self, batch: int) -> tuple[Tensor | None, ...]:
        """What stands before hints and seeds: of a method with a reference its embedding, and no segments."""
        return (self.embedding.expand(batch, -1), None) if self.spec.takes_segments else self.embedded(batch)

    def embedded(self, batch: int) -> tuple[Tensor, ...]:
        """The embedding alone."""
        return (self.embedding.expand(batch, -1),) if self.spec.needs_reference else ()

    @functools.cached_property
    def embedding(self) -> Tensor:
        """Of one reference, for methods that need one: (1, 512)."""
        z: Tensor = self.predictor.embed(torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1)))
        return z


def _build(name: str, variant: str, **settings: Any) -> Case:
    torch.manual_seed(0)
    spec = METHODS[name]
    networks = [part.load("network")(**{**part.variants[variant], **settings}).eval() for part in networks_of(name)]
    network = nn.ModuleList(networks).eval() if spec.parts else networks[0]
    return Case(spec, variant, network, spec.load("predictor")(*networks))


@pytest.fixture(scope="class", params=VARIANTS, ids="-".join)
def case(request: pytest.FixtureRequest) -> Case:
    return _build(*request.param)


class TestEveryVariant:
    """Run over every method and variant."""

    @pytest.mark.parametrize(("batch", "rows", "columns"), [(1, 1, 1), (2, 2, 3), (1, 5, 1), (3, 4, 4)])
    def test_any_multiple_gives_chroma_of_its_size(self, case: Case, batch: int, rows: int, columns: int) -> None:
        """Oracle: the predictor's contract: (B, 1, H, W) -> (B, 2, H, W) float32, finite, for any
        multiple of the sides; and not the same everywhere."""
        lightness = case.lightness(batch, rows, columns)
        kept = lightness.clone()
        chroma = case.predict(lightness)
        assert chroma.shape == (batch, 2, *lightness.shape[2:])
        assert chroma.dtype is torch.float32
        assert torch.isfinite(chroma).all()
        assert float(chroma.abs().max()) <= 128
        assert float(chroma.std()) > 0
        assert torch.equal(lightness, kept)

    @pytest.mark.parametrize(("taller", "wider"), [(1, 0), (0, 1), (-1, -1)])
    def test_other_sides_name_the_remedy(self, case: Case, taller: int, wider: int) -> None:
        """Oracle: house rule 9: ValueError with what was found, what was expected, and what to do."""
        multiple = case.spec.multiple
        height, width = 2 * multiple + taller, 2 * multiple + wider
        with pytest.raises(ValueError, match=rf"multiples of {multiple}, got \({height}, {width}\): pad outside"):
            case.predict(torch.full((1, 1, height, width), 50.0))

    @pytest.mark.parametrize("shape", [(1, 3), (1,), ()])
    def test_other_shapes_name_what_was_expected(self, case: Case, shape: tuple[int, ...]) -> None:
        """Oracle: the same rule, for RGB where lightness belongs and for a missing batch or channel dimension."""
        side = 2 * case.spec.multiple
        with pytest.raises((ValueError, RuntimeError, IndexError)) as caught:
            case.predict(torch.full((*shape, side, side), 50.0))
        assert caught.type is ValueError
        assert "expected (B, " in str(caught.value)

    def test_a_photo_does_not_depend_on_its_neighbours(self, case: Case) -> None:
        """Oracle: each photo alone; 0.01 ab, far below an 8-bit step (sums in another order)."""
        lightness = case.lightness(3, 2, 3)
        together = case.predict(lightness)
        alone = torch.cat([case.predict(photo[None]) for photo in lightness])
        assert torch.allclose(together, alone, atol=0.01, rtol=0)
        assert not torch.allclose(together[0], together[1], atol=0.01)

    def test_the_same_input_gives_the_same_output(self, case: Case) -> None:
        """Oracle: itself, asked twice; exact."""
        lightness = case.lightness(1, 2, 2)
        assert torch.equal(case.predict(lightness), case.predict(lightness))

    def test_hints_are_taken_where_the_spec_says_so(self, case: Case) -> None:
        """Oracle: `Predict`'s contract: empty hints are none, exact; a hinted photo changes, its neighbour does not
        (0.01 ab, as above)."""
        if not case.spec.takes_hints:
            pytest.skip("it takes none")
        lightness = case.lightness(2, 2, 3)
        plain = case.predict(lightness)
        hints = torch.zeros(2, 3, *lightness.shape[2:])
        given = case.referred(2)
        assert torch.equal(case.predictor(lightness, *given, hints), plain)
        hints[0, :, 4:9, 4:9] = torch.tensor([60.0, -40.0, 1.0])[:, None, None]
        hinted = case.predictor(lightness, *given, hints)
        assert hinted.shape == plain.shape and float((hinted[0] - plain[0]).abs().max()) > 0.01
        assert torch.allclose(hinted[1], plain[1], atol=0.01, rtol=0)

    def test_attention_is_told_where_the_spec_says_so(self, case: Case) -> None:
        """Oracle: MethodSpec's comment: the same chroma (1e-4), and a map of the photo's size, 0..1, in the contract's
        shape; without the fact there is no such call."""
        assert hasattr(case.predictor, "with_attention") is case.spec.attention
        if not case.spec.attention:
            return
        lightness = case.lightness(2, 2, 3)
        chroma, attention = case.predictor.with_attention(lightness)
        assert torch.allclose(chroma, case.predict(lightness), atol=1e-4)
        assert attention.shape == (2, 1, *lightness.shape[2:]) and attention.dtype is torch.float32
        assert 0 <= float(attention.min()) < float(attention.max()) <= 1

    def test_matches_are_told_where_the_spec_says_so(self, case: Case) -> None:
        """Oracle: MethodSpec's comment: the same chroma (1e-4), the reference's chroma within its own range (1e-4),
        similarities of as many levels there as back, -1..1, and places 0..1, all float32 of the photo's size; without
        the fact there is no such call; no spec promises planes of two kinds."""
        assert hasattr(case.predictor, "with_matches") is case.spec.matches
        assert hasattr(case.predictor, "there_and_back") is case.spec.matches
        assert case.spec.attention + case.spec.matches + bool(case.spec.stages) == bool(case.spec.showing)
        if not case.spec.matches:
            return
        lightness, z = case.lightness(2, 2, 3), case.embedding.expand(2, -1)
        chroma, brought, alike, places = case.predictor.with_matches(lightness, z)
        assert torch.allclose(chroma, case.predict(lightness), atol=1e-4)
        for maps, count in ((brought, 2), (alike, len(alike[0])), (places, 2)):
            assert maps.shape == (2, count, *lightness.shape[2:]) and maps.dtype is torch.float32
        assert len(alike[0]) % 2 == 0 and float(alike.abs().max()) <= 1 + 1e-4
        assert 0 <= float(places.min()) < float(places.max()) <= 1
        assert 0 < float(brought.abs().max()) <= 128
        back = case.predictor.there_and_back(lightness, z, brought)
        assert back.shape == brought.shape and float(back.abs().max()) <= float(brought.abs().max())

    def test_stages_are_shown_where_the_spec_says_so(self, case: Case) -> None:
        """Oracle: MethodSpec's comment: the same chroma (exact), and two planes for each stage, finite, of the photo's
        size; without the fact there is no such call."""
        assert hasattr(case.predictor, "with_stages") is bool(case.spec.stages)
        if not case.spec.stages:
            return
        lightness = case.lightness(2, 2, 3)
        given = case.embedded(2)
        chroma, stages = case.predictor.with_stages(lightness, *given)
        assert torch.equal(chroma, case.predict(lightness))
        assert stages.shape == (2, 2 * len(case.spec.stages), *lightness.shape[2:])
        assert stages.dtype is torch.float32 and bool(torch.isfinite(stages).all())

    def test_draws_follow_from_the_seed_where_the_spec_says_so(self, case: Case) -> None:
        """Oracle: MethodSpec's comment: each photo alone with its seed (0.01 ab, as above); among eight seeds one draws
        otherwise."""
        if not case.spec.draws:
            pytest.skip("it draws nothing")
        lightness = case.lightness(1, 4, 4)
        given = case.referred(1)
        alone = [case.predictor(lightness, *given, None, torch.tensor([seed])) for seed in range(8)]
        both = case.predictor(lightness.expand(2, -1, -1, -1), *case.referred(2), None, torch.tensor([3, 5]))
        assert torch.allclose(both, torch.cat((alone[3], alone[5])), atol=0.01)
        assert any(not torch.equal(alone[0], other) for other in alone[1:])
        with pytest.raises(ValueError, match=r"expected seeds \(1,\), got \(2,\)"):
            case.predictor(lightness, *given, None, torch.tensor([1, 2]))

    def test_segments_are_taken_where_the_spec_says_so(self, case: Case) -> None:
        """Oracle: MethodSpec's comment: an embedding of both regions is as long as two; regions that are exchanged
        exchange what the photo's halves become; one alone is none (0.5 ab, which sums in another order come to)."""
        if not case.spec.takes_segments:
            pytest.skip("it takes none")
        lightness, reference = case.lightness(1, 2, 4), torch.rand(1, 3, 32, 32)
        reference[:, 0, :16] *= 0.2
        there, here = torch.zeros(1, 32, 32, dtype=torch.uint8), torch.zeros(1, *lightness.shape[2:], dtype=torch.uint8)
        one = case.predictor(lightness, case.predictor.embed(reference, there, 1), here)
        assert torch.allclose(one, case.predictor(lightness, case.predictor.embed(reference)), atol=0.5)
        there[:, 16:], here[..., 16:] = 1, 1
        straight, crossed = (case.predictor.embed(reference, labels, 2) for labels in (there, 1 - there))
        assert straight.shape == (1, 2 * case.embedding.shape[1]) and straight.dtype is torch.float32
        found = [case.predictor(lightness, z, here) for z in (straight, crossed)]
        assert all(bool(torch.isfinite(chroma).all()) for chroma in found) and not torch.equal(*found)

    def test_references_are_looked_at_where_the_spec_says_so(self, case: Case) -> None:
        """Oracle: MethodSpec's comment: embeddings of references of any size, and what a lightness shows as a vector of
        length 1 (1e-5) that is nearer for the same photo a little brighter than for another; without the fact there
        are no such calls."""
        assert hasattr(case.predictor, "embed") is hasattr(case.predictor, "content") is case.spec.needs_reference
        if not case.spec.needs_reference:
            return
        z = case.predictor.embed(torch.rand(2, 3, 9, 300))
        assert z.shape == (2, case.embedding.shape[1]) and z.dtype is torch.float32
        photo, other = case.lightness(1, 4, 6), case.lightness(1, 6, 4, seed=1)
        own, like, unlike = (case.predictor.content(one)[0] for one in (photo, 0.95 * photo + 2, other))
        assert own.shape == unlike.shape and own.dtype is torch.float32
        assert abs(float(own.norm()) - 1) < 1e-5
        assert float(own @ like) > float(own @ unlike)

    def test_bf16_is_usable(self, case: Case) -> None:
        """Oracle: the same in fp32; a spec with `half` promises to stay within a tenth of the chroma's largest value
        (bf16 keeps 8 bits; some ten roundings in a row)."""
        if not case.spec.half:
            pytest.skip("the spec does not promise it")
        side = 32 // case.spec.multiple  # on 8 px an instance norm has four values, and rounding decides their signs
        lightness = case.lightness(1, side, side)
        exact = case.predict(lightness)
        with torch.autocast("cpu", torch.bfloat16):
            rough = case.predict(lightness)
        assert rough.dtype is torch.float32
        assert not torch.equal(rough, exact)
        assert float((rough - exact).abs().max()) < 0.1 * float(exact.abs().max())

    def test_compact_is_small(self, case: Case) -> None:
        """Oracle: methods.md's ceiling for a file that ships, 8 M parameters; and paper has one that is larger."""
        networks = case.network if case.spec.parts else [case.network]
        count = max(sum(parameter.numel() for parameter in network.parameters()) for network in networks)
        assert (count <= COMPACT_PARAMETERS) == (case.variant == "compact")

    def test_the_spec_is_filled_in(self, case: Case) -> None:
        """Oracle: MethodSpec's own comments."""
        spec = case.spec
        assert spec.task in ("auto", "exemplar")
        assert {"paper", "compact"} <= set(spec.variants)
        assert spec.size % spec.multiple == 0
        assert all((spec.title, spec.paper, spec.licence, 2000 < spec.year < 2100))
        assert all(len(choices) > 1 for choices in spec.choices.values())
        if spec.objective:
            objective = spec.load("objective")(case.network, {})
            assert isinstance(objective, Objective)
            assert objective.network is case.network
            assert all(any(True for _ in objective.get_submodule(p).parameters()) for p in objective.players)
            stored = [value.data_ptr() for value in objective.state_dict().values()]
            assert len(set(stored)) == len(stored)  # a checkpoint holds each weight once


class TestEverySetting:
    """Run over every choice of every setting that a spec offers."""

    @pytest.mark.parametrize(("name", "key", "choice"), SETTINGS)
    def test_it_builds_and_predicts(self, name: str, key: str, choice: Any) -> None:
        """Oracle: the predictor's contract."""
        case = _build(name, "compact", **{key: choice})
        lightness = case.lightness(1, 2, 3)
        assert case.predict(lightness).shape == (1, 2, *lightness.shape[2:])
        assert sum(parameter.numel() for parameter in case.network.parameters()) <= COMPACT_PARAMETERS

    @pytest.mark.parametrize("name", [spec.name for spec in METHODS if spec.settings])
    def test_the_choices_differ(self, name: str) -> None:
        """Oracle: a setting that changes nothing is no setting: parameters by name or the answer of the same random
        weights differ pairwise."""
        for key, choices in METHODS[name].settings.items():
            seen = set()
            for choice in choices:
                case = _build(name, "compact", **{key: choice})
                shapes = tuple((k, tuple(v.shape)) for k, v in case.network.state_dict().items())
                seen.add((shapes, float(case.predict(case.lightness(1, 2, 3)).abs().mean())))
            assert len(seen) == len(choices)


@pytest.mark.parametrize("name", [spec.name for spec in METHODS])
def test_facts_load_no_torch(name: str) -> None:
    """Oracle: sys.modules of a fresh interpreter that has read every fact of the method."""
    code = f"import sys; import colorcli.methods.{name} as m; repr(m.SPEC); print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
