"""Lark's other semantics: a lexer that takes one match, under LALR tables or Earley.

| semantics | competition between terminals | rules |
|---|---|---|
| lalr/contextual | those that the parser's state can use | as the table reads them |
| lalr/basic | all | as the table reads them |
| earley/basic | all | as they are |
| earley/dynamic | none: each takes its own longest match | as they are |
"""

from __future__ import annotations

from lark.lexer import BasicLexer

from slm.errors import GrammarTooComplex, UnsupportedLarkFeature
from slm.grammar import ir
from slm.grammar.regular import Regular
from slm.syntax.alphabet import Alphabet, charsets_of
from slm.syntax.contexts import Contexts
from slm.syntax.definitions import Definitions
from slm.syntax.indent import check_rules, indents_of
from slm.syntax.indent_lexing import IndentedLexing, IndentedTable
from slm.syntax.lexing import Lexing
from slm.syntax.native_lowering import NativeLowering, is_lowered_natively
from slm.syntax.newlines import Newlines
from slm.syntax.scanners import Scanner, Scanners, dynamic_scanner
from slm.syntax.tables import LalrStates, LalrTable, OnePlace, Symbols, Table

_START = "__text"  # Lark reserves names with two underscores, so no grammar defines it


def token_grammar(definitions: Definitions, start: str) -> ir.Grammar:
    """The grammar of a start rule, exactly as Lark's lexer and parser read it together.

    Raises:
        UnsupportedLarkFeature: a terminal has no exact form.
        GrammarTooComplex: too many contexts, or too many states for a terminal.
        re.error: the lexer's alternation does not compile.
    """
    built = definitions.built

    def too_complex(symbol: str) -> GrammarTooComplex:
        known = symbol in definitions.by_name
        return GrammarTooComplex(
            f"terminal `{symbol}`: what it leaves open for the text after it takes too many states",
            at=definitions.place_of_terminal(symbol) if known else None,
            hint="lower its repetition bounds, or end it where no longer match can begin",
        )

    def refuse(symbol: str, why: str) -> UnsupportedLarkFeature:
        return definitions.refusal(
            f"terminal `{symbol}` refers back to a group with many words, and {why}, so that it "
            "cannot be told from others without an automaton",
            "backreference",
            symbol,
            definitions.place_of_terminal(symbol),
            "let it begin like nothing else, or name the words that the group can match",
        )

    symbols = Symbols(built.rules, start)
    indents = None
    if built.options.postlex is not None:
        indents = indents_of(built.options.postlex, definitions.refuse_postlex)
        check_rules(symbols, indents, definitions)
    used = {name for rows in symbols.rows.values() for row in rows for name, term in row if term}
    used -= indents.added if indents is not None else frozenset()
    for name in sorted(used - set(definitions.by_name)):
        if definitions.semantics == "earley/dynamic":
            definitions.terminal(name)  # raises: Lark fails where it looks for such a terminal
        definitions.notes.append(f"terminal `{name}` is only declared and can never match")
    words = {name: definitions.words(name) for name in definitions.by_name}
    alphabet = Alphabet(charset for each in words.values() for charset in charsets_of(each))
    automata = {
        name: definitions.automaton(name, alphabet.narrow_pattern(each))
        for name, each in words.items()
        if not isinstance(each, Regular)
    }
    languages = {name: each for name, each in words.items() if isinstance(each, Regular)}
    states: LalrStates | Scanner
    if definitions.semantics.startswith("lalr"):
        states = LalrStates(built, start)
    elif definitions.semantics == "earley/basic":
        states = Scanners(built.terminals).of(BasicLexer(built.lexer_conf))
    else:
        states = dynamic_scanner(definitions.ignored)

    def new_newlines() -> Newlines | None:
        if indents is None:
            return None
        name = indents.newline
        return Newlines(indents, lambda: definitions.columns_not_free(name), too_complex)

    newlines = new_newlines()
    if is_lowered_natively(languages, states):
        fast = NativeLowering(symbols, languages, automata, alphabet, states, indents, newlines)
        made = fast.grammar(
            _START, definitions.place_of_rule, definitions.place_of_terminal, too_complex
        )
        if made is not None:
            return made
        newlines = new_newlines()
    arguments = (languages, automata, alphabet, definitions.place_of_terminal, too_complex, refuse)
    lexing = Lexing(*arguments)
    if indents is not None and newlines is not None:
        lexing = IndentedLexing(indents, newlines, *arguments)
    table: Table
    if isinstance(states, LalrStates):
        table = LalrTable(states, symbols, lexing)
    else:
        table = OnePlace(symbols, states)
    if indents is not None:
        table = IndentedTable(table, symbols, indents)
    contexts = Contexts(symbols, table, lexing, too_complex)
    if newlines is not None:
        return contexts.grammar(_START, definitions.place_of_rule, newlines.memory)
    return contexts.grammar(_START, definitions.place_of_rule)


def failing_at_once(definitions: Definitions, start: str) -> ir.Grammar | None:
    """The grammar where a dynamic lexer looks for a terminal without definition in every text.

    Lark fails there, but for the empty text, where it looks for nothing. None: it does not, or not
    at once.
    """
    rules = definitions.built.rules
    used = {str(each.name) for rule in rules for each in rule.expansion if each.is_term}
    undefined = used - set(definitions.by_name)
    if not undefined:
        return None
    first, empty = Symbols(rules, start).first_of(((start, False),))
    missing = sorted(undefined & first)
    if not missing:
        return None
    definitions.notes.append(
        f"terminal `{missing[0]}` is only declared, and Lark fails where it is looked for: at the "
        "beginning of every text"
    )
    whole = ir.Rule(start, ir.EMPTY if empty else ir.NEVER, definitions.place_of_rule(start))
    return ir.Grammar((whole,), start)
