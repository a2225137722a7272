"""Reads, colours and writes the files that it is told on stdin, one JSON line a file, and answers with one.

A process of its own for `test_fuzz.py`, so that what ends it is seen: {"path": ..., "kind": ...} is answered by
{"outcome": "done" | "refused" | "error", "said": ..., "seconds": of CPU time}.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
from itertools import islice
from pathlib import Path

import torch

from colorcli.checkpoints.load import read_checkpoint
from colorcli.errors import ColorizeError, PhotoError
from colorcli.items import Colored, Failure, Job
from colorcli.media.films.kinds import is_animation
from colorcli.media.films.reading import frames_of, header_of
from colorcli.media.formats import result_extension
from colorcli.media.libvips import set_vips_threads
from colorcli.media.metadata.describe import Provenance
from colorcli.media.results import ResultOptions
from colorcli.media.sources import open_source
from colorcli.stages.decode import decode
from colorcli.stages.encode import encode

_ADDRESSES = 8 * 2**30  # bytes; torch and libvips take half of them before the first file
_MOST = 20_000_000  # pixels: what is larger is refused as in any run
_FRAMES = 20


def _photo(path: Path, sidecar: Path | None = None) -> None:
    """Through both stages, with a constant for a network; the result is opened again. Errors: PhotoError."""
    target = path.with_name(f"result-{path.stem}{result_extension(path)}")
    job = Job(path, target, path.name, sidecar=sidecar)
    try:
        photo = decode(job, 64, 32, _MOST)
        if isinstance(photo, Failure):
            raise PhotoError(photo.reason)
        height, width = photo.lightness.shape[1:]
        written = encode(
            Colored(photo, torch.full((2, height, width), 30.0)),
            ResultOptions(provenance=Provenance("colorize", "none", "0")),
        )
        if isinstance(written, Failure):
            raise PhotoError(written.reason)
        found, wanted = open_source(target).header, photo.header
        assert (found.width, found.height) == (wanted.width, wanted.height), (found, wanted)
    finally:
        target.unlink(missing_ok=True)


def _read(path: Path, kind: str) -> None:
    """Errors: ColorizeError."""
    if kind == "weights":
        read_checkpoint(path)
    elif kind == "hints":
        _photo(path.parent / "photo.png", path)
    elif is_animation(path):
        for _ in islice(frames_of(header_of(path)), _FRAMES):
            pass
    else:
        _photo(path)


def main() -> None:
    """Answer until stdin ends."""
    torch.set_num_threads(1)
    set_vips_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    for line in sys.stdin:
        asked = json.loads(line)
        begun = time.process_time()
        outcome, said = "done", ""
        try:
            _read(Path(asked["path"]), asked["kind"])
        except ColorizeError as error:
            outcome, said = "refused", str(error)
        except Exception:
            outcome, said = "error", traceback.format_exc()
        print(json.dumps({"outcome": outcome, "said": said, "seconds": time.process_time() - begun}), flush=True)


if __name__ == "__main__":
    main()
