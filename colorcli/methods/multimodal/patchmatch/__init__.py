"""PatchMatch between two maps of features, with three engines: exact, torch, triton."""
