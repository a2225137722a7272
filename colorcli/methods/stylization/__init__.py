"""Stylization-based colorization: a reference's feature statistics, then colour that spreads from samples (exemplar).

Two networks, each with weights of its own. The transfer sub-net alone is a photorealistic stylization; the
colorization sub-net alone is an automatic method that takes hints; `SPEC` is both together.
"""

from colorcli.methods.spec import MethodSpec

_PAPER = "Xu, Wang, Fang, Sheng, Zhang: Stylization-Based Architecture for Fast Deep Exemplar Colorization (CVPR)"

_TRANSFORMS = {"transform": ("adain", "wct")}

TRANSFER = MethodSpec(
    name="stylization-transfer",
    title="Stylization: transfer sub-net",
    task="stylization",
    paper=_PAPER,
    year=2020,
    licence="MIT",
    network="colorcli.methods.stylization.transfer:TransferNet",
    predictor="colorcli.methods.stylization.restyler:Restyler",
    objective="colorcli.methods.stylization.transfer_objective:Objective",
    # The encoder of the compact form fits the companion `backbone` in its compact form, half of VGG19's widths.
    variants={"paper": {"widths": (64, 128, 256, 512)}, "compact": {"widths": (32, 64, 128, 256)}},
    half=False,  # as of the method below
    needs_reference=True,
    sees_color=True,
    takes_segments=True,
    choices=_TRANSFORMS,
)

COLORIZATION = MethodSpec(
    name="stylization-colorization",
    title="Stylization: colorization sub-net",
    task="auto",
    paper=_PAPER,
    year=2020,
    licence="MIT",
    network="colorcli.methods.stylization.colorization:ColorizationNet",
    predictor="colorcli.methods.stylization.predictor:HintPredictor",
    objective="colorcli.methods.stylization.colorization_objective:Objective",
    variants={
        "paper": {"widths": (64, 128, 256, 512), "growth": 512},
        # Widths as of siggraph17's compact form, whose weights fit conv1 to conv7.
        "compact": {"widths": (32, 64, 120, 240), "growth": 16},
    },
    takes_hints=True,
)

SPEC = MethodSpec(
    name="stylization",
    title="Stylization",
    task="exemplar",
    paper=_PAPER,
    year=2020,
    licence="MIT",
    network="",
    predictor="colorcli.methods.stylization.predictor:Predictor",
    objective="",
    variants={"paper": {}, "compact": {}},
    half=False,  # samples of a few pixels pass rounding on enlarged: not before trained weights were measured
    needs_reference=True,
    takes_segments=True,
    takes_hints=True,
    draws=True,
    stages=("pre-colorization", "transfer", "samples"),
    choices=_TRANSFORMS,
    parts=(TRANSFER.name, COLORIZATION.name),
)
