"""What the training tests share: smooth coloured pictures and runs of a tiny network."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

from colorcli.methods.registry import METHODS
from colorcli.train.config import Stage, TrainConfig
from colorcli.train.data import Example, Photos
from colorcli.train.distributed import Team
from colorcli.train.loop import Run


def paint(seed: int, height: int = 24, width: int = 24) -> Tensor:
    """(3, height, width) uint8: a smooth field of colours, the same for the same seed."""
    noise = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    smooth = F.interpolate(noise, (height, width), mode="bilinear", align_corners=True)[0]
    return (255 * smooth).round().to(torch.uint8)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose most of their time to the hand-over between threads: up to ten times as slow."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def picture() -> Callable[..., Tensor]:
    """picture(seed, height, width): see `paint`."""
    return paint


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """encoded(seed, height, width, kind): the same as a file's bytes."""

    def encode(seed: int, height: int = 24, width: int = 24, kind: str = "PNG") -> bytes:
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(paint(seed, height, width).permute(1, 2, 0).numpy())).save(stream, kind)
        return stream.getvalue()

    return encode


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """make_run(folder=..., photos=..., team=..., **settings): 4 to 8 channels on 16 px crops, in fp32."""

    def make(
        folder: str = "run",
        photos: Photos | None = None,
        report: Any = None,
        team: Team | None = None,
        companions: Any = None,
        **settings: Any,
    ) -> Run:
        defaults: dict[str, Any] = {
            "method": "smsanet",
            "variant": "compact",
            "network": {"widths": (4, 4, 8, 8)},
            "stages": (Stage(16, 1.0, 4),),
            "steps": 6,
            "rate": 1e-3,
            "warmup": 0,
            "precision": "fp32",
            "validation_size": 16,
        }
        (tmp_path / folder).mkdir(exist_ok=True)
        if photos is None:
            photos = Photos([Example(paint(seed)) for seed in range(5)], [Example(paint(100))])
        config = TrainConfig(**{**defaults, **settings})
        team = team or Team(0, 1, torch.device("cpu"))
        say = report or (lambda _: None)
        return Run(METHODS[config.method], config, photos, tmp_path / folder, team, say, companions)

    return make
