import numpy as np

from keras_lap.evaluation import road
from keras_lap.evaluation.faithfulness.noisy_linear_imputation import (
    noisy_linear_imputation,
)
from keras_lap.evaluation.faithfulness.pixel_order import pixel_order
from metric_pictures import panels, scene


def draw():
    """The image without the best map's pixels, and the probability for all maps."""
    maps, _ = panels.all_maps()
    images = np.stack([scene.IMAGE] * len(maps))
    figure, axes = panels.row([1, 1, 1, 1.7])
    generator = np.random.default_rng(0)
    order = pixel_order(maps[0], generator)
    for axis, share in zip(axes[:-1], (0.05, 0.1, 0.2), strict=True):
        missing = np.zeros(scene.MASK.shape, dtype=bool)
        missing.ravel()[order[: int(share * order.size)]] = True
        filled = noisy_linear_imputation(scene.IMAGE, missing, 0.005, generator)
        axis.imshow(filled.clip(0, 1))
        panels.outline_of(axis, scene.MASK, panels.OUTLINE)
        axis.set_title(f"the object\n{100 * share:.0f} % removed", fontsize=9)
        axis.set_axis_off()
    result = road(scene.predict, images, maps, scene.TARGET)
    panels.show_curves(axes[-1], result)
    return figure
