"""Color2Embed: a reference's colours as one vector that modulates a U-Net on lightness (exemplar)."""

from colorcli.methods.spec import MethodSpec

_PAPER = {"widths": (64, 128, 256, 512), "encoder": (64, 128, 256, 512, 512), "hidden": 512, "norm": "none"}

SPEC = MethodSpec(
    name="color2embed",
    title="Color2Embed",
    task="exemplar",
    paper="Zhao, Wu, Liu, He: Color2Embed: Fast Exemplar-Based Image Colorization using Color Embeddings",
    year=2021,
    licence="MIT",
    network="colorcli.methods.color2embed.network:Color2Embed",
    predictor="colorcli.methods.color2embed.predictor:Predictor",
    objective="colorcli.methods.color2embed.objective:Objective",
    variants={
        "paper": _PAPER,
        # The encoder is the convolutions of the companion `backbone` in its compact form (half of VGG19's widths, batch
        # norm), so that a trained one can start it; they alone are 3.8 M.
        "compact": {"widths": (32, 64, 128, 176), "encoder": (32, 64, 128, 256, 256), "hidden": 120, "norm": "batch"},
    },
    multiple=16,
    needs_reference=True,
    published=_PAPER,
    translate="colorcli.methods.color2embed.published:from_published",
)
