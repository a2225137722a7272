"""Options that mean the same in every command, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Method = Annotated[str, typer.Option("-m", "--method", help="See `colorize methods`.")]
Weights = Annotated[
    list[Path] | None,
    typer.Option(
        "--weights", help="A weights file instead of the shipped one; repeatable, one for each part.", dir_okay=False
    ),
]
Device = Annotated[str, typer.Option("-d", "--device", help="auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[str, typer.Option("--precision", help="auto, fp32, bf16 or fp16.")]
Transform = Annotated[
    str | None,
    typer.Option("--transform", help="How statistics pass on (-m stylization). [default: adain]", metavar="adain|wct"),
]
Size = Annotated[int, typer.Option("--size", help="Side of the network's input, pixels. 0: as trained.")]
Seed = Annotated[int, typer.Option("--seed", help="Start of everything random.", min=0, max=2**32 - 1)]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable results on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but failures.")]
Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more; -vv shows tracebacks.")]

# of the commands that colour photos

Batch = Annotated[int, typer.Option("--batch", help="Photos in one network call. 0: automatic.")]
Jobs = Annotated[
    int,
    typer.Option("-j", "--jobs", help="Threads that read, and that write; with --engine ray, workers. 0: cores."),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        help="ray: photos go to a Ray cluster, whose nodes all see inputs and results under the same paths.",
        metavar="local|ray",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="Of a Ray cluster that this machine belongs to, or auto. [default: RAY_ADDRESS, else this machine alone]",
        metavar="HOST:PORT",
    ),
]
Format = Annotated[str, typer.Option("--format", help="same, png, jpg, webp or tiff.")]
Quality = Annotated[int | None, typer.Option("--quality", help="1..100, for JPEG, WebP and AVIF.")]
Saturation = Annotated[float, typer.Option("--saturation", help="Factor on the colour; 0 is gray.")]
Recursive = Annotated[bool, typer.Option("--recursive/--no-recursive", help="Go into subfolders.")]
InPlace = Annotated[
    bool,
    typer.Option(
        "--in-place", help="Put results in the photos' own places. No way back: the photos as they were are lost."
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files not made by this tool.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done; write nothing.")]
Compare = Annotated[bool, typer.Option("--compare", help="Also write before/after pictures.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Also write a page for a browser: all photos before and after.", metavar="FILE.html"),
]
ProvenanceNote = Annotated[
    bool, typer.Option("--provenance/--no-provenance", help="Say in the result that its colour is synthetic.")
]
MaxPixels = Annotated[int, typer.Option("--max-pixels", help="Refuse larger photos by their header. 0: no limit.")]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failure.")]

# of films

Codec = Annotated[
    str | None,
    typer.Option("--codec", help="Of a film's picture: h264, hevc, vp9, av1, ffv1, ... [default: the film's own]"),
]
Crf = Annotated[float | None, typer.Option("--crf", help="Of a film: quality on its codec's scale, less is better.")]
Deinterlace = Annotated[
    str, typer.Option("--deinterlace", help="auto: interlaced frames come out progressive.", metavar="auto|off")
]
Temporal = Annotated[bool, typer.Option("--temporal/--no-temporal", help="Keep a film's colour from flickering.")]
Shots = Annotated[bool, typer.Option("--shots", help="List the shots of films; colour nothing.")]

EXTENSIONS = {"same": None, "png": ".png", "jpg": ".jpg", "webp": ".webp", "tiff": ".tiff"}  # of --format
