"""SMSANet: stacked multi-scale attention on the 2017 network (automatic)."""

from colorcli.methods.spec import MethodSpec

SPEC = MethodSpec(
    name="smsanet",
    title="SMSANet",
    task="auto",
    paper="Jiang, Xu, Xia, Yang, Huang, Huang: Stacked Multi-Scale Attention Network for Image Colorization (ICASSP)",
    year=2022,
    licence="MIT",
    network="colorcli.methods.smsanet.network:SMSANet",
    predictor="colorcli.methods.smsanet.predictor:Predictor",
    objective="colorcli.methods.smsanet.objective:Objective",
    variants={"paper": {"widths": (64, 128, 256, 512)}, "compact": {"widths": (32, 64, 120, 240)}},
    settings={"attention": ("smsa", "cbam", "senet", "none")},
)
