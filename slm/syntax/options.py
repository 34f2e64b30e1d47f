"""Lark's options: which language they ask for, and which of them slm cannot follow.

Each option is followed exactly or refused by name. Most of them change no text's acceptance. Those
that hand tokens to somebody's code do, but not all of them: what a callback makes of an ignored
token is thrown away, and what a transformer makes of a token is a value that no parser looks at.
"""

from __future__ import annotations

import difflib
from typing import Any

import lark

from slm.errors import LarkError, Place, UnsupportedLarkFeature
from slm.syntax.definitions import refuse_postlex
from slm.syntax.indent import indents_of
from slm.syntax.places import Places

# Lark's parsers with their lexers, its defaults first.
_LEXERS = {
    "lalr": ("contextual", "basic"),
    "earley": ("dynamic", "dynamic_complete", "basic"),
    "cyk": ("basic",),
}
_EXACT = frozenset({"lalr", "earley"})
_HINT = 'pass parser="lalr" or parser="earley", with one of Lark\'s own lexers for it'
# Options that change no text's acceptance (they shape trees, say where files are, or make Lark
# refuse more), and those that what Lark has built already follows.
_NEUTRAL = frozenset(
    {
        "ambiguity",
        "debug",
        "edit_terminals",
        "g_regex_flags",
        "import_paths",
        "keep_all_tokens",
        "maybe_placeholders",
        "ordered_sets",
        "priority",
        "propagate_positions",
        "regex",
        "source_path",
        "strict",
        "tree_class",
    }
)
_REFUSED = {
    "postlex": "tokens would come from the post-lexer's own code",
    "lexer_callbacks": "callbacks may change tokens",
    "use_bytes": "the text would be bytes",
    "cache": 'Lark takes it under parser="lalr" only',
    "_plugins": "tokens would come from the plug-in's own code",
}


def semantics_of(parser: object, lexer: object, at: Place | None = None) -> str:
    """Parser and lexer in one word.

    Raises:
        LarkError: Lark has no such parser, or no such lexer for it.
        UnsupportedLarkFeature: Lark has that language, slm has not.
    """
    if isinstance(parser, str) and parser not in _LEXERS:
        raise LarkError(f"Lark has no parser {parser!r}", at=at, hint=_HINT)
    lexers = _LEXERS.get(str(parser), ("basic",))
    if lexer == "auto":
        lexer = lexers[0]
    custom = isinstance(lexer, type)
    if not custom and lexer not in lexers:
        old = lexer == "standard" and "basic" in lexers
        raise LarkError(
            f"Lark has no lexer {lexer!r} for parser={parser!r}",
            at=at,
            hint='since Lark 1.0 its name is lexer="basic"'
            if old
            else f"its lexers are {', '.join(lexers)}",
        )
    name = "custom" if custom else str(lexer)
    asked = f"{parser}/{name}"
    if parser in _EXACT and not custom:
        return asked
    raise UnsupportedLarkFeature(
        f"Lark's language under parser={parser!r}, lexer={name!r} cannot be enforced yet",
        feature="custom lexer" if custom else "parser and lexer",
        semantics=asked,
        at=at,
        hint=_HINT,
    )


def check_options(options: dict[str, Any], semantics: str) -> None:
    """See to it that every option is one that is followed.

    Raises:
        LarkError: Lark has no such option.
        UnsupportedLarkFeature: it may change tokens.
    """
    for name, value in options.items():
        if name in _NEUTRAL or not value:
            continue
        if name == "cache" and semantics.startswith("lalr"):
            continue
        if name == "lexer_callbacks" and has_lexer(semantics):
            continue  # see `check_callbacks`
        if name == "postlex" and semantics != "cfg":
            indents_of(value, lambda what: refuse_postlex(what, semantics))
            continue
        if name in _REFUSED:
            raise _unsupported(name, semantics)
        if name not in lark.lark.LarkOptions._defaults:
            known = [each for each in lark.lark.LarkOptions._defaults if each[0] != "_"]
            near = difflib.get_close_matches(name, known, 1)
            raise LarkError(
                f"Lark has no option `{name}`",
                hint=f"did you mean `{near[0]}`?" if near else "see the options of lark.Lark",
            )


def check_object(built: lark.Lark, places: Places, semantics: str) -> str:
    """The semantics of a built object, or those asked for, if they can be had."""
    options = built.options
    if semantics != "cfg":
        at = places.at(0) if places.text else None
        semantics = semantics_of(options.parser, options.lexer, at)
    told = ("postlex", "lexer_callbacks", "use_bytes", "_plugins")
    check_options({name: getattr(options, name, None) for name in told}, semantics)
    return semantics


def check_callbacks(built: lark.Lark, places: Places, semantics: str) -> None:
    """See to it that all lexer callbacks are for ignored tokens: Lark drops what they return.

    Raises:
        UnsupportedLarkFeature: one is for a token that the parser sees.
    """
    ignored = set(built.lexer_conf.ignore)
    seen = {str(each.name) for each in built.terminals if each.name not in ignored}
    for name in built.options.lexer_callbacks or ():
        if name in seen:
            raise UnsupportedLarkFeature(
                f"the callback for `{name}` is not supported: it may change tokens",
                feature="lexer_callbacks",
                symbol=str(name),
                semantics=semantics,
                at=places.of(str(name)),
                hint="callbacks for ignored terminals are fine; use a transformer for the others",
            )


def has_lexer(semantics: str) -> bool:
    """Whether there are tokens before there is a parse, so that callbacks can be called."""
    return semantics.endswith(("/contextual", "/basic"))


def _unsupported(name: str, semantics: str) -> UnsupportedLarkFeature:
    return UnsupportedLarkFeature(
        f"the option `{name}` is not supported: {_REFUSED[name]}",
        feature=name,
        semantics=semantics,
        hint=f"leave `{name}` out",
    )
