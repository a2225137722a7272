"""AGIN: an attentional GAN with adaptive group-instance normalisation (automatic, trained on unpaired pictures)."""

from colorcli.methods.spec import MethodSpec

SPEC = MethodSpec(
    name="agin",
    title="AGIN",
    task="auto",
    paper="Gao, Ding, Wang, Liang: Attentional Colorization Networks with Adaptive Group-Instance Normalization "
    "(Information 11)",
    year=2020,
    licence="MIT",
    network="colorcli.methods.agin.network:Generator",
    predictor="colorcli.methods.agin.predictor:Predictor",
    objective="colorcli.methods.agin.objective:Objective",
    # 32 groups on 256 channels (our reading); the narrow form keeps the channels in a group: 8, then 4, then 2
    variants={"paper": {"width": 64, "groups": 32}, "compact": {"width": 32, "groups": 16}},
    multiple=4,
    attention=True,
    settings={"attention": ("cam", "none"), "norm": ("agin", "gn", "in")},
)
