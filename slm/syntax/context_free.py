"""A Lark grammar without a lexer: ``semantics="cfg"``, which is no language of Lark's.

Each piece of text that a terminal's pattern matches as a whole may be that terminal, whatever else
it could be and whatever follows; ignored terminals may stand between tokens, before the first and
behind the last, any number of them. Neither priorities nor the order of alternatives count. Lark
parses some of these texts otherwise than they were written, and some not at all.
"""

from __future__ import annotations

from slm.grammar import ir
from slm.syntax.dynamic_complete import EveryCut


class ContextFree(EveryCut):
    """One Lark object on its way into the IR, read as a context-free grammar."""

    def _prepare(self) -> None:
        names = dict.fromkeys(self.definitions.ignored)
        self._gap = ir.many(ir.choice(*(self.definitions.terminal(name) for name in names)), 0)
        if not names:
            self._gap = ir.EMPTY

    def at_end(self) -> ir.Expression:
        """Ignored text, or nothing."""
        return self._gap

    def before(self, terminal: ir.Terminal) -> ir.Expression:
        """A terminal behind ignored text, or nothing."""
        return ir.seq(self._gap, terminal)
