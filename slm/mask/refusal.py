"""Explanations: what may come at a place, who asks for it, and why a token may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slm.errors import Place
from slm.grammar.example import example_of
from slm.grammar.ir import Grammar, Terminal, walk
from slm.grammar.memory import DistinctItems, Indentation
from slm.mask.session import Session

if TYPE_CHECKING:
    from slm.mask.compiled import CompiledGrammar

_EXAMPLE = 20  # characters
# Why what the rules would take is not allowed, by the kind of memory.
_REMEMBERED: dict[type, str] = {
    DistinctItems: "every item or name that goes on so is there already",
    Indentation: "no open block has lines that begin in this column",
}


@dataclass(frozen=True)
class Expectation:
    """Something that may begin, or go on, at a place of the text.

    Attributes:
        terminal: name of the terminal.
        rule: name of the rule that asks for it.
        place: what says so: a JSON Pointer into the schema, a line of the grammar; None if unknown.
        example: a short text of the terminal, of at most 20 characters, cut with "…" where it is
            longer; "" where none was found quickly. Not what must come here: the terminal may have
            been begun.
    """

    terminal: str
    rule: str
    place: Place | None
    example: str


@dataclass(frozen=True)
class Refusal:
    """Why a token is not allowed; `str` makes it one sentence.

    Attributes:
        token_id: the token.
        token: its text, for people.
        offset: how many of its bytes were fine; it dies at this one.
        expected: names of the terminals that could have come there.
        place: where in the schema or grammar the first of them is asked for, if known.
        places: all such places, in the order of `expected`, each once.
        why: the sentence.
    """

    token_id: int
    token: str
    offset: int
    expected: tuple[str, ...]
    place: Place | None
    places: tuple[Place, ...]
    why: str

    def __str__(self) -> str:
        return self.why


def expectations(
    session: Session, compiled: CompiledGrammar, after: bytes = b"", *, examples: bool = True
) -> list[Expectation]:
    """What may come after these viable bytes, sorted by terminal and rule."""
    if session.is_finished():
        return []
    found: dict[tuple[str, str, Place | None], Expectation] = {}
    for name, rule, terminal in session.waiting(after):
        for one in [terminal] if terminal is not None else _uses(compiled.grammar, name, rule):
            place = _place_of(compiled.grammar, one, rule)
            key = (name, rule, place)
            if key not in found:
                example = example_of(one.language, _EXAMPLE) if examples else ""
                found[key] = Expectation(name, rule, place, example)
    return list(found.values())


def refusal(session: Session, compiled: CompiledGrammar, token_id: int) -> Refusal:
    """Why a token of the vocabulary, which is not allowed, is not."""
    vocabulary = compiled.vocabulary
    data = vocabulary.tokens[token_id]
    name = f"token {token_id}"
    if data is not None:
        name += f" {vocabulary.show([token_id])}"
    offset = 0
    waits: list[Expectation] = []
    if session.is_finished():
        why = f"{name} is not allowed: the text has ended"
    else:
        text = b"" if data is None or token_id in vocabulary.eos_ids else data
        offset = session.viable_length(text)
        waits = expectations(session, compiled, text[:offset], examples=False)
        wanted = f"expected {_list(waits)}"
        if token_id in vocabulary.eos_ids:
            why = f"{name} ends the text, which is not complete: {wanted}"
        elif data is None:
            why = f"{name} never matches text: {wanted}"
        else:
            why = f"{name} is not allowed at its byte {offset} ({_show(data, offset)}): "
            if session.forbids(text[: offset + 1]):
                why += f"{_REMEMBERED[type(compiled.grammar.memory)]}; "
            why += wanted
    places = tuple(dict.fromkeys(wait.place for wait in waits if wait.place is not None))
    if places:
        why += " at " + " or ".join(str(place) for place in places[:2])
        why += " or …" if len(places) > 2 else ""
    return Refusal(
        token_id,
        vocabulary.show([token_id]),
        offset,
        tuple(dict.fromkeys(wait.terminal for wait in waits)),
        places[0] if places else None,
        places,
        why,
    )


def _uses(grammar: Grammar, name: str, rule: str) -> list[Terminal]:
    """The terminals of this name in a rule, one a place."""
    found: dict[Place | None, Terminal] = {}
    for node in walk(grammar.by_name[rule].body):
        if isinstance(node, Terminal) and node.name == name:
            found.setdefault(node.place, node)
    return list(found.values())


def _place_of(grammar: Grammar, terminal: Terminal, rule: str) -> Place | None:
    """A schema says of each value where it is described; a grammar's line is that of the rule."""
    own = terminal.place
    if own is not None and own.pointer is not None:
        return own
    asks = grammar.by_name.get(rule)
    return asks.place if asks is not None and asks.place is not None else own


def _list(waits: list[Expectation]) -> str:
    rules: dict[str, dict[str, None]] = {}
    for wait in waits:
        rules.setdefault(wait.rule, {})[wait.terminal] = None
    shown = [f"{', '.join(names)} (in rule `{rule}`)" for rule, names in list(rules.items())[:4]]
    if not shown:
        return "the end of the text"
    return " or ".join(shown) + (" or …" if len(rules) > 4 else "")


def _show(data: bytes, offset: int) -> str:
    """The character at `offset` when one begins there, else the byte."""
    char = data[offset : offset + 4].decode(errors="ignore")[:1]
    if char and data.startswith(char.encode(), offset):
        return repr(char)
    return f"0x{data[offset]:02x}"
