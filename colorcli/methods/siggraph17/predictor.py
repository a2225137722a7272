"""siggraph17's prediction: lightness and a person's hints to chroma."""

from colorcli.methods.blocks import PredictsChroma


class Predictor(PredictsChroma):
    """Chroma for a lightness and hints; without hints those channels are empty."""
