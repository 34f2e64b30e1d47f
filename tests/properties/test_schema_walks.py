"""Random schemas of all keywords together: what the masks let through is valid, and all of it.

`SLM_RANDOM_SCHEMAS=10000` (`make schema-walks`) looks at as many; each finding has its seed.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from itertools import islice, permutations, product
from typing import Any

import jsonschema_rs
import pytest

from slm.errors import GrammarTooComplex, SlmError, UnsatisfiableSchema
from slm.mask import CompiledGrammar, compile_grammar
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.arrange import Arranger
from tests.conformance.maskbench import accepts
from tests.unit.schema.judged import with_frames

COUNT = int(os.environ.get("SLM_RANDOM_SCHEMAS", "150"))
NAMES, PATTERNS = ("a", "b", "ab", "c"), ("^a", "b$", "^[a-c]$", "c")
SCALARS: tuple[Any, ...] = (None, True, False, 0, 1, 2, 2.5, "", "a", "ab", "b", "1.2.3.4", "/a")
LIMIT = 400


class Maker:
    """Schemas and values out of one source of chance."""

    def __init__(self, seed: int, repeats: bool = False) -> None:
        self.rng = random.Random(seed)
        self.repeats = repeats  # the same schemas in several places, written out
        self.made: list[tuple[int, dict[str, Any]]] = []
        self.refers = True  # to the schemas in $defs, which do not refer to each other

    def some(self, make: Any, least: int = 1, most: int = 3) -> list[Any]:
        """A few of what `make` makes."""
        return [make() for _ in range(self.rng.randint(least, most))]

    def value(self, depth: int = 2) -> Any:
        """A small JSON value."""
        kind = self.rng.random()
        if depth == 0 or kind < 0.4:
            return self.rng.choice(SCALARS)
        if kind < 0.65:
            return self.some(lambda: self.value(depth - 1), 0, 4)
        names = self.rng.sample(NAMES, self.rng.randint(0, 3))
        return {name: self.value(depth - 1) for name in names}

    def schema(self, depth: int = 3) -> Any:
        """A schema of one to four keywords."""
        if depth == 0 or self.rng.random() < 0.1:
            return self.rng.choice(
                [True, True, False, {"type": "integer"}, {"type": "string"}, {"const": 1}]
            )
        if self.repeats and self.rng.random() < 0.3:
            known = [schema for level, schema in self.made if level <= depth]
            if known:
                return {**deepcopy(self.rng.choice(known)), "title": "again"}
        found: dict[str, Any] = {}
        for _ in range(self.rng.randint(1, 4)):
            found.update(self._keyword(depth - 1))
        self.made.append((depth, found))
        return found

    def _keyword(self, depth: int) -> dict[str, Any]:
        rng = self.rng

        def sub() -> Any:
            return self.schema(depth)

        def named() -> dict[str, Any]:
            return {name: sub() for name in rng.sample(NAMES, rng.randint(1, 2))}

        makers: list[Any] = [
            lambda: {"type": rng.choice(["object", "array", "string", "number", "integer"])},
            lambda: {"type": rng.sample(["object", "array", "null", "integer", "string"], 2)},
            lambda: {"enum": self.some(lambda: self.value(1), 1, 4)},
            lambda: {"const": self.value(1)},
            lambda: {rng.choice(["minimum", "exclusiveMinimum"]): rng.randint(-1, 2)},
            lambda: {rng.choice(["maximum", "exclusiveMaximum"]): rng.randint(0, 3)},
            lambda: {"multipleOf": rng.choice([1, 2, 0.5])},
            lambda: {"minLength": rng.randint(0, 2), "maxLength": rng.randint(1, 3)},
            lambda: {"pattern": rng.choice(PATTERNS)},
            lambda: {"format": rng.choice(["date", "ipv4", "uuid", "json-pointer"])},
            lambda: {"$ref": f"#/$defs/{rng.choice('xy')}"} if self.refers else {},
            lambda: {"properties": named()},
            lambda: {"properties": named(), "additionalProperties": sub()},
            lambda: {"patternProperties": {rng.choice(PATTERNS): sub()}},
            lambda: {"propertyNames": {"pattern": rng.choice(PATTERNS)}},
            lambda: {"required": rng.sample(NAMES, rng.randint(1, 2))},
            lambda: {"minProperties": rng.randint(0, 3)},
            lambda: {"maxProperties": rng.randint(0, 3)},
            lambda: {"dependentRequired": {rng.choice(NAMES): [rng.choice(NAMES)]}},
            lambda: {"dependentSchemas": {rng.choice(NAMES): sub()}},
            lambda: {"unevaluatedProperties": sub()},
            lambda: {"items": sub()},
            lambda: {"prefixItems": self.some(sub, 1, 2)},
            lambda: {"minItems": rng.randint(0, 2), "maxItems": rng.randint(1, 4)},
            lambda: {"contains": sub()},
            lambda: {"contains": sub(), "minContains": rng.randint(0, 2)},
            lambda: {"contains": sub(), "maxContains": rng.randint(1, 2)},
            lambda: {"uniqueItems": True, "items": {"enum": rng.sample(SCALARS, 3)}},
            lambda: {"uniqueItems": True},
            lambda: {"uniqueItems": True, "items": sub(), "minItems": rng.randint(0, 3)},
            lambda: {"uniqueItems": True, "prefixItems": self.some(sub, 1, 2)},
            lambda: {"unevaluatedItems": sub()},
            lambda: {"allOf": self.some(sub, 1, 2)},
            lambda: {"anyOf": self.some(sub)},
            lambda: {"oneOf": self.some(sub)},
            lambda: {"not": sub()},
            lambda: {"if": sub(), "then": sub(), "else": sub()},
        ]
        made: dict[str, Any] = rng.choice(makers)()
        return made


def walk(compiled: CompiledGrammar, rng: random.Random) -> str | None:
    """A text of bytes that the masks allow; None where it has not ended after a while."""
    matcher = compiled.matcher()
    end = compiled.vocabulary.eos_ids[0]
    for step in range(LIMIT):
        allowed = matcher.allowed()
        assert allowed, f"stuck after {matcher.text!r}"
        if end in allowed and (len(allowed) == 1 or rng.random() < 0.3 or step > LIMIT // 2):
            return matcher.text.decode()
        closing = [byte for byte in b'"}]' if byte in allowed]
        if closing and (step > LIMIT // 4 or rng.random() < 0.2):
            token = closing[0]
        else:
            texts = [byte for byte in allowed if byte != end]
            token = rng.choice([b for b in texts if chr(b) in 'abc012.{}[],:"tfn'] or texts)
        matcher.accept(token)
    return None


def orders(value: Any) -> Iterator[Any]:
    """The value with its members in every order, all the way down."""
    if isinstance(value, list):
        yield from map(list, product(*(list(orders(item)) for item in value)))
    elif isinstance(value, dict):
        for names in permutations(value):
            for row in product(*(list(orders(value[name])) for name in names)):
                yield dict(zip(names, row, strict=True))
    else:
        yield value


def findings(seed: int, frames: bool = False) -> tuple[list[str], bool]:
    """What is wrong with one random schema, and whether it compiled."""
    maker = Maker(seed, repeats=frames)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_object(maker)}
    maker.refers = False
    schema["$defs"] = {name: maker.schema(2) for name in "xy"}
    judge = jsonschema_rs.validator_for(schema, validate_formats=True)
    values = [maker.value(3) for _ in range(40)]
    try:
        grammar = with_frames(schema) if frames else compile_schema(schema).grammar
        compiled = compile_grammar(grammar, byte_vocabulary())
        arrangers = [Arranger(schema, frames=True)]
        if not frames:
            arrangers.insert(0, Arranger(schema))
    except GrammarTooComplex:
        return [], False
    except SlmError as error:
        if isinstance(error, UnsatisfiableSchema) and any(
            judge.is_valid(value) for value in values
        ):
            return [f"{seed}: unsatisfiable, but it is not: {json.dumps(schema)}"], False
        return [], False
    wrong = []
    for value in values:
        texts = []
        for arranger in arrangers:
            with suppress(SlmError):  # its order needs what the compiler did not
                texts.append(json.dumps(arranger.arrange(value)[0]))
        valid = judge.is_valid(value)
        accepted = any(accepts(compiled, text) for text in texts)
        if texts and valid and not accepted:  # in some order of its members, then
            accepted = any(
                accepts(compiled, json.dumps(one)) for one in islice(orders(value), 3000)
            )
        if texts and accepted != valid:
            wrong.append(f"{seed}: {texts}: {valid}: {json.dumps(schema)}")
    for _ in range(3):
        written = walk(compiled, maker.rng)
        if written is not None and not judge.is_valid(json.loads(written)):
            wrong.append(f"{seed}: wrote {written}: {json.dumps(schema)}")
    return wrong, True


def _object(maker: Maker) -> dict[str, Any]:
    while True:
        schema = maker.schema()
        if isinstance(schema, dict):
            return schema


@pytest.mark.parametrize("frames", [False, True], ids=["multiplied", "walked"])
def test_random_schemas_are_enforced_exactly(frames: bool) -> None:
    """No walk ends in an invalid text or is stuck, and every valid value is accepted."""
    wrong: list[str] = []
    compiled = 0
    for seed in range(COUNT):
        found, did = findings(seed, frames)
        wrong += found
        compiled += did
    assert wrong == []
    assert compiled > COUNT // 2, f"only {compiled} of {COUNT} compiled"
