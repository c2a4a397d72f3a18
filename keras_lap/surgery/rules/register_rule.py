"""The rules in use."""

from keras_lap.surgery.rules.rule import Rule

_RULES = []


def register_rule(rule):
    """Puts a rule into use, before those that are in use already.

    Args:
        rule: An instance of a `Rule`.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(rule, Rule):
        raise TypeError(
            "Expected an instance of keras_lap.surgery.Rule. "
            f"Received: {rule!r} of type {type(rule).__name__}"
        )
    _RULES.insert(0, rule)


def rule_for(layer):
    """The rule for a layer's kind, or `None`."""
    return next((rule for rule in _RULES if rule.matches(layer)), None)
