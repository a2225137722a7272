"""Batch -> Colored: the network, safe against too little memory and against non-finite half precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from colorcli.devices import is_out_of_memory
from colorcli.items import Batch, Colored, Failure
from colorcli.methods.spec import Predict
from colorcli.stages.batch import make_batch

Say = Callable[[str], None]
Shrink = Callable[[int], None]


def infer(
    batch: Batch, predict: Predict, exact: Predict, say: Say, shrink: Shrink = lambda _: None
) -> Iterator[Colored | Failure]:
    """Predict the chroma of a batch.

    predict: sees CIE Lab where the photos bring their own colour, and then answers with what is added to that. It may
    answer with further planes, such as where it looked, which go with the chroma. It is given what the batch has, in
    the order of `Predict`.
    exact: the same network in fp32, asked again for photos whose chroma came out non-finite. Out of memory halves
    the batch until one photo alone does not fit: that one is a Failure. say: told once per halving and redoing.
    shrink: told the number of photos that later batches should have. One answer per photo, in the batch's order.
    """
    chroma = _predicted(batch, predict, exact, say)
    if chroma is None:
        yield from _in_halves(batch, predict, exact, say, shrink)
        return
    for photo, one in zip(batch.photos, chroma, strict=True):
        own = 2 if photo.chroma is None else 3  # planes of its colour
        if bool(torch.isfinite(one).all()):
            yield Colored(photo, one[:own], one[own:] if len(one) > own else None)
        else:
            yield photo.job.failed("infer", "the network gave non-finite colour, also in fp32")


def _predicted(batch: Batch, predict: Predict, exact: Predict, say: Say) -> Tensor | None:
    """The chroma and what is shown with it, (B, 2 + n, h, w) on the CPU; None if memory did not suffice.

    A function of its own: an exception that is being handled keeps the failed attempt's tensors in memory.
    """
    seen, given = _seen(batch), _given(batch)
    try:
        chroma = predict(seen, *given).cpu()
        redo = ~torch.isfinite(chroma).flatten(1).all(1)  # (B, 2 + n, h, w) -> (B,)
        if bool(redo.any()):
            say(f"{int(redo.sum())} photo(s) came out non-finite in half precision and are redone in fp32")
            chroma = chroma.clone()  # what inference mode made refuses changes
            chroma[redo] = exact(seen[redo], *(None if one is None else one[redo] for one in given)).cpu()
    except RuntimeError as error:
        if is_out_of_memory(error):
            return None
        raise
    return chroma


def _seen(batch: Batch) -> Tensor:
    """The lightness, or where the photos bring their own colour CIE Lab."""
    return batch.lightness if batch.chroma is None else torch.cat((batch.lightness, batch.chroma), dim=1)


def _given(batch: Batch) -> list[Tensor | None]:
    """What the network is told besides the lightness, in `Predict`'s order; a method without references has no place
    for one or its regions, and what follows the last that there is, is left out."""
    referred = [] if batch.embeddings is None else [batch.embeddings, batch.segments]
    given = [*referred, batch.hints, batch.seeds]
    while given and given[-1] is None:
        given.pop()
    return given


def _in_halves(batch: Batch, predict: Predict, exact: Predict, say: Say, shrink: Shrink) -> Iterator[Colored | Failure]:
    photos = batch.photos
    if len(photos) == 1:
        height, width = batch.lightness.shape[2:]
        reason = f"not enough memory for one photo at {width}x{height}: try a smaller --size, or --device cpu"
        yield photos[0].job.failed("infer", reason)
        return
    half = len(photos) // 2
    say(f"out of memory with {len(photos)} photos at once: going on with {half}")
    shrink(half)
    for part in (photos[:half], photos[half:]):
        yield from infer(make_batch(list(part)), predict, exact, say, shrink)
