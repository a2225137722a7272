"""References: which files they are, and which goes with which photo."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from colorcli.errors import PhotoError, UsageError
from colorcli.items import Reference
from colorcli.media.discover import find_photos
from colorcli.media.places import sha256_of
from colorcli.media.sidecars import folded
from colorcli.media.targets import Version

PAIR_BY = ("name", "best")

_Key = tuple[str, str]  # what is compared, and its text


@dataclass(frozen=True, slots=True)
class Pairing:
    """References, and what is known of which photo gets which before any photo is read."""

    references: tuple[Reference, ...]
    by: str | None  # "name", "best", or None: every photo is coloured after each of them
    left_out: tuple[str, ...] = ()  # what was named or lies in a folder and cannot be one, and why
    _labels: tuple[str, ...] = ()  # of None: in the names of the results
    _named: dict[_Key, list[Reference]] = field(default_factory=dict)  # of "name"

    @property
    def choices(self) -> tuple[Reference, ...]:
        """The references among which the nearest to a photo is still to be chosen."""
        return self.references if self.by == "best" else ()

    @property
    def paths(self) -> frozenset[str]:
        """Where the references lie, resolved."""
        return frozenset(os.path.realpath(reference.path) for reference in self.references)

    def versions(self, place: PurePosixPath) -> Sequence[Version]:
        """The results that a photo of this place gets. Errors: PhotoError where its name fits none or several."""
        if self.by == "best":
            return (Version(),)
        if self.by is None:
            return [Version(*pair) for pair in zip(self.references, self._labels, strict=True)]
        fitting = next((self._named[key] for key in _keys(place) if key in self._named), [])
        if len(fitting) == 1:
            return (Version(fitting[0]),)
        if not fitting:
            raise PhotoError(f"no reference is called {place.stem} as it is; add one, or choose --pair-by best")
        names = ", ".join(reference.name for reference in fitting[:3])
        raise PhotoError(
            f"{len(fitting)} references are called {place.stem} ({names}); expected one, rename the others"
        )


def pair(given: Sequence[str], by: str | None, *, recursive: bool = True) -> Pairing:
    """Find the references that `given` names (files, folders, patterns, as `discover` takes them).

    by: None needs files; a photo then gets a result for each, called after the reference's stem, after its full name
    where stems meet, after its path below the folder that all share where those meet too; of one reference the result
    is called as the photo. "name": that of the photo's path below its folder, else of its stem, whatever the extension
    and, where none is so, the case. "best": the nearest, chosen when the photo is read. Errors: UsageError where there
    is no reference; by None also for a folder, for each that is not there or cannot be read, and for names that meet.
    """
    if by is not None and by not in PAIR_BY:
        raise UsageError(f"--pair-by must be {' or '.join(PAIR_BY)}, not {by!r}")
    folder = next((text for text in given if os.path.isdir(text)), None)  # noqa: PTH112 - Path.is_dir may raise
    if by is None and folder is not None:
        raise UsageError(f"--ref {folder} is a folder; say --pair-by name or --pair-by best, or name its photos")
    found, failures = find_photos(given, recursive=recursive)
    left_out = [f"{failure.name}: {failure.reason}" for failure in failures]
    references: dict[str, Reference] = {}
    for photo in found:
        try:
            references.setdefault(os.path.realpath(photo.source), reference_at(photo.source, str(photo.relative)))
        except OSError as error:
            left_out.append(f"{photo.relative}: it cannot be read: {error.strerror or error}")
    if by is None and left_out:
        raise UsageError(f"--ref {left_out[0]}")
    if not references:
        reason = left_out[0] if left_out else f"{', '.join(given)} names no photo"
        raise UsageError(f"there is no reference; --ref {reason}")
    all_of_them = tuple(references.values())
    if by is None:
        return Pairing(all_of_them, by, (), _labels(all_of_them))
    named: defaultdict[_Key, list[Reference]] = defaultdict(list)
    for reference in all_of_them if by == "name" else ():
        for key in dict.fromkeys(_keys(PurePosixPath(reference.name))):
            named[key].append(reference)
    return Pairing(all_of_them, by, tuple(left_out), (), dict(named))


def reference_at(path: Path, name: str) -> Reference:
    """The file, called `name`, as a reference. Errors: OSError."""
    return Reference(path, name, sha256_of(path))


def _keys(place: PurePosixPath) -> tuple[_Key, ...]:
    """What a photo and its reference share, the surest first."""
    path, stem = str(place.with_suffix("")), place.stem
    return ("path", path), ("path in any case", folded(path)), ("stem", stem), ("stem in any case", folded(stem))


def _labels(references: Sequence[Reference]) -> tuple[str, ...]:
    if len(references) == 1:
        return ("",)
    shared = os.path.commonpath([os.path.realpath(reference.path.parent) for reference in references])
    below = [Path(os.path.realpath(one.path.parent), one.path.name).relative_to(shared) for one in references]
    choices = [(path.stem, path.name, "-".join(path.parts)) for path in below]
    counts = [Counter(folded(name) for name in names) for names in zip(*choices, strict=True)]
    labels = tuple(
        next((name for name, others in zip(names, counts, strict=True) if others[folded(name)] == 1), names[-1])
        for names in choices
    )
    count = Counter(map(folded, labels))
    if met := next((label for label in labels if count[folded(label)] > 1), None):
        raise UsageError(f"two references would both be called {met} in the names of results; rename one of them")
    return labels
