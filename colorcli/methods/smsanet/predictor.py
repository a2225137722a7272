"""SMSANet's prediction: lightness to chroma."""

from colorcli.methods.blocks import PredictsChroma


class Predictor(PredictsChroma):
    """Chroma for a lightness, no reference, no hints."""
