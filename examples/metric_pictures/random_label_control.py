from keras_lap.evaluation import random_label_control
from keras_lap.evaluation.explainers import Edge, VanillaGradients
from metric_pictures import networks, panels, scene


def draw():
    """Maps of two methods for a network and for one that knows nothing."""
    images = scene.IMAGE[None]
    model, control = networks.knowing(), networks.random()
    methods = {"gradients": VanillaGradients(), "edges": Edge()}
    figure, axes = panels.row(4)
    for number, (name, method) in enumerate(methods.items()):
        result = random_label_control(
            model, images, scene.TARGET, method, control=control
        )
        titles = ("of the network", f"of the control: {result.mean:.2f}")
        for axis, network, title in zip(
            axes[2 * number :], (model, control), titles, strict=False
        ):
            map_ = method.explain(network, images, scene.TARGET)[0]
            panels.show_map(axis, map_, f"{name}\n{title}")
    return figure
