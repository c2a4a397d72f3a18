"""What the ways to gradients with respect to the images have in common."""


class BaseInputTape:
    """Gradients of what is computed of images inside of a `with` block.

    Args:
        model: The model that is called on the images.
        batch: The `ImageBatch`.
        is_training: Whether the model is called in training mode.

    Attributes:
        inputs: What the model has to be called on.
    """

    def __init__(self, model, batch, is_training):
        self.inputs = batch.as_inputs(batch.images)
        self._batch = batch
        self._model = model
        self._is_training = is_training

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def gradient(self, explained, predictions):
        """Gradient of the sum of what is explained, which has derivatives itself.

        Args:
            explained: Function of the predictions that returns a float tensor.
            predictions: What the model gave inside of the block, `(N, classes)`.

        Returns:
            Tensor `(N, H, W, C)` of the images' dtype.

        Raises:
            ValueError: If the predictions do not depend on the images.
        """
        gradient = self._gradient(explained, predictions)
        if gradient is None:
            raise ValueError(
                "Expected predictions that depend on the images of the step, through "
                "operations that have gradients. Received some that do not."
            )
        return self._batch.channels_last(gradient)

    def _gradient(self, explained, predictions):
        """The gradient in the images' layout, or `None`."""
        raise NotImplementedError
