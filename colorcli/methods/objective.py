"""What a method brings to training: its networks, its losses and who lowers which. The engine knows nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

from colorcli.errors import UsageError

Batch = Mapping[str, Tensor]
"""What one step sees. Always there: `rgb`, (B, 3, H, W) float 0..1, and `seed`, (B,) int64, one random number for each
picture: whatever an objective draws for a picture follows from it, so that a run does not depend on how many processes
share a batch. By the objective's `data`: "photos" nothing more; "labelled" `label`, (B,) int64; "masked" `mask`,
(B, 1, H, W) float, 0 or 1; "paired" `reference`, (B, 3, H, W), each another picture of the same label, where there is
one, else any other; "unpaired" `gray`, (B, 3, H, W), to be seen in gray, drawn apart from those of `rgb`."""

SettingsType = TypeVar("SettingsType")


class Objective(nn.Module):
    """What training a method minimises. Subclasses name the method and the dataclass of their settings.

    settings: the [objective] table of a recipe. network: what is averaged, validated and exported. Networks that are
    trained with it for its sake are further submodules. companions: fixed networks that the engine loaded because the
    recipe names them ("backbone", "saliency", "similarity"); they are not registered as submodules, since they are no
    part of a checkpoint.
    """

    method: ClassVar[str]  # its name, for what is said of its settings
    settings_type: ClassVar[type]  # see `read_settings`
    data: ClassVar[str] = "photos"  # the kind of batch
    smallest: ClassVar[int] = 1  # side of the smallest pictures that a step can see, pixels
    players: ClassVar[tuple[str, ...]] = ("network",)  # submodules that take turns; each has an optimiser of its own
    tunes_gain: ClassVar[bool] = True  # whether weights carry the factor on the chroma that PSNR is best with, or 1
    out_of_reach: tuple[str, ...] = ()  # prefixes of the network's parameters that stay as they are
    learned_anew: ClassVar[tuple[str, ...]] = ()  # prefixes of those that `--init` leaves where its shapes are others

    def __init__(
        self, network: nn.Module, settings: Mapping[str, Any], companions: Mapping[str, nn.Module] | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.settings = self.read(settings)
        self.companions = dict(companions or {})  # a plain dict: not registered

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Any:
        """The settings as the method's own dataclass; UsageError for those that it lacks or refuses."""
        return read_settings(cls.settings_type, settings, cls.method)

    @classmethod
    def needs(cls, settings: Mapping[str, Any]) -> frozenset[str]:
        """The companions that these settings ask for: "backbone", "saliency", "similarity"."""
        del settings
        return frozenset()

    def forward(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """The named and weighted losses whose sum `player` lowers; each a scalar, the mean over the batch.

        None: the player sits out.
        """
        raise NotImplementedError

    def predict(self, predictor: Callable[..., Tensor], lightness: Tensor, truth: Tensor) -> Tensor:
        """What validation asks of the method for pictures whose colours are known: "photos", "paired", "unpaired".

        predictor: the method's, of the network to validate. lightness: (B, 1, h, w) CIE L. truth: (B, 3, H, W) sRGB
        0..1, the same pictures, for methods that need a reference: they make one of it, always the same. Returns CIE
        ab, (B, 2, h, w). Here: the predictor's answer to the lightness alone.
        """
        del truth
        return predictor(lightness)

    def after_step(self) -> None:
        """What follows a step of all players, e.g. a parameter brought back into its range."""

    def notes(self) -> dict[str, str]:
        """What the log and the weights' description have to say about these losses, e.g. which backbone they had."""
        return {}


def read_settings(kind: type[SettingsType], given: Mapping[str, Any], method: str) -> SettingsType:
    """A frozen dataclass of losses' settings from a recipe's [objective] table.

    Values keep the type of the field's default; a setting that the dataclass lacks, or that does not fit, raises
    UsageError with its name. A dataclass may check further in __post_init__ by raising ValueError.
    """
    defaults: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise UsageError(
            f"{method}'s objective has no setting {', '.join(unknown)}; it has: {', '.join(sorted(defaults)) or 'none'}"
        )
    words = {"true": True, "false": False}  # as the command line has them
    values: dict[str, Any] = {}
    for name, value in given.items():
        wanted = type(defaults[name])
        try:
            known = words.get(value, value) if wanted is bool and isinstance(value, str) else value
            if isinstance(known, bool) != (wanted is bool):
                raise ValueError
            values[name] = wanted(known)
        except (TypeError, ValueError):
            raise UsageError(f"{name} of {method}'s objective must be a {wanted.__name__}, not {value!r}") from None
    try:
        return kind(**values)
    except ValueError as error:
        raise UsageError(f"{method}'s objective: {error}") from None
