"""Callbacks of `fit` that may evaluate in its midst."""

import keras


class FitCallback(keras.callbacks.Callback):
    """A callback of `fit` that others may pass to `evaluate` before `fit` ends.

    Keras gives it a model and `params` for such an evaluation as well.

    Attributes:
        params_of_fit: The `params` of the last `fit`.
        is_evaluated_alone: Whether what is or will be evaluated next is not the
            validation of a `fit`.
    """

    def set_model(self, model):
        super().set_model(model)
        self.is_evaluated_alone = True

    def on_train_begin(self, logs=None):
        self.params_of_fit = self.params
        self.is_evaluated_alone = False

    def on_test_end(self, logs=None):
        self.is_evaluated_alone = False
