"""From the gradients of images to maps, batch by batch."""

import abc

import numpy as np

from keras_lap.evaluation.explainers.explainer import Explainer
from keras_lap.evaluation.explainers.in_batches import in_batches
from keras_lap.evaluation.explainers.reduce_channels import CHANNELS, reduce_channels
from keras_lap.evaluation.score_gradients import ScoreGradients
from keras_lap.evaluation.targets import check_classes
from keras_lap.utils.layout import channel_axis
from keras_lap.utils.names import check_choice


class GradientExplainer(Explainer):
    """What the methods share that take gradients of a class score to the image.

    The score is the one before the softmax, see
    `keras_lap.evaluation.score_model.ScoreModel`.

    Args:
        channels: `"absolute_sum"`, `"absolute_max"` or `"sum"`, how the values of a
            pixel's channels become one. Defaults to `"absolute_sum"`, as in tf-explain.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.
    """

    # Number of gradients behind one map, and the seed of what is drawn for them.
    gradients_per_image = 1
    seed = 0

    def __init__(self, *, channels="absolute_sum", **options):
        super().__init__(**options)
        check_choice("channels", channels, CHANNELS)
        self.channels = channels

    @abc.abstractmethod
    def attributions(self, gradients_of, images, targets, generator):
        """Values of the pixels and channels of a few images.

        Args:
            gradients_of: Function of images and classes `(N,)` that returns the
                gradients of the scores with respect to the images, a float32 array.
            images: Array of rank 4, float32.
            targets: Int array `(N,)`.
            generator: Where random numbers come from, from `seed` in every call.

        Returns:
            Array of the shape of the images.
        """

    def prepare(self, model):
        scores = ScoreGradients(model)
        gradients_of = scores.to_images()
        images_per_pass = max(1, self.batch_size // self.gradients_per_image)

        def maps_of(images, targets):
            check_classes(targets, scores.classes)
            generator = np.random.default_rng(self.seed)

            def maps_of_some(images, targets):
                images = images.astype(np.float32)
                values = self.attributions(gradients_of, images, targets, generator)
                values = np.moveaxis(values, channel_axis(self.data_format), -1)
                return reduce_channels(values, self.channels)

            return in_batches(maps_of_some, images_per_pass, images, targets)

        return maps_of
