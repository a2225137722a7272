"""Where a photo stands whose result takes its own place: is it still the photo, or the result already?"""

from __future__ import annotations

import os

from colorcli.run.marks import Mark, Standing
from colorcli.run.rows import Row


def standing_in_place(row: Row | None, mark: Mark, facts: os.stat_result) -> Standing:
    """row: what is noted of the place. mark, facts: of the file that lies there.

    Content decides, also after a kill: the row of a result has the photo's sha256 in `content`, and from just before
    the result takes its place its own in `digest`. FOREIGN is a file that is neither: a result that was retouched.
    """
    if row is None:
        return Standing.NEW
    if row.digest is not None and row.digest == mark.content:
        return Standing.DONE if row.settings == mark.settings else Standing.KEPT
    if row.state == "begun":
        if (row.size, row.time) == (facts.st_size, facts.st_mtime_ns):
            return Standing.FOREIGN  # it was so before the attempt
        if row.digest is None:
            return Standing.STALE  # nothing has taken the place
    return Standing.STALE if row.content == mark.content else Standing.FOREIGN
