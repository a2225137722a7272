"""siggraph17's prediction: lightness to chroma, without hints."""

from colorcli.methods.blocks import PredictsChroma


class Predictor(PredictsChroma):
    """Chroma for a lightness; the hint channels are empty."""
