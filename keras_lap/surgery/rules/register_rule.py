"""The rules in use."""

from keras_lap.surgery.rules.rule import Rule
from keras_lap.utils.names import check_choice

DEFAULT_WHERE = "pooling"
WHERE = (DEFAULT_WHERE, "all")

_RULES = []


def register_rule(rule):
    """Puts a rule into use, before those that are in use already.

    It takes the place of an earlier one whose class has the same name, so that the
    cell of a notebook can be run again.

    Args:
        rule: An instance of a `Rule`.

    Raises:
        TypeError: If it is none.
        ValueError: If its `where` is neither `"pooling"` nor `"all"`.
    """
    if not isinstance(rule, Rule):
        raise TypeError(
            "Expected an instance of keras_lap.surgery.Rule. "
            f"Received: {rule!r} of type {type(rule).__name__}"
        )
    check_choice("where", rule.where, WHERE)
    others = [other for other in _RULES if _name(other) != _name(rule)]
    _RULES[:] = [rule, *others]


def _name(rule):
    return type(rule).__module__, type(rule).__qualname__


def rule_for(layer):
    """The rule for a layer's kind, or `None`."""
    return next((rule for rule in _RULES if rule.matches(layer)), None)
