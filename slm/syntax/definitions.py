"""What a built Lark object defines: its terminals as languages, and where all of it is written."""

from __future__ import annotations

import re
from typing import Any

import lark
from lark.lexer import PatternRE, TerminalDef

from slm.errors import Place, UnsupportedLarkFeature
from slm.grammar import ir
from slm.grammar.asserting import Asserting
from slm.grammar.pattern_tree import Node
from slm.grammar.regular import NOTHING, Regular
from slm.syntax.places import Places
from slm.syntax.regex_module import as_re
from slm.syntax.terminals import (
    Refusal,
    terminal_automaton,
    terminal_language,
    terminal_words,
)


def refuse_postlex(what: str, semantics: str) -> UnsupportedLarkFeature:
    """The error for a post-lexer."""
    return UnsupportedLarkFeature(
        what,
        feature="postlex",
        semantics=semantics,
        hint="use a subclass of lark.indenter.Indenter that only sets its attributes",
    )


class Definitions:
    """The definitions of one Lark object under one of Lark's semantics.

    Args:
        built: the object.
        places: finds the symbols in the grammar's text.
        semantics: parser and lexer, ``"lalr/contextual"`` for example.
    """

    def __init__(self, built: lark.Lark, places: Places, semantics: str) -> None:
        self.built, self.places, self.semantics = built, places, semantics
        self.notes: list[str] = []
        self.by_name = {str(each.name): each for each in built.terminals}
        self.flags = int(built.options.g_regex_flags)
        self.ignored = tuple(str(name) for name in built.lexer_conf.ignore)
        self._terminals: dict[str, ir.Terminal] = {}
        self._rule_places: dict[str, Place | None] = {}
        self._terminal_places: dict[str, Place] = {}

    def terminal(self, name: str) -> ir.Terminal:
        """The terminal with the words that one match of it consumes as a whole.

        Raises:
            UnsupportedLarkFeature: the terminal is only declared, or has no exact form.
            GrammarTooComplex: it needs too large an automaton.
        """
        if name not in self._terminals:
            self._terminals[name] = self._terminal(name)
        return self._terminals[name]

    def words(self, name: str) -> Regular | Node:
        """The same for a lexer that matches in the text; with assertions, the pattern's tree.

        Raises:
            UnsupportedLarkFeature: the terminal has no exact form.
            GrammarTooComplex: it needs too large an automaton.
        """
        found = terminal_words(*self._arguments(name))
        if found == NOTHING:
            self.notes.append(f"terminal `{name}` can never match")
        return found

    def automaton(self, name: str, root: Node) -> Asserting:
        """The automaton of a terminal with assertions, from its tree.

        Raises:
            UnsupportedLarkFeature: it has no exact form.
            GrammarTooComplex: it needs too large an automaton.
        """
        return terminal_automaton(*self._arguments(name), root)

    def place_of_terminal(self, name: str) -> Place:
        """Where a terminal is written, as well as it can be told."""
        if name not in self._terminal_places:
            pattern = self.by_name[name].pattern
            self._terminal_places[name] = (
                self.places.of(name)
                or self.places.of_text(pattern.raw or "")
                or self.places.of_text(pattern.value)
                or Place(self.places.source)
            )
        return self._terminal_places[name]

    def place_of_rule(self, name: str) -> Place | None:
        """Where a rule, or the rule that Lark made this helper for, is written."""
        if name not in self._rule_places:
            template = name.split("{", 1)[0]
            helper = re.fullmatch(r"__(\w+)_(?:star|plus|repeat)_\w+", template)
            self._rule_places[name] = self.places.of(helper[1] if helper else template)
        return self._rule_places[name]

    def refusal(
        self, what: str, feature: str, name: str, at: Place | None, hint: str
    ) -> UnsupportedLarkFeature:
        """The error for what has no exact form here."""
        defined = self.by_name.get(name)
        return UnsupportedLarkFeature(
            what,
            feature=feature,
            symbol=name,
            pattern="" if defined is None else defined.pattern.to_regexp(),
            semantics=self.semantics,
            at=at,
            hint=hint,
        )

    def refuse_postlex(self, what: str) -> UnsupportedLarkFeature:
        """The error for a post-lexer."""
        return refuse_postlex(what, self.semantics)

    def columns_not_free(self, newline: str) -> UnsupportedLarkFeature:
        """The error for a newline token whose blanks do not reach every column."""
        return self.refusal(
            f"the blanks behind a line break of `{newline}` cannot make every column, so a line "
            "could begin where no column fits",
            "postlex",
            newline,
            self.place_of_terminal(newline),
            r"end the terminal with any number of blanks, such as /\n[\t ]*/",
        )

    def _terminal(self, name: str) -> ir.Terminal:
        definition = self.by_name.get(name)
        if definition is None:
            raise self.refusal(
                f"terminal `{name}` is declared but never defined, so only a post-lexer makes it",
                "%declare",
                name,
                self.places.of(name),
                "define the terminal; Lark's own lexers cannot match it either",
            )
        language = terminal_language(*self._arguments(name))
        if language == NOTHING:
            self.notes.append(f"terminal `{name}` can never match")
        return ir.Terminal(name, language, place=self.place_of_terminal(name))

    def _arguments(self, name: str) -> tuple[Any, int, Place, Refusal, str]:
        definition, place = self.by_name[name], self.place_of_terminal(name)

        def refuse(feature: str, what: str) -> UnsupportedLarkFeature:
            return self.refusal(what, feature, name, place, "write the terminal without it")

        if self.built.options.regex and not (
            definition.pattern.type == "str" and not self.flags and not definition.pattern.flags
        ):
            plain = not self.flags and not definition.pattern.flags
            written = as_re(definition.pattern.value) if plain else None
            if written is None:
                raise refuse(
                    "regex", f"terminal `{name}` may mean something else in module `regex`"
                )
            definition = TerminalDef(name, PatternRE(written), definition.priority)
        return definition, self.flags, place, refuse, self.semantics
