"""README's table of methods from `colorize bench quality --json`: `python -m colorcli.bench.table FILE...`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from colorcli.bench.baseline import read_record
from colorcli.bench.quality import BACK, GRAY_ROW, TINT_ROW, TRUTH
from colorcli.bench.record import QUALITY, Values
from colorcli.errors import ColorizeError, UsageError
from colorcli.methods.registry import METHODS

_TITLES = {
    GRAY_ROW: "gray (no colour at all)",
    TINT_ROW: "flat tint (knows the true mean colour)",
    TRUTH: "the originals",
}
_HEAD = ("", "PSNR, mean", "PSNR, pooled", "SSIM", "delta E 2000", "colourfulness")


def markdown(records: Sequence[Values]) -> str:
    """The rows of all records as one table: gray, what sees lightness alone, flat tint, what sees a reference.

    Errors: UsageError for records of other photos, of another table, and for a row that two of them have.
    """
    first = records[0]
    rows: dict[str, Values] = {}
    titles = dict(_TITLES)
    for record in records:
        if record["bench"] != QUALITY:
            raise UsageError(f"expected the record of `bench quality`, not of `bench {record['bench']}`")
        if record["photos"] != first["photos"]:
            raise UsageError("the records are of different photos; measure all on the same")
        for row in record["rows"]:
            if row["name"] in rows and row["name"] not in _TITLES:
                raise UsageError(f"two records have a row {row['name']}; give one of them")
            rows[row["name"]] = row
        for name, said in record["methods"].items():
            titles |= _titles(name, said)
    automatic = [name for record in records for name in record["methods"] if not _sees_reference(record, name)]
    others = [name for name in rows if name not in _TITLES and name not in automatic]
    order = [GRAY_ROW, *automatic, TINT_ROW, *others, TRUTH]
    lines = [" | ".join(_HEAD).join(("| ", " |")), "|---" * len(_HEAD) + "|"]
    lines += [_line(titles.get(name, name), rows[name]) for name in order if name in rows]
    return "\n".join(lines)


def _sees_reference(record: Values, name: str) -> bool:
    return METHODS[record["methods"][name]["method"]].needs_reference


def _titles(name: str, said: Values) -> dict[str, str]:
    """What the rows of a method are called."""
    spec = METHODS[said["method"]]
    variant = f", {said['variant']}" if said["variant"] else ""
    given = ", after each photo itself, warped and noised" if spec.needs_reference else ", no hints" * spec.takes_hints
    title = f"`{name}`{variant}{given} (network at {said['size']} px)"
    return {name: title, f"{name}, {BACK}": f"`{name}`{variant}, its matches there and back"}


def _line(title: str, row: Values) -> str:
    decibels = ["" if row[key] is None else f"{row[key]:.2f} dB" for key in ("psnr", "psnr_pooled")]
    ssim = "1" if row["ssim"] == 1 else f"{row['ssim']:.4f}"
    return f"| {title} | {decibels[0]} | {decibels[1]} | {ssim} | {row['delta_e']:.2f} | {row['colourfulness']:.1f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """The table on standard output; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="of `bench quality --json`")
    try:
        print(markdown([read_record(path) for path in parser.parse_args(arguments).files]))
    except ColorizeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except (KeyError, TypeError) as error:
        print(f"no whole output of `bench quality --json`: {error!r}", file=sys.stderr)
        return UsageError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
