"""The plain way from a schema to its first mask: two calls of C++, `kernels/bind/front.cc`.

Each gives the very object that Python would have made, or None where something is not plain: other
options, a vocabulary met for the first time, an error. Then `slm.api` does what it always does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slm.decode.spec import Spec
from slm.mask import CompiledGrammar
from slm.mask.stats import DEFAULT_MEMORY

if TYPE_CHECKING:
    from slm.vocab import Vocabulary


class Front:
    """Both calls: `spec` of a schema, `compile` of a spec; found out when the first schema comes.

    Importing this imports no front end: who uses none pays for none.
    """

    __slots__ = ("compile", "spec")

    def __init__(self) -> None:
        self.spec: Callable[[Any], Spec | None] = self._first
        self.compile: Callable[[Any, Vocabulary], CompiledGrammar | None] = _never

    def _first(self, schema: Any) -> Spec | None:
        try:
            from slm import _native
            from slm.mask import native
        except ImportError:  # installed without a compiler
            self.spec = _never
            return None
        from slm.schema.compile import Twin
        from slm.schema.native import answer

        held = Spec, CompiledGrammar, native.plain_by_id, native.new_matcher, DEFAULT_MEMORY
        self.compile = _native.plain_compile(held)
        self.spec = _native.plain_spec((Spec, Twin, answer))
        return self.spec(schema)


def _never(*_: Any) -> None:
    """Nothing is plain."""


front = Front()
