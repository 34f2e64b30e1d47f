"""Random schemas: what the masks let through is valid, and what is valid they let through."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from slm.errors import UnsatisfiableSchema, UnsupportedKeyword
from slm.mask import CompiledGrammar, compile_grammar
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.arrange import Arranger
from tests.conformance.maskbench import accepts

NAMES = st.sampled_from(["a", "b", "c", 'd"', "é"])
COUNTS = st.integers(0, 3)
NUMBERS = st.sampled_from([-3, -0.5, 0, 0.25, 1, 1.5, 2, 7, 10, 100])
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "ab", "é", "x\n", "a1"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
PATTERNS = st.sampled_from(["^a", "b$", "^[a-z]{1,3}$", "[0-9]", "é|x", "^(?!a)", "."])
FORMATS = st.sampled_from(["date", "time", "uuid", "ipv4", "email", "color"])


def subset(**choices: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A dict with some of the keys."""
    return st.fixed_dictionaries({}, optional=choices)


def grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Schemas around other schemas."""
    some = st.lists(inner, min_size=1, max_size=3)
    keywords = {
        "type": st.sampled_from(["array", "object", "string", ["array", "null"], "integer"]),
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
        "propertyNames": subset(maxLength=COUNTS, pattern=PATTERNS),
        "minProperties": st.integers(0, 2),
        "maxProperties": COUNTS,
        "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True)),
        "items": inner,
        "prefixItems": some,
        "contains": inner,
        "minItems": COUNTS,
        "maxItems": COUNTS,
        "anyOf": some,
        "allOf": some,
        "oneOf": some,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "$ref": st.sampled_from(["#", "#/$defs/d"]),
    }
    return st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: keywords[name] for name in names})
    )


LEAVES = st.one_of(
    st.booleans(),
    st.builds(lambda values: {"enum": values}, st.lists(VALUES, min_size=1, max_size=3)),
    st.builds(lambda value: {"const": value}, VALUES),
    st.builds(
        lambda kind, rest: {"type": kind, **rest},
        st.sampled_from(["null", "boolean", "integer", "number", "string", ["integer", "string"]]),
        subset(
            minimum=NUMBERS,
            exclusiveMaximum=NUMBERS,
            multipleOf=st.sampled_from([2, 3, 0.5, 0.25]),
            minLength=COUNTS,
            maxLength=COUNTS,
            pattern=PATTERNS,
            format=FORMATS,
        ),
    ),
)
INNER = st.recursive(LEAVES, grow, max_leaves=6)
SCHEMAS = st.builds(
    lambda root, shared: {**root, "$defs": {"d": shared}}, grow(INNER), INNER
).filter(lambda schema: len(schema) > 1)


def compiled(schema: Any) -> CompiledGrammar | None:
    """The schema over bytes; None where no value is valid; skips what is refused."""
    try:
        grammar = compile_schema(schema, whitespace="compact").grammar
    except UnsatisfiableSchema:
        return None
    except Exception as error:
        if isinstance(error, UnsupportedKeyword) or "itself" in str(error):
            assume(False)
        raise
    return compile_grammar(grammar, byte_vocabulary())


def walk(grammar: CompiledGrammar, rng: random.Random, limit: int = 400) -> str | None:
    """A random text under the mask, ending where it may; None where the limit came first."""
    matcher = grammar.matcher()
    for _ in range(limit):
        allowed = matcher.allowed()
        assert allowed, f"empty mask after {matcher.text!r}"
        if matcher.is_complete() and (rng.random() < 0.3 or allowed == [256]):
            return matcher.text.decode()
        tokens = [token for token in allowed if token != 256]
        closing = [token for token in tokens if token in b'"}],:0']
        wanted = closing if closing and rng.random() < 0.5 else tokens
        matcher.accept(rng.choice(wanted))
    return None


QUICK = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@QUICK
@given(schema=SCHEMAS, seed=st.integers(0, 2**32))
def test_every_text_of_a_random_walk_is_valid(schema: Any, seed: int) -> None:
    """Soundness: what a random walk under the mask writes is valid; no walk meets an empty mask."""
    grammar = compiled(schema)
    assume(grammar is not None)
    assert grammar is not None
    judge = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    rng = random.Random(seed)
    for _ in range(3):
        text = walk(grammar, rng)
        if text is not None:
            assert judge.is_valid(json.loads(text)), text


@QUICK
@given(schema=SCHEMAS, values=st.lists(VALUES, min_size=1, max_size=6))
def test_a_value_is_admitted_exactly_when_it_is_valid(schema: Any, values: list[Any]) -> None:
    """Completeness and soundness on given values, written in the order the schema declares."""
    grammar = compiled(schema)
    judge = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    arranger = Arranger(schema)
    for value in values:
        valid = judge.is_valid(value)
        arranged, admitted = arranger.arrange(value)
        assert admitted == valid, f"the algebra is wrong about {value!r}"
        text = json.dumps(arranged, ensure_ascii=False, separators=(",", ":"))
        assert (grammar is not None and accepts(grammar, text)) == valid, text
