"""What a schema's own keywords admit, type by type: one shape for each group of keywords.

Sub-schemas of items and members stay goals here; only ``propertyNames`` is entered, because names
are strings and a shape needs their language.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slm.errors import InvalidSchema, PatternError, UnsupportedPattern
from slm.grammar.pattern import pattern_language
from slm.grammar.regular import ANYTHING, Regular, complement, union
from slm.schema.algebra import (
    ANY_ARRAY,
    ANY_NUMBER,
    ANY_OBJECT,
    ANY_STRING,
    BOTH,
    EVERYTHING,
    FALSE,
    NO_VALUE,
    TRUE,
    ArrayShape,
    Contains,
    Content,
    Goal,
    Kinds,
    NameRule,
    NumberShape,
    ObjectShape,
    StringShape,
)
from slm.schema.constants import exact
from slm.schema.content import content_of, refuse_in_names
from slm.schema.formats import format_doubts, format_language
from slm.schema.keywords import CONTENT
from slm.schema.reader import SchemaNode
from slm.schema.strings import decoded_language

if TYPE_CHECKING:
    from slm.schema.normalise import Normaliser

NUMBER_KEYWORDS = frozenset(
    ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
)
STRING_KEYWORDS = frozenset(("minLength", "maxLength", "pattern", "format"))
ARRAY_KEYWORDS = frozenset(
    "items prefixItems additionalItems minItems maxItems uniqueItems contains".split()
)
OBJECT_KEYWORDS = frozenset(
    "properties required additionalProperties patternProperties propertyNames "
    "minProperties maxProperties".split()
)
_OF_TYPE: dict[str, Kinds] = {
    "null": Kinds(null=True),
    "boolean": Kinds(booleans=BOTH),
    "number": Kinds(numbers=(ANY_NUMBER,)),
    "integer": Kinds(numbers=(NumberShape(integer=True),)),
    "string": Kinds(strings=(ANY_STRING,)),
    "array": Kinds(arrays=(ANY_ARRAY,)),
    "object": Kinds(objects=(ANY_OBJECT,)),
}


def type_kinds(of: Normaliser, node: SchemaNode) -> Kinds:
    """What ``type`` admits."""
    if not of.has(node, "type"):
        return EVERYTHING
    names = node.raw["type"]
    if isinstance(names, str):
        return _OF_TYPE[names]
    found = NO_VALUE
    for name in names:
        if not (name == "integer" and "number" in names):
            found = found.join(_OF_TYPE[name])
    return found


def number_shape(of: Normaliser, node: SchemaNode) -> NumberShape:
    """What the numeric keywords admit."""

    def get(keyword: str) -> Any:
        return node.raw[keyword] if of.has(node, keyword) else None

    low, high = get("minimum"), get("maximum")
    low_open, high_open = get("exclusiveMinimum"), get("exclusiveMaximum")
    shape: NumberShape | None = ANY_NUMBER
    parts = []
    if low is not None:
        parts.append(NumberShape(low=exact(low), low_open=low_open is True))
    if high is not None:
        parts.append(NumberShape(high=exact(high), high_open=high_open is True))
    if low_open is not None and not isinstance(low_open, bool):
        parts.append(NumberShape(low=exact(low_open), low_open=True))
    if high_open is not None and not isinstance(high_open, bool):
        parts.append(NumberShape(high=exact(high_open), high_open=True))
    step = get("multipleOf")
    if step is not None:
        parts.append(NumberShape(multiples=(exact(step),)))
    for part in parts:
        shape = shape.meet(part) if shape is not None else None
    return shape if shape is not None else NumberShape(values=())


def string_shape(of: Normaliser, node: SchemaNode, *, wide: bool = False) -> StringShape | None:
    """What the string keywords admit; None for no string at all. `wide`: see `format_language`."""
    raw = node.raw
    parts: list[Regular] = []
    doubts: tuple[Regular, ...] = ()
    if of.has(node, "pattern"):
        language = pattern_of(of, node, "pattern", raw["pattern"])
        if language != ANYTHING:  # `.*` says nothing
            parts.append(language)
    if of.has(node, "format") and of.assert_formats:
        asserted = format_language(raw["format"], node.resource.draft, wide=wide)
        if asserted is not None:
            parts.append(asserted)
            unknown = format_doubts(raw["format"])
            doubts = () if unknown is None else (unknown,)
    contents: tuple[Content, ...] = ()
    if not raw.keys().isdisjoint(CONTENT):
        asserted_content = content_of(of, node, wide=wide)
        parts[:0] = asserted_content.parts  # the format's comes last
        doubts += asserted_content.doubts
        contents = asserted_content.contents
    low = int(raw["minLength"]) if of.has(node, "minLength") else 0
    high = int(raw["maxLength"]) if of.has(node, "maxLength") else None
    if high is not None and low > high:
        return None
    if any(part.goal == FALSE for part in contents):
        return None
    return StringShape(low, high, tuple(parts), None, doubts, contents)


def pattern_of(of: Normaliser, node: SchemaNode, keyword: str, text: str) -> Regular:
    """The strings in which an ECMA-262 pattern finds a match."""
    found = of.patterns.get(text)
    if found is None:
        try:
            found = pattern_language(text, dialect="ecma262", search=True)
        except UnsupportedPattern as error:
            raise of.unsupported(node, keyword, f"in {text!r}, {error.what}") from None
        except PatternError as error:
            raise InvalidSchema(
                f"{keyword} {text!r} is a {error.what}",
                at=node.at(keyword) if keyword == "pattern" else node.at(keyword, text),
                hint=error.hint,
            ) from None
        of.patterns[text] = found
    return found


def array_shape(of: Normaliser, node: SchemaNode) -> ArrayShape:
    """What the array keywords admit."""
    raw, reader = node.raw, of.reader
    prefix: tuple[Goal, ...] = ()
    items: Goal = TRUE
    if of.has(node, "prefixItems"):
        prefix = tuple(
            reader.child(node, "prefixItems", at) for at in range(len(raw["prefixItems"]))
        )
    if of.has(node, "items"):
        if isinstance(raw["items"], list):
            prefix = tuple(reader.child(node, "items", at) for at in range(len(raw["items"])))
            if of.has(node, "additionalItems"):
                items = reader.child(node, "additionalItems")
        else:
            items = reader.child(node, "items")
    low = int(raw["minItems"]) if of.has(node, "minItems") else 0
    high = int(raw["maxItems"]) if of.has(node, "maxItems") else None
    contains: tuple[Contains, ...] = ()
    if of.has(node, "contains"):
        goal = reader.child(node, "contains")
        least = int(raw["minContains"]) if of.has(node, "minContains") else 1
        most = int(raw["maxContains"]) if of.has(node, "maxContains") else None
        if least or most is not None:
            contains = (Contains(goal, least, most, node.number),)
    unique = raw.get("uniqueItems") is True and of.has(node, "uniqueItems")
    if low < 2 and high is not None and high < 2:
        unique = False
    if len(contains) == 1 and contains[0].low == 1:
        low = max(low, 1)
    return ArrayShape(prefix, items, low, high, contains, node.number if unique else 0)


def object_shape(of: Normaliser, node: SchemaNode) -> ObjectShape | None:
    """What the object keywords admit; None for no object at all."""
    raw, reader = node.raw, of.reader
    members: dict[str, Goal] = {}
    if of.has(node, "properties"):
        members = {name: reader.child(node, "properties", name) for name in raw["properties"]}
    required: dict[str, None] = {}
    if of.has(node, "required"):
        required = dict.fromkeys(raw["required"])
    rules: list[NameRule] = []
    patterns: list[Regular] = []
    if of.has(node, "patternProperties"):
        for text in raw["patternProperties"]:
            language = pattern_of(of, node, "patternProperties", text)
            patterns.append(language)
            goal = reader.child(node, "patternProperties", text)
            if goal:
                rules.append(NameRule(goal, included=language))
    if of.has(node, "additionalProperties"):
        goal = reader.child(node, "additionalProperties")
        if goal:
            rules.append(NameRule(goal, None, frozenset(members), tuple(patterns)))
    if of.has(node, "propertyNames"):
        rules.extend(name_rules(of, node))
    low = int(raw["minProperties"]) if of.has(node, "minProperties") else 0
    high = int(raw["maxProperties"]) if of.has(node, "maxProperties") else None
    shape = ObjectShape(members, required, tuple(rules), low, high, node.number)
    if high is not None and max(low, len(required)) > high:
        return None
    if any(shape.goal_of(name, of.pool) == FALSE for name in required):
        return None
    return shape


def name_rules(of: Normaliser, node: SchemaNode) -> list[NameRule]:
    """What ``propertyNames`` forbids, if anything."""
    shapes = of.kinds(of.reader.child(node, "propertyNames")).strings
    if ANY_STRING in shapes:
        return []
    refuse_in_names(of, node, shapes)
    if any(shape.doubts for shape in shapes):
        of.pool.leaned = True
    names = union(*map(decoded_language, shapes))
    return [NameRule(FALSE, included=complement(names))]
