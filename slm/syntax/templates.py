"""Templates that never stop: Lark would write out rules until memory is full.

``x{a}: x{x{a}}`` asks for ``x`` of something larger each time. That is so if and only if a
parameter flows, from one template to the next and back to where it began, and on the way becomes a
part of an argument (the same is asked of generic classes in .NET, ECMA-335 II.9.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import lark
from lark.load_grammar import load_grammar

_TEMPLATE = re.compile(r"^[ \t]*[!?]*_*[a-z]\w*\{", re.MULTILINE)
_Parameter: TypeAlias = tuple[str, int]
_load: Any = load_grammar


def endless_template(text: str, source: str, options: dict[str, Any]) -> str | None:
    """The name of a template whose instances have no end; None: there is none, or no grammar.

    Cost: none without templates in the text, else that of reading the grammar once more.
    """
    if not _TEMPLATE.search(text):
        return None
    paths, keep = options.get("import_paths") or [], bool(options.get("keep_all_tokens"))
    try:
        rules = _load(text, source, paths, keep)[0].rule_defs
    except (lark.exceptions.LarkError, OSError, RecursionError):
        return None  # said when the grammar is built
    templates = {
        str(name): [str(each) for each in params] for name, params, _, _ in rules if params
    }
    bodies = {str(name): body for name, _, body, _ in rules}
    uses = {name: list(_uses(body, templates)) for name, body in bodies.items()}
    asked = {called for name in bodies if name not in templates for called, _ in uses[name]}
    queue = list(asked)
    flows: dict[_Parameter, set[tuple[_Parameter, bool]]] = {}
    for name in queue:  # grows while it is walked
        for called, arguments in uses[name]:
            if called not in asked:
                asked.add(called)
                queue.append(called)
            for position, argument in enumerate(arguments):
                for number, parameter in enumerate(templates[name]):
                    if parameter in _names(argument):
                        flow = ((called, position), _is_more(argument))
                        flows.setdefault((name, number), set()).add(flow)
    for begin, out in flows.items():
        for target, grows in out:
            if grows and begin in _reached(target, flows):
                return begin[0]
    return None


def _uses(body: Any, templates: dict[str, list[str]]) -> Iterator[tuple[str, list[Any]]]:
    """The templates that a rule asks for, with their arguments."""
    for tree in body.iter_subtrees():
        if tree.data == "template_usage":
            called, *arguments = tree.children
            name = str(getattr(called, "name", called))
            if name in templates:
                yield name, arguments


def _is_more(argument: Any) -> bool:
    """Whether an argument is more than a name: a template's use."""
    while isinstance(argument, lark.Tree) and argument.data == "value":
        argument = argument.children[0]
    return isinstance(argument, lark.Tree)


def _names(argument: Any) -> set[str]:
    if not isinstance(argument, lark.Tree):
        return {str(getattr(argument, "name", argument))}
    return {name for child in argument.children for name in _names(child)}


def _reached(
    begin: _Parameter, flows: dict[_Parameter, set[tuple[_Parameter, bool]]]
) -> set[_Parameter]:
    found, stack = {begin}, [begin]
    while stack:
        for target, _ in flows.get(stack.pop(), ()):
            if target not in found:
                found.add(target)
                stack.append(target)
    return found
