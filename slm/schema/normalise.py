"""From schemas to the algebra: every goal becomes a union of shapes (`Kinds`), lazily and once.

A schema's own keywords give one shape a type (`shapes.py`, `constants.py`); ``allOf``, ``anyOf``,
``oneOf``, ``if`` and references then meet and join it (`applicators.py`). Sub-schemas of members
and items are not entered: they stay goals, so recursion through them costs nothing. What a negated
schema is, `negation.py` says.
"""

from __future__ import annotations

from typing import Any

from slm.errors import (
    GrammarTooComplex,
    SlmError,
    UnresolvableReference,
    UnsupportedKeyword,
)
from slm.grammar.derivative import Languages
from slm.grammar.regular import Regular
from slm.schema.algebra import (
    ANY_ARRAY,
    ANY_OBJECT,
    EVERYTHING,
    FALSE,
    FALSE_ID,
    NO_VALUE,
    Goal,
    Kinds,
    negate,
)
from slm.schema.applicators import APPLICATORS, SOFT_ONE_OF, apply_applicators
from slm.schema.constants import finite_kinds
from slm.schema.content import is_void_content
from slm.schema.evaluated import Cases, evaluated_kinds, has_unevaluated
from slm.schema.frames import without
from slm.schema.keywords import CONTENT, UNSUPPORTED, is_known
from slm.schema.negation import negated_kinds
from slm.schema.pruning import pruned
from slm.schema.reader import Reader, SchemaNode
from slm.schema.shapes import (
    ARRAY_KEYWORDS,
    NUMBER_KEYWORDS,
    OBJECT_KEYWORDS,
    STRING_KEYWORDS,
    array_shape,
    number_shape,
    object_shape,
    string_shape,
    type_kinds,
)
from slm.schema.strings import is_void

MAX_ALTERNATIVES = 400
MAX_UNFOLDED = 4  # alternatives on two sides that are multiplied, with `frames`
MAX_STEPS = 150_000  # ten seconds or so
MAX_DEPTH = 150  # of schemas that apply to the same value


class Normaliser:
    """The meaning of goals, memoised; one for a compilation."""

    def __init__(
        self,
        reader: Reader,
        *,
        assert_formats: bool,
        dropped: dict[tuple[str, str], str],
        content: str | None = None,
        frames: bool = False,
        only_scalars: bool = False,
        cautious: bool = False,
    ) -> None:
        self.reader = reader
        self.assert_formats = assert_formats
        self.content = content  # "assert", "annotate", or None: as the drafts say
        self.dropped = dropped  # (pointer, keyword) left out by on_unsupported="relax", and why
        self.frames = frames  # keep what is excluded as it stands, see `frames.py`
        self.only_scalars = only_scalars  # leave arrays and objects out
        # What formats leave out is in none of their languages: that a schema and another seem to
        # have no value in common says nothing then.
        self.cautious = cautious  # believe no such thing
        self.concluded = False  # whether it was believed
        self._scalars: Normaliser | None = None
        self.softened: list[str] = []  # pointers of schemas whose oneOf is read as anyOf
        self.pool = Languages()
        self.patterns: dict[str, Regular] = {}  # the languages of the patterns, by their text
        self.cause: dict[int, tuple[SchemaNode, str]] = {}  # why a schema was negated
        self.cases: dict[tuple[int, bool], Cases] = {}  # see `evaluated.py`
        self.bounded_names = (
            False  # whether a style leaves out names that a schema does not declare
        )
        self.steps = 0  # of walks, see `frames.py`
        self.pruned = 0  # alternatives, see `pruning.py`
        self._goals: dict[Goal, Kinds] = {}
        self._literals: dict[int, Kinds] = {}
        self._void: dict[Goal, bool] = {}
        self._open: list[int] = []
        self._targets: dict[SlmError, tuple[str, str] | None] = {}

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
            if self.only_scalars:
                found = found.only(arrays=(), objects=())
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
        if self.frames:
            right = _folded(left, right)
        if left.width() * right.width() > MAX_ALTERNATIVES * 25:
            left, right = pruned(self, left), pruned(self, right)
            if left.width() * right.width() > MAX_ALTERNATIVES * 25:
                raise self.too_many(literal)
        found = left.meet(right, self.pool)
        if found.width() > MAX_ALTERNATIVES:
            found = pruned(self, found)
            if found.width() > MAX_ALTERNATIVES:
                raise self.too_many(literal)
        return found

    def spend(self, literal: int) -> None:
        """One step of a walk: refused where a schema needs too many of all of them together."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise self.too_many(literal)

    def too_many(self, literal: int) -> UnsupportedKeyword:
        """The error for a schema that multiplies out to too many alternatives."""
        node = self.reader.node(literal)
        names = [name for name in node.raw if name in APPLICATORS] or list(node.raw)
        return self.unsupported(
            node,
            names[0],
            f"it multiplies out to more than {MAX_ALTERNATIVES} combinations",
            hint="give the alternatives fewer independent choices",
        )

    def is_void(self, kinds: Kinds, depth: int = 4) -> bool:
        """Whether there is provably no value; False may also mean that it was not found out."""
        if kinds.null or kinds.booleans or kinds.numbers:
            return False
        for text in kinds.strings:
            if not is_void(text, self.pool) and not is_void_content(self, text, depth):
                return False
            self.pool.leaned = self.pool.leaned or bool(text.doubts)
        for array in kinds.arrays:
            if not any(self.goal_is_void(array.item(at), depth) for at in range(array.low)[:16]):
                return False
        for shape in kinds.objects:
            goals = (shape.goal_of(name, self.pool) for name in shape.required)
            if not any(self.goal_is_void(goal, depth) for goal in goals):
                return False
        return True

    def exclude_each_other(self, both: Kinds) -> bool:
        """Whether two schemas have no value in common, given what seems to be in both."""
        if self.cautious or not self.is_void(both):
            return False
        self.concluded = True
        return True

    def goal_is_void(self, goal: Goal, depth: int = 4) -> bool:
        """Whether provably no value reaches the goal; as `is_void`."""
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
        if keyword != "$ref" and "$ref" in node.raw and self.reader.ref_overrides(node.resource):
            return False
        known = is_known(keyword, node.resource.draft)
        if keyword == "additionalItems" and self.reader.guessed:
            known = True
        if keyword in CONTENT and not self.asserts_content(node):
            return False
        if keyword in self.reader.dialect.silent and node.resource.draft == self.reader.draft:
            return False
        return known and (node.pointer, keyword) not in self.dropped

    def asserts_content(self, node: SchemaNode) -> bool:
        """Whether what a string holds is asserted; where nobody chose, as the draft says."""
        if self.content is None:
            return node.resource.draft == "7"
        return self.content == "assert"

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
        if self.frames:
            return self._excluded(node)
        return negated_kinds(self, node)

    def _excluded(self, node: SchemaNode) -> Kinds:
        """The values that the schema does not admit, where arrays and objects stay as they are."""
        if self._scalars is None:
            self._scalars = Normaliser(
                self.reader,
                assert_formats=self.assert_formats,
                content=self.content,
                dropped=self.dropped,
                only_scalars=True,
            )
            self._scalars.pool, self._scalars.patterns = self.pool, self.patterns
            self._scalars.cause, self._scalars._targets = self.cause, self._targets
        self.concluded = True
        admitted = self.kinds(frozenset((node.number,)))
        return self._scalars.kinds(frozenset((-node.number,))).only(
            arrays=without(admitted.arrays, ANY_ARRAY) if ANY_ARRAY not in admitted.arrays else (),
            objects=without(admitted.objects, ANY_OBJECT)
            if ANY_OBJECT not in admitted.objects
            else (),
        )

    def relaxation_of(self, error: UnsupportedKeyword) -> tuple[str, str] | None:
        """What to drop so that the error goes away and no valid value is lost.

        Inside a negation that is the keyword that negates: dropping the inner one would narrow.
        """
        return self._targets.get(error)

    def relax_instead(self, error: UnsupportedKeyword, pointer: str, keyword: str) -> None:
        """Say what else than the keyword at fault to drop so that the error goes away."""
        self._targets[error] = (pointer, keyword)

    def _outermost(self, literal: int) -> tuple[str, str] | None:
        seen = set()
        while literal not in seen and literal in self.cause:
            seen.add(literal)
            node, keyword = self.cause[literal]
            literal = -node.number
            target = (node.pointer, SOFT_ONE_OF if keyword == "oneOf" else keyword)
        return target if seen else None

    def _positive(self, node: SchemaNode) -> Kinds:
        for keyword, why in UNSUPPORTED.items():
            if keyword in node.raw and self.has(node, keyword):
                raise self.unsupported(node, keyword, why)
        if has_unevaluated(self, node):
            return evaluated_kinds(self, node)
        found = self.own_kinds(node)
        if not node.raw.keys().isdisjoint(APPLICATORS):
            found = apply_applicators(self, node, found)
        return found

    def own_kinds(self, node: SchemaNode) -> Kinds:
        """What a schema's own keywords admit, without those that apply others to the value."""
        raw, number = node.raw, node.number
        found = type_kinds(self, node)
        if self.only_scalars:
            found = found.only(arrays=(), objects=())
        keys = raw.keys()
        changes: dict[str, Any] = {}
        if found.numbers and not keys.isdisjoint(NUMBER_KEYWORDS):
            shape = number_shape(self, node)
            met = (one.meet(shape) for one in found.numbers)
            changes["numbers"] = tuple(one for one in met if one is not None)
        contents = not keys.isdisjoint(CONTENT) and self.asserts_content(node)
        if found.strings and (contents or not keys.isdisjoint(STRING_KEYWORDS)):
            string = string_shape(self, node)
            changes["strings"] = () if string is None else (string,)
        if found.arrays and not keys.isdisjoint(ARRAY_KEYWORDS):
            array = ANY_ARRAY.meet(array_shape(self, node))
            changes["arrays"] = () if array is None else (array,)
        if found.objects and not keys.isdisjoint(OBJECT_KEYWORDS):
            thing = object_shape(self, node)
            changes["objects"] = () if thing is None else (thing,)
        if changes:
            found = found.only(**changes)
        if self.has(node, "enum"):
            found = self.meet(found, finite_kinds(self, node, "enum", raw["enum"]), number)
        if self.has(node, "const"):
            found = self.meet(found, finite_kinds(self, node, "const", [raw["const"]]), number)
        return found

    def negation(self, node: SchemaNode, keyword: str, goal: Goal) -> Goal:
        """The goal that fails `goal`, a single schema; remembers who asked."""
        if not goal:
            return FALSE
        (literal,) = goal
        if literal != FALSE_ID:
            self.cause.setdefault(-literal, (node, keyword))
        return negate(literal)


def _folded(left: Kinds, right: Kinds) -> Kinds:
    """The right side, many alternatives as one where those on the left would multiply them."""
    for name, whole in (("arrays", ANY_ARRAY), ("objects", ANY_OBJECT)):
        one, two = getattr(left, name), getattr(right, name)
        if min(len(one), len(two)) > 1 and len(one) * len(two) > MAX_UNFOLDED:
            right = right.only(**{name: without(without(two, whole), whole, fold=True)})
    return right
