"""The backbone: a classifier whose inner maps are the perceptual and similarity features of other methods' losses."""

from colorcli.methods.spec import MethodSpec

SPEC = MethodSpec(
    name="backbone",
    title="Backbone",
    task="classification",
    paper="Simonyan, Zisserman: Very Deep Convolutional Networks (ICLR 2015); He, Zhang, Ren, Sun: Deep Residual "
    "Learning (CVPR 2016)",
    year=2015,
    licence="MIT",
    network="colorcli.methods.backbone.network:build",
    predictor="",
    objective="colorcli.methods.backbone.objective:Objective",
    variants={  # one name for each file that other methods want; the lightness ones match pictures without colour
        "paper": {"shape": "vgg19", "scale": 1.0},
        "compact": {"shape": "vgg19", "scale": 0.5},
        "resnet34": {"shape": "resnet34", "scale": 1.0},
        "resnet34-compact": {"shape": "resnet34", "scale": 0.5},
        "resnet34-lightness": {"shape": "resnet34", "scale": 1.0, "in_channels": 1},
        "resnet34-lightness-compact": {"shape": "resnet34", "scale": 0.5, "in_channels": 1},
    },
    size=224,
    multiple=1,
    settings={"norm": ("batch", "none"), "head": ("pooled", "published"), "in_channels": (3, 1)},
)
