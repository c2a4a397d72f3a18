"""Targets that bear the names of a model's outputs."""


def are_names_of_outputs(model, names, predictions):
    """Whether all names are those of outputs of the model, which gives predictions."""
    is_dict = isinstance(predictions, dict)
    outputs = predictions if is_dict else getattr(model, "output_names", None)
    return set(names) <= set(outputs or ())
