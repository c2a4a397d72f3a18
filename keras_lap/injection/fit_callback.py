"""Callbacks of `fit` that may evaluate in its midst."""

import keras


class FitCallback(keras.callbacks.Callback):
    """A callback of `fit` that others may pass to `evaluate` before `fit` ends.

    Keras gives it a model and `params` for such an evaluation as well.

    Attributes:
        params_of_fit: The `params` of the last `fit`.
        is_in_fit: Whether a `fit` has begun and not ended, as one does not that fails.
        is_validating: Whether the last evaluation to begin was the validation of a
            `fit`.
    """

    is_in_fit = False

    def set_model(self, model):
        super().set_model(model)
        # Validation comes without.
        self._is_given_anew = True

    def on_train_begin(self, logs=None):
        self.params_of_fit = self.params
        self.is_in_fit, self._is_given_anew = True, False

    def on_train_end(self, logs=None):
        self.is_in_fit = False

    def on_test_begin(self, logs=None):
        self.is_validating = self.is_in_fit and not self._is_given_anew
        self._is_given_anew = False

    def on_predict_begin(self, logs=None):
        self._is_given_anew = False
