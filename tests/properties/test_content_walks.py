"""Random schemas of all keywords, for the JSON in a string: judged where the string is unpacked."""

from __future__ import annotations

import json
import os
import random
from contextlib import suppress
from itertools import islice
from typing import Any

import jsonschema_rs

from slm.errors import GrammarTooComplex, SlmError, UnsatisfiableSchema
from slm.mask import CompiledGrammar, compile_grammar
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.arrange import Arranger
from tests.conformance.maskbench import accepts
from tests.properties.test_schema_walks import Maker, orders

COUNT = int(os.environ.get("SLM_RANDOM_SCHEMAS", "120"))
DIALECT = "https://json-schema.org/draft/2020-12/schema"
LIMIT = 300


def walk(compiled: CompiledGrammar, rng: random.Random) -> str | None:
    """A text of bytes that the masks allow, whose strings end soon; None where it does not end."""
    matcher = compiled.matcher()
    end = compiled.vocabulary.eos_ids[0]
    for step in range(LIMIT):
        allowed = matcher.allowed()
        assert allowed, f"stuck after {matcher.text!r}"
        if end in allowed:
            return matcher.text.decode()
        texts = list(allowed)
        # In a string of a string, a quote is two characters: the first one often, then.
        closing = [byte for byte in b'"}]' if byte in allowed]
        escape = [byte for byte in b"\\" if byte in allowed]
        if closing and rng.random() < (0.9 if step > LIMIT // 4 else 0.3):
            token = rng.choice(closing)
        elif escape and rng.random() < (0.7 if step > LIMIT // 4 else 0.3):
            token = escape[0]
        else:
            token = rng.choice([b for b in texts if chr(b) in 'abc012.{}[],:"tfn\\'] or texts)
        matcher.accept(token)
    return None


def findings(seed: int) -> tuple[list[str], bool, int]:
    """What is wrong with one random schema, whether it compiled, and how many walks ended."""
    maker = Maker(seed)
    inner = maker.schema()
    maker.refers = False
    definitions = {"$schema": DIALECT, "$defs": {name: maker.schema(1) for name in "xy"}}
    plain = {**inner, **definitions} if isinstance(inner, dict) else inner
    content = {"contentMediaType": "application/json", "contentSchema": inner}
    levels = maker.rng.choice([1, 1, 2])
    if levels == 2:
        content = {
            "contentMediaType": "application/json",
            "contentSchema": {"type": "string", **content},
        }
    schema = {**definitions, "properties": {"v": {"type": "string", **content}}}
    schema |= {"type": "object", "required": ["v"], "additionalProperties": False}
    judge = jsonschema_rs.validator_for(plain, validate_formats=True)
    values = [maker.value(2) for _ in range(12)]
    try:
        grammar = compile_schema(schema, content="assert").grammar
        compiled = compile_grammar(grammar, byte_vocabulary())
        arrangers = [Arranger(plain), Arranger(plain, frames=True)]
    except GrammarTooComplex:
        return [], False, 0
    except UnsatisfiableSchema:
        wrong = any(judge.is_valid(value) for value in values)
        return [f"{seed}: unsatisfiable, but it is not"] if wrong else [], False, 0
    except SlmError:
        return [], False, 0

    def outer(value: Any) -> str:
        for _ in range(levels):
            value = json.dumps(value)
        return json.dumps({"v": value})

    wrong_ones = []
    for value in values:
        arranged = []
        for arranger in arrangers:
            with suppress(SlmError):
                arranged.append(arranger.arrange(value)[0])
        valid = judge.is_valid(value)
        accepted = any(accepts(compiled, outer(one)) for one in arranged)
        if arranged and valid and not accepted:
            accepted = any(accepts(compiled, outer(one)) for one in islice(orders(value), 300))
        if arranged and accepted != valid:
            wrong_ones.append(f"{seed}: {value}: {valid}: {json.dumps(schema)}")
    ended = 0
    for _ in range(3):
        written = walk(compiled, maker.rng)
        if written is None:
            continue
        ended += 1
        found = json.loads(written)["v"]
        for _ in range(levels):
            found = json.loads(found)
        if not judge.is_valid(found):
            wrong_ones.append(f"{seed}: wrote {written}: {json.dumps(schema)}")
    return wrong_ones, True, ended


def test_content_is_enforced_exactly() -> None:
    """No walk is stuck, what ends has valid JSON in its string, and all valid JSON is accepted."""
    wrong: list[str] = []
    compiled = ended = 0
    for seed in range(COUNT):
        found, did, walks = findings(seed)
        wrong += found
        compiled += did
        ended += walks
    assert wrong == []
    assert compiled > COUNT // 3, f"only {compiled} of {COUNT} compiled"
    assert ended > compiled, f"only {ended} walks ended"


def test_engines_agree_inside_strings() -> None:
    """The native engine's masks are those of the reference, all the way into nested documents."""
    content: dict[str, Any] = {
        "properties": {"a": {"type": "integer"}, "b": {"items": {"enum": ["x", "é", None]}}}
    }
    for _ in range(2):
        content = {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {**content, "minLength": 0},
        }
    grammar = compile_schema({"items": content, "type": "array"}, content="assert").grammar
    vocabulary = byte_vocabulary()
    engines = [compile_grammar(grammar, vocabulary, name) for name in (None, "reference")]
    rng = random.Random(3)
    compared = 0
    for _ in range(30):
        matchers = [engine.matcher() for engine in engines]
        for _ in range(60):
            allowed = [set(matcher.allowed()) for matcher in matchers]
            assert allowed[0] == allowed[1], matchers[0].text
            compared += 1
            texts = sorted(allowed[0] - set(vocabulary.eos_ids))
            likely = [byte for byte in texts if chr(byte) in '\\"{}[]:,ab1nx']
            if not texts:
                break
            token = rng.choice(likely if likely and rng.random() < 0.9 else texts)
            for matcher in matchers:
                matcher.accept(token)
    assert compared > 100
