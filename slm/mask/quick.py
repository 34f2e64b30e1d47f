"""Matchers whose two calls of every token are C++ from the first to the last.

`kernels/bind/calls.cc` has these calls, `kernels/bind/front.cc` makes the matchers. The calls do
what is plainly right, and hand all else, with the session, to the methods of `Matcher`, which are
what they mean.
"""

from __future__ import annotations

from typing import Any

from slm.mask.matcher import Matcher

_new = object.__new__


class QuickMatcher(Matcher):
    """A matcher whose two calls of every token are functions in C++: they cost no Python frame.

    What is not plainly right, and whatever fails, these hand to the methods of `Matcher`.
    """

    __slots__ = ("accept", "fill_mask")

    def fork(self) -> Matcher:
        """An independent matcher with the same past."""
        return self._compiled._around(self._bare.fork())


def _slow(held: tuple[Any, ...]) -> Matcher:
    """The matcher of the session, with the methods of Python."""
    session, compiled = held[0], held[3]
    made = _new(Matcher)
    made._compiled, made._bare, made._made = compiled, session, None
    made._fill, made._take = session.fill_row, session.accept
    return made


def fill_slowly(held: tuple[Any, ...], *arguments: Any, **named: Any) -> None:
    """`fill_mask` as C++ calls it where something is not plain."""
    _slow(held).fill_mask(*arguments, **named)


def accept_slowly(held: tuple[Any, ...], *arguments: Any, **named: Any) -> None:
    """`accept` as C++ calls it where something is not plain."""
    _slow(held).accept(*arguments, **named)
