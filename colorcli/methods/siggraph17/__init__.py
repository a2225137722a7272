"""siggraph17: the user-guided network of Zhang et al. 2017, the baseline (automatic, takes hints)."""

from colorcli.methods.spec import MethodSpec

SPEC = MethodSpec(
    name="siggraph17",
    title="Zhang et al. 2017",
    task="auto",
    paper="Zhang, Zhu, Isola, Geng, Lin, Yu, Efros: Real-Time User-Guided Image Colorization (ACM TOG 36)",
    year=2017,
    licence="MIT",
    network="colorcli.methods.siggraph17.network:Siggraph17",
    predictor="colorcli.methods.siggraph17.predictor:Predictor",
    objective="colorcli.methods.siggraph17.objective:Objective",
    variants={"paper": {"widths": (64, 128, 256, 512)}, "compact": {"widths": (32, 64, 120, 240)}},
    takes_hints=True,
    published={"widths": (64, 128, 256, 512), "classes": 529},
)
