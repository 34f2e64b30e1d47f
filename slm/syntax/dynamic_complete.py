"""Lark's ``parser="earley", lexer="dynamic_complete"``: every way to cut the text counts.

Nothing competes, so the rules stay what they are, and a terminal only differs by the ignored text
that may stand before it.
"""

from __future__ import annotations

from collections.abc import Iterable

from lark.grammar import Rule as LarkRule

from slm.errors import UnsupportedLarkFeature
from slm.grammar import ir
from slm.syntax.definitions import Definitions
from slm.syntax.ignore import Ignored

_START = "__text"  # Lark reserves names with two underscores, so no grammar defines it


class EveryCut:
    """One Lark object on its way into the IR, under these semantics."""

    def __init__(self, definitions: Definitions, start: str) -> None:
        self.definitions, self.start = definitions, start
        self.leaves: dict[str, ir.Expression] = {}
        self._prepare()

    def _prepare(self) -> None:
        terminal = self.definitions.terminal
        self._ignored = Ignored(
            (terminal(name).language for name in self.definitions.ignored), self.refuse_ignore
        )

    def at_end(self) -> ir.Expression:
        """What may stand behind the last token."""
        return self._ignored.at_end()

    def before(self, terminal: ir.Terminal) -> ir.Expression:
        """A terminal, with what may stand before it."""
        return self._ignored.before(terminal)

    def grammar(self) -> ir.Grammar:
        """The grammar of the start rule."""
        by_origin: dict[str, list[LarkRule]] = {}
        for rule in self.definitions.built.rules:
            by_origin.setdefault(str(rule.origin.name), []).append(rule)
        rules: list[ir.Rule] = []
        seen = {self.start}
        queue = [self.start]
        for name in queue:  # grows while it is walked
            body = self.body(name, by_origin[name])
            rules.append(ir.Rule(name, body, self.definitions.place_of_rule(name)))
            for node in ir.walk(body):
                if isinstance(node, ir.Call) and node.rule not in seen:
                    seen.add(node.rule)
                    queue.append(node.rule)
        end = self.at_end()
        start = self.start
        if end != ir.EMPTY:
            start = _START
            rules.insert(0, ir.Rule(_START, ir.seq(ir.Call(self.start), end)))
        return ir.Grammar(tuple(rules), start)

    def body(self, name: str, rules: list[LarkRule]) -> ir.Expression:
        """All expansions of one rule; Lark's own helper for `*` and `+` becomes a repetition."""
        rows = [tuple(str(symbol.name) for symbol in rule.expansion) for rule in rules]
        for rule in rules:
            for symbol in rule.expansion:
                if symbol.is_term:
                    self.leaf(str(symbol.name))
        plain = [row for row in rows if row[:1] != (name,)]
        again = [row[1:] for row in rows if row[:1] == (name,)]
        if again and name.startswith("__") and set(plain) == set(again):
            return ir.many(self.factored(plain), 1, None)
        return self.factored(rows)

    def factored(self, rows: Iterable[tuple[str, ...]]) -> ir.Expression:
        """The alternatives with their common beginnings shared.

        Lark writes ``a [b] [c] d`` out as four rows; together they are one tree again.
        """
        by_head: dict[str | None, list[tuple[str, ...]]] = {}
        for row in rows:
            by_head.setdefault(row[0] if row else None, []).append(row[1:])
        options = []
        for head, tails in by_head.items():
            if head is None:
                options.append(ir.EMPTY)
                continue
            first = self.leaves.get(head) or ir.Call(head)
            options.append(ir.seq(first, self.factored(tails)))
        return ir.choice(*options)

    def leaf(self, name: str) -> ir.Expression:
        """A terminal, with the ignored text that may stand before it."""
        if name not in self.leaves:
            self.leaves[name] = self.before(self.definitions.terminal(name))
        return self.leaves[name]

    def refuse_ignore(self, why: str) -> UnsupportedLarkFeature:
        """The error for ignored text that cannot be written as a grammar."""
        definitions = self.definitions
        return definitions.refusal(
            f"`%ignore` is greedy in Lark, and {why}",
            "greedy %ignore",
            definitions.ignored[0],
            definitions.places.of_text("%ignore"),
            "ignore one character at a time (%ignore /[ ]/), or let no terminal begin like it",
        )
