"""What a grammar remembers of the text beside its rules: what no context-free rule can say.

The rules talk to a memory by *marks*: terminals that stand for no text, each a single character
that no text of the grammar holds. An engine takes them by itself, and tells the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class DistinctItems:
    """JSON arrays whose items are all different.

    In the rules, such an array is ``"[" BEGIN (ITEM item END ("," ITEM item END)*) "]" LEAVE``: the
    marks say where the array and its items begin and end. Arrays nest. Two items are equal if they
    are as JSON values, as the specification says or as a parser with doubles reads them.

    The names of an object's members may be such items, too, each with its colon; what is between
    END and the next ITEM does not matter.
    """

    name: ClassVar[str] = "distinct"
    number: ClassVar[int] = 2  # in kernels/core/program.h

    BEGIN: ClassVar[str] = "\x1c"
    ITEM: ClassVar[str] = "\x1d"
    END: ClassVar[str] = "\x1e"
    LEAVE: ClassVar[str] = "\x1f"

    @property
    def marks(self) -> frozenset[str]:
        """Every mark: control characters, which no JSON text holds unescaped."""
        return frozenset((self.BEGIN, self.ITEM, self.END, self.LEAVE))

    def words(self) -> list[int]:
        """For the native engine: what kind it is, then a list of parameters."""
        return [self.number, 0]


Memory: TypeAlias = DistinctItems
