"""A study of how people find results: what is shown in which order, and what the answers come to.

AGIN's two protocols: pictures one at a time, natural or not (15 observers; the originals and four methods, 100 pictures
each, mixed), and the better of several results of one photo, here of two at a time.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from colorcli.errors import UsageError

NATURAL, PREFER = "natural", "prefer"
KINDS = (NATURAL, PREFER)
FORMAT = "colorize study 1"  # of the answers
_Z = 1.959963984540054  # the normal distribution's 97.5 % point


@dataclass(frozen=True, slots=True)
class Item:
    """One question: a photo's result of one folder, or those of two side by side."""

    photo: int
    folders: tuple[int, ...]  # one, or left and right


@dataclass(frozen=True, slots=True)
class Share:
    """How often a folder's results were found natural, or preferred, with a 95 % interval."""

    folder: str
    shown: int
    chosen: int
    share: float  # 0..1
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tally:
    """What all answers come to."""

    kind: str
    observers: int  # files of answers
    rows: list[Share]
    pairs: list[Share]  # of preferences, by pair: "A over B"


def items(kind: str, photos: int, folders: int, seed: int) -> list[Item]:
    """The questions, every photo of every folder (or pair of folders) once, in an order that the seed decides.

    In every round of as many questions as there are photos each photo comes once, so that the results of one are far
    apart, and each folder (pair) as often as any other, give or take one; of a pair each is left as often, give or
    take one. Errors: UsageError for fewer than two folders to choose between.
    """
    if kind == PREFER and folders < 2:
        raise UsageError(f"a preference is between folders; expected two or more, found {folders}")
    chance = random.Random(seed)
    choices: list[tuple[int, ...]] = (
        list(combinations(range(folders), 2)) if kind == PREFER else [(folder,) for folder in range(folders)]
    )
    chance.shuffle(choices)
    order = chance.sample(range(photos), photos)
    turned = [chance.randrange(2) for _ in choices]  # whether a pair begins turned; then it alternates
    found: list[Item] = []
    for round_ in range(len(choices)):
        drawn = []
        for place, photo in enumerate(order):
            choice = (place + round_) % len(choices)
            left_first = turned[choice] == 0
            turned[choice] ^= 1
            drawn.append(Item(photo, choices[choice] if left_first else choices[choice][::-1]))
        chance.shuffle(drawn)
        found += drawn
    return found


def wilson(chosen: int, shown: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which takes answers as independent; all of 0..1 without answers."""
    if not shown:
        return 0.0, 1.0
    share, z2 = chosen / shown, _Z * _Z
    middle = (share + z2 / (2 * shown)) / (1 + z2 / shown)
    half = _Z / (1 + z2 / shown) * math.sqrt(share * (1 - share) / shown + z2 / (4 * shown * shown))
    low = 0.0 if chosen == 0 else middle - half  # exactly so; the formula ends a rounding beside it
    return low, 1.0 if chosen == shown else middle + half


def read_answers(file: Path) -> Mapping[str, Any]:
    """What a page of a study saved. Errors: UsageError for a file that is none."""
    try:
        answers = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as the answers of a study: {error}") from error
    if not isinstance(answers, dict) or answers.get("format") != FORMAT or answers.get("kind") not in KINDS:
        raise UsageError(f"{file} holds no answers of a study; expected what its page saves ({FORMAT})")
    if not _sound(answers):
        raise UsageError(f"{file} is damaged: an answer is about no folder of the study; save it again from its page")
    return answers


def _sound(answers: Mapping[str, Any]) -> bool:
    folders, given = answers.get("folders"), answers.get("answers")
    if not isinstance(folders, list) or not isinstance(given, list):
        return False
    known, wanted = range(len(folders)), 2 if answers["kind"] == PREFER else 1
    for answer in given:
        shown = answer.get("folders") if isinstance(answer, dict) else None
        if not isinstance(shown, list) or len(set(shown)) != wanted or not all(one in known for one in shown):
            return False
        if answers["kind"] == PREFER and answer.get("preferred") not in shown:
            return False
        if answers["kind"] == NATURAL and not isinstance(answer.get("natural"), bool):
            return False
    return True


def tally(files: Sequence[Path]) -> Tally:
    """Count the answers of several observers.

    Errors: UsageError for files that are none, that are of different studies (kinds, folders), and for a file that was
    named twice.
    """
    read = [read_answers(file) for file in files]
    if not read:
        raise UsageError("--tally needs the files that the study's page saved")
    first = read[0]
    for file, answers in zip(files, read, strict=True):
        if any(answers[key] != first[key] for key in ("kind", "folders")):
            raise UsageError(f"{file} is of another study than {files[0]}: other folders, or another question")
    if len({file.resolve() for file in files}) < len(files):
        raise UsageError("a file of answers is named twice: its observer would count double")
    given = [answer for answers in read for answer in answers["answers"]]
    names, kind = list(map(str, first["folders"])), str(first["kind"])
    shown = Counter(folder for answer in given for folder in answer["folders"])
    if kind == NATURAL:
        chosen = Counter(answer["folders"][0] for answer in given if answer["natural"])
        return Tally(kind, len(read), _shares(names, shown, chosen), [])
    chosen = Counter(answer["preferred"] for answer in given)
    return Tally(kind, len(read), _shares(names, shown, chosen), _by_pair(names, given))


def _shares(names: Sequence[str], shown: Mapping[int, int], chosen: Mapping[int, int]) -> list[Share]:
    return [_share(name, shown.get(place, 0), chosen.get(place, 0)) for place, name in enumerate(names)]


def _by_pair(names: Sequence[str], given: Sequence[Mapping[str, Any]]) -> list[Share]:
    met = Counter(tuple(sorted(answer["folders"])) for answer in given)
    won = Counter(tuple(sorted(answer["folders"])) for answer in given if answer["preferred"] == min(answer["folders"]))
    return [_share(f"{names[one]} over {names[other]}", met[one, other], won[one, other]) for one, other in sorted(met)]


def _share(name: str, shown: int, chosen: int) -> Share:
    return Share(name, shown, chosen, chosen / shown if shown else 0.0, *wilson(chosen, shown))
