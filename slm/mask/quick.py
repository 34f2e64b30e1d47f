"""Matchers whose two calls of every token are C++ from the first to the last.

`kernels/bind/calls.cc` has these calls. They do what is plainly right, and hand all else, with the
session, to the methods of `Matcher`, which are what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slm.mask.matcher import Matcher

if TYPE_CHECKING:
    from slm.mask.compiled import CompiledGrammar

_new = object.__new__


class QuickMatcher(Matcher):
    """A matcher whose two calls of every token are functions in C++: they cost no Python frame.

    What is not plainly right, and whatever fails, these hand to the methods of `Matcher`.
    """

    __slots__ = ("accept", "fill_mask")

    def fork(self) -> Matcher:
        """An independent matcher with the same past."""
        return around(self._compiled, self._bare.fork())


def around(compiled: CompiledGrammar, session: Any) -> Matcher:
    """Made without constructors, which the first mask of a small schema would feel."""
    made = _new(QuickMatcher)
    made._compiled, made._bare, made._made = compiled, session, None
    held = (session, _fill_slowly, _accept_slowly, compiled)
    made.fill_mask, made.accept = compiled._calls(held)  # type: ignore[method-assign]
    return made


def _slow(held: tuple[Any, ...]) -> Matcher:
    """The matcher of the session, with the methods of Python."""
    session, compiled = held[0], held[3]
    made = _new(Matcher)
    made._compiled, made._bare, made._made = compiled, session, None
    made._fill, made._take = session.fill_row, session.accept
    return made


def _fill_slowly(held: tuple[Any, ...], *arguments: Any, **named: Any) -> None:
    _slow(held).fill_mask(*arguments, **named)


def _accept_slowly(held: tuple[Any, ...], *arguments: Any, **named: Any) -> None:
    _slow(held).accept(*arguments, **named)
