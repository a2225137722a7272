"""Multimodal: a reference's colours, warped to where they belong by PatchMatch on similarity features (exemplar)."""
