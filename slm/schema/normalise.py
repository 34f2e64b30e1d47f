"""From schemas to the algebra: every goal becomes a union of shapes (`Kinds`), lazily and once.

A schema's own keywords give one shape a type; ``allOf``, ``anyOf``, ``oneOf``, ``if`` and
references then meet and join it. Sub-schemas of members and items are not entered: they stay goals,
so recursion through them costs nothing. What a negated schema is, `negation.py` says.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from slm.errors import (
    GrammarTooComplex,
    InvalidSchema,
    PatternError,
    SlmError,
    UnresolvableReference,
    UnsupportedKeyword,
    UnsupportedPattern,
)
from slm.grammar.derivative import Languages
from slm.grammar.pattern import pattern_language
from slm.grammar.regular import Regular, complement
from slm.schema.algebra import (
    ANY_ARRAY,
    ANY_NUMBER,
    ANY_OBJECT,
    ANY_STRING,
    BOTH,
    EVERYTHING,
    FALSE,
    FALSE_ID,
    NO_VALUE,
    TRUE,
    ArrayShape,
    Contains,
    Goal,
    Kinds,
    NameRule,
    NumberShape,
    ObjectShape,
    StringShape,
    conjoin,
    negate,
)
from slm.schema.formats import format_language
from slm.schema.keywords import UNSUPPORTED, is_known
from slm.schema.reader import Reader, SchemaNode
from slm.schema.strings import is_void

MAX_ALTERNATIVES = 400
_SOFT_ONE_OF = "oneOf, read as anyOf"
MAX_DEPTH = 150  # of schemas that apply to the same value

_OF_TYPE: dict[str, Kinds] = {
    "null": Kinds(null=True),
    "boolean": Kinds(booleans=BOTH),
    "number": Kinds(numbers=(ANY_NUMBER,)),
    "integer": Kinds(numbers=(NumberShape(integer=True),)),
    "string": Kinds(strings=(ANY_STRING,)),
    "array": Kinds(arrays=(ANY_ARRAY,)),
    "object": Kinds(objects=(ANY_OBJECT,)),
}
_NUMBER_KEYWORDS = frozenset(
    ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
)
_STRING_KEYWORDS = frozenset(("minLength", "maxLength", "pattern", "format"))
_ARRAY_KEYWORDS = frozenset(
    "items prefixItems additionalItems minItems maxItems uniqueItems contains".split()
)
_OBJECT_KEYWORDS = frozenset(
    "properties required additionalProperties patternProperties propertyNames "
    "minProperties maxProperties".split()
)
_APPLICATORS = frozenset(
    "allOf anyOf oneOf not if $ref dependentRequired dependentSchemas dependencies".split()
)


class Normaliser:
    """The meaning of goals, memoised; one for a compilation."""

    def __init__(
        self, reader: Reader, *, assert_formats: bool, dropped: dict[tuple[str, str], str]
    ) -> None:
        self.reader = reader
        self.assert_formats = assert_formats
        self.dropped = dropped  # (pointer, keyword) left out by on_unsupported="relax", and why
        self.softened: list[str] = []  # pointers of schemas whose oneOf is read as anyOf
        self.pool = Languages()
        self.cause: dict[int, tuple[SchemaNode, str]] = {}  # why a schema was negated
        self._goals: dict[Goal, Kinds] = {}
        self._literals: dict[int, Kinds] = {}
        self._void: dict[Goal, bool] = {}
        self._open: list[int] = []
        self._patterns: dict[str, Regular] = {}
        self._targets: dict[SlmError, tuple[str, str] | None] = {}
        from slm.schema.negation import negated_kinds

        self._negated: Callable[[Normaliser, SchemaNode], Kinds] = negated_kinds

    # --- goals ------------------------------------------------------------------------------------

    def kinds(self, goal: Goal) -> Kinds:
        """The values that reach the goal.

        Raises:
            UnsupportedKeyword: a keyword cannot be enforced; the place is the keyword.
            UnresolvableReference: a reference leads nowhere or only to itself.
        """
        found = self._goals.get(goal)
        if found is None:
            found = EVERYTHING
            # In the order of their pointers: numbers depend on what was compiled before.
            for literal in sorted(goal, key=self._position) if len(goal) > 1 else goal:
                found = self.meet(found, self._literal(literal), literal)
            self._goals[goal] = found
        return found

    def _position(self, literal: int) -> tuple[str, str, int]:
        if literal == FALSE_ID:
            return "", "", 0
        node = self.reader.node(literal)
        return node.resource.source, node.pointer, literal

    def _literal(self, literal: int) -> Kinds:
        if literal == FALSE_ID:
            return NO_VALUE
        found = self._literals.get(literal)
        if found is not None:
            return found
        node = self.reader.node(literal)
        if literal in self._open:
            raise UnresolvableReference(
                "the schema refers only to itself",
                at=node.at(),
                hint="put something between the schema and its reference, such as properties",
            )
        if len(self._open) > MAX_DEPTH:
            raise GrammarTooComplex(
                f"more than {MAX_DEPTH} schemas apply to the same value",
                at=node.at(),
                hint="flatten nested allOf, anyOf, oneOf, not and $ref",
            )
        self._open.append(literal)
        try:
            found = self._positive(node) if literal > 0 else self._negative(node)
        except UnsupportedKeyword as error:
            if literal < 0:
                self._targets[error] = self._outermost(literal)
            raise
        finally:
            self._open.pop()
        self._literals[literal] = found
        return found

    def meet(self, left: Kinds, right: Kinds, literal: int) -> Kinds:
        """Both, refused where the alternatives would become too many."""
        if left.width() * right.width() > MAX_ALTERNATIVES * 25:
            self._too_many(literal)
        found = left.meet(right, self.pool)
        if found.width() > MAX_ALTERNATIVES:
            self._too_many(literal)
        return found

    def _too_many(self, literal: int) -> None:
        node = self.reader.node(literal)
        names = [name for name in node.raw if name in _APPLICATORS] or list(node.raw)
        raise self.unsupported(
            node,
            names[0],
            f"it multiplies out to more than {MAX_ALTERNATIVES} combinations",
            hint="give the alternatives fewer independent choices",
        )

    def is_void(self, kinds: Kinds, depth: int = 4) -> bool:
        """Whether there is provably no value; False may also mean that it was not found out."""
        if kinds.null or kinds.booleans or kinds.numbers:
            return False
        if any(not is_void(shape, self.pool) for shape in kinds.strings):
            return False
        for array in kinds.arrays:
            if not any(self._goal_is_void(array.item(at), depth) for at in range(array.low)[:16]):
                return False
        for shape in kinds.objects:
            goals = (shape.goal_of(name, self.pool) for name in shape.required)
            if not any(self._goal_is_void(goal, depth) for goal in goals):
                return False
        return True

    def _goal_is_void(self, goal: Goal, depth: int) -> bool:
        if goal == FALSE:
            return True
        if len(goal) < 2 or depth == 0:  # one schema alone is rarely empty, and then found later
            return False
        found = self._void.get(goal)
        if found is None:
            self._void[goal] = False
            try:
                found = self._void[goal] = self.is_void(self.kinds(goal), depth - 1)
            except UnresolvableReference:
                # The member leads back to a schema whose meaning is being worked out right now.
                del self._void[goal]
                return False
        return found

    def unaliased(self, goal: Goal) -> Goal:
        """The goal that a schema of nothing but a reference stands for, so that it is shared."""
        for _ in range(MAX_DEPTH):
            if len(goal) != 1 or min(goal) <= FALSE_ID:
                return goal
            node = self.reader.node(min(goal))
            if "$ref" not in node.raw or not all(
                keyword == "$ref" or not self.has(node, keyword) for keyword in node.raw
            ):
                return goal
            goal = self.reader.resolve(node)
        return goal

    # --- one schema -------------------------------------------------------------------------------

    def has(self, node: SchemaNode, keyword: str) -> bool:
        """Whether the schema has the keyword, its draft knows it and it was not relaxed."""
        if keyword not in node.raw:
            return False
        if self.reader.ref_overrides and keyword != "$ref" and "$ref" in node.raw:
            return False
        draft = self.reader.draft
        known = is_known(keyword, draft)
        if keyword == "additionalItems" and self.reader.guessed:
            known = True
        return known and (node.pointer, keyword) not in self.dropped

    def unsupported(
        self, node: SchemaNode, keyword: str, why: str, hint: str = ""
    ) -> UnsupportedKeyword:
        """The error for a keyword that cannot be enforced exactly."""
        error = UnsupportedKeyword(
            f"{keyword} cannot be enforced exactly here: {why}",
            at=node.at(keyword),
            hint=hint or 'simplify the schema, or pass on_unsupported="relax" to drop the keyword',
        )
        self._targets[error] = (node.pointer, keyword)
        return error

    def _negative(self, node: SchemaNode) -> Kinds:
        if any(pointer == node.pointer for pointer, _ in self.dropped):
            raise self.unsupported(node, next(iter(node.raw)), "a part of it was relaxed")
        return self._negated(self, node)

    def relaxation_of(self, error: UnsupportedKeyword) -> tuple[str, str] | None:
        """What to drop so that the error goes away and no valid value is lost.

        Inside a negation that is the keyword that negates: dropping the inner one would narrow.
        """
        return self._targets.get(error)

    def _outermost(self, literal: int) -> tuple[str, str] | None:
        seen = set()
        while literal not in seen and literal in self.cause:
            seen.add(literal)
            node, keyword = self.cause[literal]
            literal = -node.number
            target = (node.pointer, _SOFT_ONE_OF if keyword == "oneOf" else keyword)
        return target if seen else None

    def _positive(self, node: SchemaNode) -> Kinds:
        raw, number = node.raw, node.number
        for keyword, why in UNSUPPORTED.items():
            if keyword in raw and self.has(node, keyword):
                raise self.unsupported(node, keyword, why)
        found = self.type_kinds(node)
        keys = raw.keys()
        changes: dict[str, Any] = {}
        if found.numbers and not keys.isdisjoint(_NUMBER_KEYWORDS):
            shape = self.number_shape(node)
            met = (one.meet(shape) for one in found.numbers)
            changes["numbers"] = tuple(one for one in met if one is not None)
        if found.strings and not keys.isdisjoint(_STRING_KEYWORDS):
            string = self.string_shape(node)
            changes["strings"] = () if string is None else (string,)
        if found.arrays and not keys.isdisjoint(_ARRAY_KEYWORDS):
            array = ANY_ARRAY.meet(self.array_shape(node))
            changes["arrays"] = () if array is None else (array,)
        if found.objects and not keys.isdisjoint(_OBJECT_KEYWORDS):
            thing = self.object_shape(node)
            changes["objects"] = () if thing is None else (thing,)
        if changes:
            found = found.only(**changes)
        if self.has(node, "enum"):
            found = self.meet(found, self.finite(node, "enum", raw["enum"]), number)
        if self.has(node, "const"):
            found = self.meet(found, self.finite(node, "const", [raw["const"]]), number)
        if not keys.isdisjoint(_APPLICATORS):
            found = self._applied(node, found)
        return found

    def type_kinds(self, node: SchemaNode) -> Kinds:
        """What ``type`` admits."""
        if not self.has(node, "type"):
            return EVERYTHING
        names = node.raw["type"]
        if isinstance(names, str):
            return _OF_TYPE[names]
        found = NO_VALUE
        for name in names:
            if not (name == "integer" and "number" in names):
                found = found.join(_OF_TYPE[name])
        return found

    def number_shape(self, node: SchemaNode) -> NumberShape:
        """What the numeric keywords admit."""

        def get(keyword: str) -> Any:
            return node.raw[keyword] if self.has(node, keyword) else None

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

    def string_shape(self, node: SchemaNode) -> StringShape | None:
        """What the string keywords admit; None for no string at all."""
        raw = node.raw
        parts: list[Regular] = []
        if self.has(node, "pattern"):
            parts.append(self.pattern(node, "pattern", raw["pattern"]))
        if self.has(node, "format") and self.assert_formats:
            language = self.format(node)
            if language is not None:
                parts.append(language)
        low = int(raw["minLength"]) if self.has(node, "minLength") else 0
        high = int(raw["maxLength"]) if self.has(node, "maxLength") else None
        if high is not None and low > high:
            return None
        return StringShape(low, high, tuple(parts))

    def pattern(self, node: SchemaNode, keyword: str, text: str) -> Regular:
        """The strings in which an ECMA-262 pattern finds a match."""
        found = self._patterns.get(text)
        if found is None:
            try:
                found = pattern_language(text, dialect="ecma262", search=True)
            except UnsupportedPattern as error:
                raise self.unsupported(node, keyword, f"in {text!r}, {error.what}") from None
            except PatternError as error:
                raise InvalidSchema(
                    f"{keyword} {text!r} is a {error.what}",
                    at=node.at(keyword) if keyword == "pattern" else node.at(keyword, text),
                    hint=error.hint,
                ) from None
            self._patterns[text] = found
        return found

    def format(self, node: SchemaNode) -> Regular | None:
        """The strings of a format; None where it only annotates."""
        name = node.raw["format"]
        language, why = format_language(name, self.reader.draft)
        if why:
            raise self.unsupported(
                node,
                "format",
                why,
                hint='pass formats="annotate" to leave formats unchecked',
            )
        return language

    # --- containers -------------------------------------------------------------------------------

    def array_shape(self, node: SchemaNode) -> ArrayShape:
        """What the array keywords admit."""
        raw, reader = node.raw, self.reader
        prefix: tuple[Goal, ...] = ()
        items: Goal = TRUE
        if self.has(node, "prefixItems"):
            prefix = tuple(
                reader.child(node, "prefixItems", at) for at in range(len(raw["prefixItems"]))
            )
        if self.has(node, "items"):
            if isinstance(raw["items"], list):
                prefix = tuple(reader.child(node, "items", at) for at in range(len(raw["items"])))
                if self.has(node, "additionalItems"):
                    items = reader.child(node, "additionalItems")
            else:
                items = reader.child(node, "items")
        low = int(raw["minItems"]) if self.has(node, "minItems") else 0
        high = int(raw["maxItems"]) if self.has(node, "maxItems") else None
        contains: tuple[Contains, ...] = ()
        if self.has(node, "contains"):
            goal = reader.child(node, "contains")
            least = int(raw["minContains"]) if self.has(node, "minContains") else 1
            most = int(raw["maxContains"]) if self.has(node, "maxContains") else None
            if least or most is not None:
                contains = (Contains(goal, least, most, node.number),)
        unique = raw.get("uniqueItems") is True and self.has(node, "uniqueItems")
        if low < 2 and high is not None and high < 2:
            unique = False
        if len(contains) == 1 and contains[0].low == 1:
            low = max(low, 1)
        return ArrayShape(prefix, items, low, high, contains, node.number if unique else 0)

    def object_shape(self, node: SchemaNode) -> ObjectShape | None:
        """What the object keywords admit; None for no object at all."""
        raw, reader = node.raw, self.reader
        members: dict[str, Goal] = {}
        if self.has(node, "properties"):
            members = {name: reader.child(node, "properties", name) for name in raw["properties"]}
        required: dict[str, None] = {}
        if self.has(node, "required"):
            required = dict.fromkeys(raw["required"])
        rules: list[NameRule] = []
        patterns: list[Regular] = []
        if self.has(node, "patternProperties"):
            for text in raw["patternProperties"]:
                language = self.pattern(node, "patternProperties", text)
                patterns.append(language)
                goal = reader.child(node, "patternProperties", text)
                if goal:
                    rules.append(NameRule(goal, included=language))
        if self.has(node, "additionalProperties"):
            goal = reader.child(node, "additionalProperties")
            if goal:
                rules.append(NameRule(goal, None, frozenset(members), tuple(patterns)))
        if self.has(node, "propertyNames"):
            rules.extend(self._name_rules(node))
        low = int(raw["minProperties"]) if self.has(node, "minProperties") else 0
        high = int(raw["maxProperties"]) if self.has(node, "maxProperties") else None
        shape = ObjectShape(members, required, tuple(rules), low, high, node.number)
        if high is not None and max(low, len(required)) > high:
            return None
        if any(shape.goal_of(name, self.pool) == FALSE for name in required):
            return None
        return shape

    def _name_rules(self, node: SchemaNode) -> list[NameRule]:
        from slm.grammar.regular import union
        from slm.schema.strings import decoded_language

        shapes = self.kinds(self.reader.child(node, "propertyNames")).strings
        if ANY_STRING in shapes:
            return []
        names = union(*map(decoded_language, shapes))
        return [NameRule(FALSE, included=complement(names))]

    # --- constants --------------------------------------------------------------------------------

    def finite(self, node: SchemaNode, keyword: str, values: list[Any]) -> Kinds:
        """Just these JSON values."""
        numbers: dict[Decimal, None] = {}
        strings: dict[str, None] = {}
        found = NO_VALUE
        for value in values:
            match value:
                case None | bool():
                    flat = Kinds(null=True) if value is None else Kinds(booleans=(value,))
                    found = found.join(flat)
                case int() | float():
                    numbers[exact(value)] = None
                case str():
                    strings[value] = None
                case list() | dict():
                    found = found.join(self.kinds(self.constant(node, keyword, value)))
                case _:
                    raise self.unsupported(node, keyword, f"{value!r} is not a JSON value")
        return found.only(
            numbers=(NumberShape(values=tuple(numbers)),) if numbers else (),
            strings=(StringShape(values=tuple(strings)),) if strings else (),
        )

    def constant(self, node: SchemaNode, keyword: str, value: Any) -> Goal:
        """The goal of an array or object constant, as a schema of its parts."""
        raw: dict[str, Any]
        if isinstance(value, list):
            raw = {"type": "array", "minItems": len(value)}
            tuple_keyword = "prefixItems" if self.reader.draft == "2020-12" else "items"
            rest = "items" if self.reader.draft == "2020-12" else "additionalItems"
            if value:
                raw[tuple_keyword] = [{"enum": [item]} for item in value]
                raw[rest] = False
            else:
                raw["maxItems"] = 0
        else:
            raw = {
                "type": "object",
                "properties": {name: {"enum": [item]} for name, item in value.items()},
                "required": list(value),
                "additionalProperties": False,
            }
        return self.reader.derive(raw, node, keyword)

    # --- applicators ------------------------------------------------------------------------------

    def _applied(self, node: SchemaNode, found: Kinds) -> Kinds:
        raw, reader, number = node.raw, self.reader, node.number
        if self.has(node, "$ref"):
            found = self.meet(found, self.kinds(reader.resolve(node)), number)
        if self.has(node, "allOf"):
            for at in range(len(raw["allOf"])):
                found = self.meet(found, self.kinds(reader.child(node, "allOf", at)), number)
        for goal in self.implications(node):
            found = self.meet(found, self.kinds(goal), number)
        if self.has(node, "not"):
            goal = self.negation(node, "not", reader.child(node, "not"))
            found = self.meet(found, self.kinds(goal), number)
        if self.has(node, "if"):
            found = self.meet(found, self._conditional(node), number)
        if self.has(node, "anyOf"):
            found = self.meet(found, self.any_of(node), number)
        if self.has(node, "oneOf"):
            found = self._one_of(node, found)
        return found

    def negation(self, node: SchemaNode, keyword: str, goal: Goal) -> Goal:
        """The goal that fails `goal`, a single schema; remembers who asked."""
        if not goal:
            return FALSE
        (literal,) = goal
        if literal != FALSE_ID:
            self.cause.setdefault(-literal, (node, keyword))
        return negate(literal)

    def any_of(self, node: SchemaNode) -> Kinds:
        """Values under at least one branch of ``anyOf``."""
        found = NO_VALUE
        for at in range(len(node.raw["anyOf"])):
            found = found.join(self.kinds(self.reader.child(node, "anyOf", at)))
        return found

    def implications(self, node: SchemaNode) -> list[Goal]:
        """Derived schemas for ``dependentRequired``, ``dependentSchemas`` and ``dependencies``."""
        goals: list[Goal] = []
        for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
            if not self.has(node, keyword):
                continue
            for name, needs in node.raw[keyword].items():
                if needs is True or needs == [] or needs == {}:
                    continue
                then = {"required": needs} if isinstance(needs, list) else needs
                absent = {"properties": {name: False}}
                present = {"type": "object", "properties": {name: True}, "required": [name]}
                both = {"anyOf": [absent, {"allOf": [present, then]}]}
                goals.append(self.reader.derive(both, node, keyword, name))
        return goals

    def _conditional(self, node: SchemaNode) -> Kinds:
        reader = self.reader
        condition = reader.child(node, "if")
        try:
            self.kinds(condition)
        except UnsupportedKeyword as error:
            self._targets[error] = (node.pointer, "if")  # a wider condition is no relaxation
            raise
        then = reader.child(node, "then") if self.has(node, "then") else TRUE
        other = reader.child(node, "else") if self.has(node, "else") else TRUE
        if then == other:
            return EVERYTHING
        holds = self.kinds(conjoin(condition, then)) if condition != FALSE else NO_VALUE
        if condition == TRUE:
            return holds
        fails = self.kinds(conjoin(self.negation(node, "if", condition), other))
        return holds.join(fails)

    def _one_of(self, node: SchemaNode, found: Kinds) -> Kinds:
        branches = [self.reader.child(node, "oneOf", at) for at in range(len(node.raw["oneOf"]))]
        parts = [self.meet(found, self.kinds(goal), node.number) for goal in branches]
        whole = NO_VALUE
        soft = any(
            keyword != _SOFT_ONE_OF or pointer == node.pointer for pointer, keyword in self.dropped
        )
        for at, part in enumerate(parts):
            exact_part = part
            for other, rival in enumerate(parts):
                if other == at or self.is_void(part.meet(rival, self.pool)):
                    continue
                if soft:
                    if node.pointer not in self.softened:
                        self.softened.append(node.pointer)
                    continue
                goal = self.negation(node, "oneOf", branches[other])
                try:
                    exact_part = self.meet(exact_part, self.kinds(goal), node.number)
                except UnsupportedKeyword as error:
                    raise self.one_of_error(node, at, other, error) from None
            whole = whole.join(exact_part)
        return whole

    def one_of_error(
        self, node: SchemaNode, one: int, two: int, cause: SlmError
    ) -> UnsupportedKeyword:
        """The error for branches that overlap in a way that cannot be cut apart."""
        error = self.unsupported(
            node,
            "oneOf",
            f"branches {min(one, two)} and {max(one, two)} may hold together ({cause.what})",
            hint="make the branches exclude each other, say by a constant member, or use anyOf",
        )
        self._targets[error] = (node.pointer, _SOFT_ONE_OF)
        return error


def exact(value: float | int) -> Decimal:
    """The decimal number as it was written.

    >>> exact(0.1), exact(10), exact(1.0) == exact(1)
    (Decimal('0.1'), Decimal('10'), True)
    """
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))
