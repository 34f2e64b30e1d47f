"""Names that a schema does not declare: the regions that its patterns cut them into."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from slm.grammar.ir import NEVER, Expression
from slm.grammar.pattern import pattern_language
from slm.grammar.regular import (
    ANYTHING,
    Regular,
    choice_of,
    complement,
    difference,
    intersection,
)
from slm.schema.algebra import Goal, NameRule, ObjectShape
from slm.schema.strings import has_short_text, spell, spell_other_names
from slm.schema.style import JsonStyle

if TYPE_CHECKING:
    from slm.schema.lower import Lowering

MAX_NAME_CLASSES = 64


def declared_names(shape: ObjectShape) -> dict[str, None]:
    """The names that a shape or one it excludes declares: the base's first, in order."""
    names = {**dict.fromkeys(shape.members), **shape.required}
    for other in shape.none:
        names.update(declared_names(other))
    return names


@lru_cache(maxsize=64)
def extra_names(style: JsonStyle) -> Regular:
    """The names that a style admits beside the declared ones."""
    if style.extra_names is None:
        return ANYTHING
    return pattern_language(style.extra_names, dialect="ecma262", search=True)


def inhabited(to: Lowering, conditions: list[Regular], goal: Goal) -> list[dict[Regular, bool]]:
    """The ways in which conditions hold of names, without those that no name is in."""
    found: list[dict[Regular, bool]] = [{}]
    for condition in conditions:
        more: list[dict[Regular, bool]] = []
        for holds in found:
            for yes in (True, False):
                both = {**holds, condition: yes}
                language = region(both)
                if has_short_text(language, to.of.pool) or to.of.pool.alive(
                    to.of.pool.state(language)
                ):
                    more.append(both)
        found = more
        if len(found) > MAX_NAME_CLASSES:
            node = to.of.reader.node(min(goal, key=abs))
            why = f"{len(conditions)} patterns may overlap in too many ways"
            raise to.of.unsupported(node, "patternProperties", why)
    return found


def region(holds: dict[Regular, bool]) -> Regular:
    """The names of which exactly these conditions hold."""
    return intersection(*(part if yes else complement(part) for part, yes in holds.items()))


def speaks(rule: NameRule, holds: dict[Regular, bool]) -> bool:
    """Whether a rule is about the names of which these conditions hold."""
    included = rule.included is None or holds[rule.included]
    return included and not any(holds[part] for part in rule.excluded)


def free_key(to: Lowering, region: Regular, names: list[str]) -> Expression:
    """The terminal for the names of a region that are not declared."""
    escapes = to.layout.style.escapes
    if region == ANYTHING:
        whole = spell_other_names
        key = ("name", frozenset(names))
        return to.terminal("NAME", key, lambda: to.layout.free_key(whole(names, escapes)))
    language = difference(region, choice_of(names)) if names else region
    if not to.of.pool.alive(to.of.pool.state(language)):
        return NEVER

    def make() -> Regular:
        other = spell_other_names(names, escapes)
        return to.layout.free_key(intersection(spell(region, escapes), other))

    return to.terminal("NAME", ("name", frozenset(names), region), make)
