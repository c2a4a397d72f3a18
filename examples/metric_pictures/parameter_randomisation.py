from keras_lap.evaluation import parameter_randomisation
from keras_lap.evaluation.explainers import Edge, VanillaGradients
from metric_pictures import networks, panels, scene


def draw():
    """Maps of two methods as the layers become random, and how alike they stay."""
    images = scene.IMAGE[None]
    methods = {"gradients": VanillaGradients(), "edges": Edge()}
    figure, axes = panels.row([1] * 4 + [1.7])
    for number, (name, method) in enumerate(methods.items()):
        model = networks.knowing()
        maps_of = _Recorded(method, model)
        result = parameter_randomisation(model, images, scene.TARGET, maps_of)
        for axis, map_, state in zip(
            axes[2 * number : 2 * number + 2],
            (maps_of.maps[0], maps_of.maps[-1]),
            ("of the network", f"all random: {result.mean:.2f}"),
            strict=True,
        ):
            panels.show_map(axis, map_, f"{name}\n{state}")
        axes[-1].plot(result.curve.x, result.curve.mean, "o-", label=name)
    axes[-1].set(
        xlabel=result.curve.x_name,
        xticks=result.curve.x,
        ylabel="rank correlation",
        ylim=(-0.1, 1.1),
    )
    axes[-1].legend(fontsize=7)
    return figure


class _Recorded:
    """A method on a model that keeps the maps it has made of the first image."""

    def __init__(self, method, model):
        self.maps = []
        self._method, self._model = method, model

    def __call__(self, images, targets):
        maps = self._method.explain(self._model, images, targets)
        self.maps.append(maps[0])
        return maps
