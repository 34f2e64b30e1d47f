"""Making choices cheaply."""

from __future__ import annotations

from slm.grammar.ir import NEVER, Choice, Expression


def alternatives(*options: Expression) -> Expression:
    """Any of the options, flattened.

    As `choice`, without looking for repeats: comparing expressions costs as much as they are large,
    and here no two options are equal.
    """
    flat: list[Expression] = []
    for option in options:
        if isinstance(option, Choice):
            flat.extend(option.options)
        else:
            flat.append(option)
    if not flat:
        return NEVER
    return flat[0] if len(flat) == 1 else Choice(tuple(flat))
