"""Multimodal: a reference's colours, warped to where they belong by PatchMatch on similarity features (exemplar)."""

from colorcli.methods.spec import MethodSpec

SPEC = MethodSpec(
    name="multimodal",
    title="Multimodal",
    task="exemplar",
    paper="Ostaszewicz: Multimodal colorization of greyscale images using deep neural networks (Warsaw University of "
    "Technology), after He, Chen, Liao, Sander, Yuan: Deep Exemplar-based Colorization (2018)",
    year=2020,
    licence="MIT",
    network="colorcli.methods.multimodal.network:Multimodal",
    predictor="colorcli.methods.multimodal.predictor:Predictor",
    objective="colorcli.methods.multimodal.objective:Objective",
    variants={
        "paper": {"widths": (64, 128, 256, 512, 1024), "similarity": 1.0},
        # The similarity net is the companion `backbone` as resnet34-lightness-compact, 5.3 M of the 8 M that may ship.
        "compact": {"widths": (32, 64, 96, 160, 208), "similarity": 0.5},
    },
    multiple=16,
    needs_reference=True,
    matches=True,
    settings={"matches": ("on", "off")},
)
