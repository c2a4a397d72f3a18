import numpy as np

from keras_lap.evaluation import stability
from keras_lap.evaluation.explainers import Edge, SmoothGrad, VanillaGradients
from metric_pictures import networks, panels, scene

NOISE = 0.1


def draw():
    """Maps of three methods for an image that was moved, and how far it moves them."""
    generator = np.random.default_rng(0)
    low, high = scene.IMAGE.min(), scene.IMAGE.max()
    noise = generator.normal(0, NOISE * (high - low), scene.IMAGE.shape)
    noisy = (scene.IMAGE + noise).clip(low, high)
    # The disc is just bright enough, so units switch off when it is moved.
    model = networks.knowing(threshold=0.675)
    methods = {
        "gradients": VanillaGradients(),
        "SmoothGrad": SmoothGrad(samples=16),
        "edges": Edge(),
    }
    figure, axes = panels.row(1 + len(methods))
    axes[0].imshow(noisy)
    axes[0].set_title("the image, moved", fontsize=9)
    axes[0].set_axis_off()
    for axis, (name, method) in zip(axes[1:], methods.items(), strict=True):
        result = stability(
            model, scene.IMAGE[None], scene.TARGET, method, noise=NOISE, samples=4
        )
        map_ = method.explain(model, noisy[None], scene.TARGET)[0]
        panels.show_map(axis, map_, f"{name}\nmoved by {result.mean:.2f}")
    return figure
