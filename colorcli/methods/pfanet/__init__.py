"""PFANet: the saliency network of SMSANet's salient loss."""

from colorcli.methods.spec import MethodSpec

SPEC = MethodSpec(
    name="pfanet",
    title="PFANet",
    task="saliency",
    paper="Zhao, Wu: Pyramid Feature Attention Network for Saliency Detection (CVPR)",
    year=2019,
    licence="MIT",
    network="colorcli.methods.pfanet.network:PFANet",
    predictor="",
    objective="colorcli.methods.pfanet.objective:Objective",
    variants={
        "paper": {"widths": (64, 128, 256, 512, 512), "context": 32, "head": 64},
        "compact": {"widths": (32, 64, 128, 256, 256), "context": 16, "head": 16},
    },
    multiple=1,
    settings={"norm": ("batch", "none"), "body": ("vgg16", "vgg19")},
)
