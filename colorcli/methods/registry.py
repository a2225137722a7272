"""The list of methods, filled by plain lines."""

from __future__ import annotations

from collections.abc import Iterator

from colorcli.errors import UsageError
from colorcli.methods import agin, backbone, color2embed, multimodal, pfanet, siggraph17, smsanet, stylization
from colorcli.methods.spec import MethodSpec


class Registry:
    """Methods by name, in the order of registration."""

    def __init__(self) -> None:
        self._specs: dict[str, MethodSpec] = {}

    def add(self, spec: MethodSpec) -> None:
        """Register one method. A name that is taken raises ValueError."""
        if spec.name in self._specs:
            raise ValueError(f"method {spec.name!r} is registered twice")
        self._specs[spec.name] = spec

    def __getitem__(self, name: str) -> MethodSpec:
        """The method of that name, or UsageError with the names there are."""
        try:
            return self._specs[name]
        except KeyError:
            raise UsageError(f"no method is called {name!r}; there are: {', '.join(self._specs)}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._specs

    def __iter__(self) -> Iterator[MethodSpec]:
        return iter(self._specs.values())


METHODS = Registry()
METHODS.add(smsanet.SPEC)
METHODS.add(siggraph17.SPEC)
METHODS.add(agin.SPEC)
METHODS.add(color2embed.SPEC)
METHODS.add(multimodal.SPEC)
METHODS.add(stylization.SPEC)

COMPANIONS = Registry()
"""Networks that methods need and that are no colorization methods themselves; `colorize train` trains them too."""
COMPANIONS.add(backbone.SPEC)
COMPANIONS.add(pfanet.SPEC)

PARTS = Registry()
"""The networks of methods that consist of several, called METHOD-PART; each is trained and shipped by itself."""
PARTS.add(stylization.TRANSFER)
PARTS.add(stylization.COLORIZATION)


def networks_of(name: str) -> tuple[MethodSpec, ...]:
    """The networks that a method has, or that a part of one is, in order; each has weights of its own.

    Errors: UsageError for a name that is neither.
    """
    spec = find(name)
    return tuple(PARTS[part] for part in spec.parts) or (spec,)


def find(name: str) -> MethodSpec:
    """The method, or the part of one, of that name; UsageError where there is none."""
    return PARTS[name] if name in PARTS else METHODS[name]


def stylizer() -> MethodSpec:
    """The part of a method that by itself brings colour photos into the style of others."""
    return next(spec for spec in PARTS if spec.sees_color)


def part_of(name: str, part: str) -> MethodSpec:
    """The part METHOD-PART of a method; UsageError with the parts that it has."""
    spec = METHODS[name]
    there = short_names(spec)
    if part not in there:
        raise UsageError(f"{name} has no part {part!r}; it has: {', '.join(there) or 'one network, and no parts'}")
    return PARTS[f"{name}-{part}"]


def short_names(spec: MethodSpec) -> list[str]:
    """What a person calls the parts of a method: their names without the method's."""
    return [part.removeprefix(f"{spec.name}-") for part in spec.parts]
