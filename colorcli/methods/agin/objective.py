"""What training AGIN minimises: adversarial, cycle, content and CAM losses on unpaired pictures (section 3.2).

Not the paper's: `paired`, for a start on photos and their own gray, in minutes where unpaired losses take days.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from colorcli.errors import UsageError
from colorcli.methods.agin.discriminator import SMALLEST, TwoScales, Verdict
from colorcli.methods.agin.gray import grayed
from colorcli.methods.agin.network import AGIN, Generator
from colorcli.methods.objective import Batch
from colorcli.methods.objective import Objective as BaseObjective


@dataclass(frozen=True, slots=True)
class Settings:
    """The [objective] table of a recipe: the weights of eq. 9."""

    adversarial: float = 1.0  # lambda_1
    cycle: float = 9.0  # lambda_2
    content: float = 9.0  # lambda_3
    cam: float = 999.0  # lambda_4, on the generators' auxiliary classifiers (eq. 7)
    cam_discriminators: float = 999.0  # lambda_4, on the discriminators' (eq. 8); U-GAT-IT has 1 there
    paired: float = 0.0  # not the paper's: of a coloured gray photo from the photo itself; alone, a start for --init

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{field.name} must be a number from 0 on, not {value}")

    @property
    def unpaired(self) -> bool:
        """Whether anything of eq. 9 is left: without, the discriminators and the other generator sit out."""
        return bool(self.adversarial or self.cycle or self.content or self.cam or self.cam_discriminators)


class Objective(BaseObjective):
    """Two generators and two pairs of discriminators in a cycle. Pictures are RGB in -1..1.

    generators["color"] makes gray pictures coloured (G_g, the paper names it by its input), generators["gray"]
    coloured ones gray (G_c); discriminators["color"] and ["gray"] judge pictures of that domain (D_c, D_g), and are
    as wide as the generators.
    """

    method = "agin"
    settings_type = Settings
    settings: Settings
    data: ClassVar[str] = "unpaired"
    smallest: ClassVar[int] = SMALLEST
    tunes_gain: ClassVar[bool] = False  # PSNR would mute the colours that the discriminators ask for
    players: ClassVar[tuple[str, ...]] = ("generators", "discriminators")

    def __init__(
        self, network: Generator, settings: Mapping[str, Any], companions: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__(network, settings, companions)
        del self.network  # it is a generator among two: under both names a checkpoint would hold it twice
        self.generators = nn.ModuleDict({"color": network, "gray": network.twin()})
        self.discriminators = nn.ModuleDict(
            {domain: TwoScales(network.width, network.attention) for domain in ("color", "gray")}
        )

    @property
    def network(self) -> Generator:  # type: ignore[override]  # the base class has a plain attribute
        """The generator from gray to colour: what is averaged, validated and exported."""
        return cast(Generator, self.generators["color"])

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """The weighted losses of one turn: `adversarial`, `cycle`, `content` and `cam` of the generators,
        `discriminators` and `discriminators cam` of the others; those with `cam` are missing without attention.
        `paired`, L1, of the generator from gray to colour, where it has a weight.

        Of `gray` the lightness alone is seen: coloured photos serve as well as gray ones. Sides are multiples of 4,
        and at least 96 px, which the larger discriminator needs (UsageError).
        """
        colors, grays = 2 * batch["rgb"].float() - 1, grayed(batch["gray"])
        if min(*colors.shape[2:], *grays.shape[2:]) < SMALLEST:
            raise UsageError(
                f"agin's discriminators need pictures of at least {SMALLEST} px, not {tuple(colors.shape[2:])}: "
                "use larger stages"
            )
        if player == "generators":
            losses = self._paint(grays, colors) if self.settings.unpaired else {}
            if self.settings.paired:
                painted = self.generators["color"](grayed(batch["rgb"])).rgb.float()
                losses["paired"] = self.settings.paired * F.l1_loss(painted, colors)
            return losses
        if player == "discriminators":
            return self._judge(grays, colors) if self.settings.unpaired else {}
        raise ValueError(f"agin's players are {', '.join(self.players)}, not {player!r}")

    def _paint(self, grays: Tensor, colors: Tensor) -> dict[str, Tensor]:
        """Eq. 4 to 7 as the generators see them."""
        weights = self.settings
        domains = {"color": (grays, colors), "gray": (colors, grays)}  # what a generator gets, what it is to make
        made: dict[str, Tensor] = {}
        content, cam, adversarial, cycle = [], [], [], []
        for domain, (sources, targets) in domains.items():
            painting = self.generators[domain](torch.cat((sources, targets)))  # normalised picture by picture
            made[domain], same = painting.rgb.float().split((len(sources), len(targets)))
            content.append(F.l1_loss(same, targets))  # eq. 6, for both generators (our reading)
            if painting.logits is not None:
                cam.append(_classify(painting.logits.float(), len(sources)))
        for domain, back in (("color", "gray"), ("gray", "color")):
            cycle.append(F.l1_loss(self.generators[back](made[domain]).rgb.float(), domains[domain][0]))  # eq. 5
            verdicts: list[Verdict] = self.discriminators[domain](made[domain])
            for verdict in verdicts:
                # Eq. 4, and eq. 8 as a further adversarial term: a generator is to fool both classifiers (our reading:
                # lambda_4 there would outweigh the cycle by a hundred to one).
                adversarial += [_squares(answers, 1) for answers in verdict if answers is not None]
        losses = {
            "adversarial": weights.adversarial * _total(adversarial),
            "cycle": weights.cycle * _total(cycle),
            "content": weights.content * _total(content),
        }
        return {**losses, "cam": weights.cam * _total(cam)} if cam else losses

    def _judge(self, grays: Tensor, colors: Tensor) -> dict[str, Tensor]:
        """Eq. 4 and 8 as the discriminators see them: real is 1, made is 0 (our reading: least squares, as eq. 4 has
        it for the generator; printed with the real ones' sign turned)."""
        adversarial, cam = [], []
        for domain, sources, real in (("color", grays, colors), ("gray", colors, grays)):
            with torch.no_grad():
                made = self.generators[domain](sources).rgb.float()
            verdicts: list[Verdict] = self.discriminators[domain](torch.cat((real, made)))
            for patches, logits in verdicts:
                adversarial += [_squares(patches[: len(real)], 1), _squares(patches[len(real) :], 0)]
                if logits is not None:
                    cam += [_squares(logits[: len(real)], 1), _squares(logits[len(real) :], 0)]
        losses = {"discriminators": self.settings.adversarial * _total(adversarial)}  # a name of its own in the log
        return {**losses, "discriminators cam": self.settings.cam_discriminators * _total(cam)} if cam else losses

    def after_step(self) -> None:
        """Eq. 3: every rho back into 0..1."""
        for module in self.generators.modules():
            if isinstance(module, AGIN):
                module.clip()


def _squares(answers: Tensor, wanted: float) -> Tensor:
    """The mean squared distance of a discriminator's answers from what is wanted."""
    return (answers.float() - wanted).square().mean()


def _classify(logits: Tensor, own: int) -> Tensor:
    """Eq. 7: cross entropy of the auxiliary classifier; the first `own` rows are of the generator's own domain."""
    ours, others = logits[:own], logits[own:]
    return F.binary_cross_entropy_with_logits(ours, torch.ones_like(ours)) + F.binary_cross_entropy_with_logits(
        others, torch.zeros_like(others)
    )


def _total(losses: list[Tensor]) -> Tensor:
    return torch.stack(losses).sum()
