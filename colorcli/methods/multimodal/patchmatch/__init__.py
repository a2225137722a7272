"""PatchMatch between two maps of features: `engines.match` on one level, `pyramid.match_levels` coarse to fine.

The way of a call: patches.py (each pixel at length 1, patches as rows) -> engines.py (which engine, errors) ->
exact.py, or start.py -> search.py, which asks gathered.py (torch) or kernel.py (triton) to compare -> match.py.
"""
