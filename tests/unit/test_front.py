"""The plain way from a schema to a mask, in C++: what Python makes, or nothing."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import pytest

import slm
from slm.decode.spec import Spec
from slm.errors import EngineUnavailable, UnsatisfiableSchema, UsageError, VocabularyCannotSpell
from slm.front import Front, front
from slm.mask import native_available
from slm.mask.quick import QuickMatcher
from slm.schema import compile_schema
from slm.vocab import Vocabulary, byte_vocabulary

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"ab": {"type": "integer"}, "c": {"enum": ["x", "y"]}},
    "required": ["ab"],
}
BYTES = byte_vocabulary()


@pytest.fixture(autouse=True)
def no_engine_is_wanted(monkeypatch):
    """Each test begins with an environment that names no engine, and a front that is ready."""
    monkeypatch.delenv("SLM_ENGINE", raising=False)
    slm.compile(slm.json_schema({}), BYTES)


def test_a_plain_spec_is_the_spec_that_python_makes():
    """Every attribute, and what is made of it: copies and pickles, too."""
    plain, slow = front.spec(SCHEMA), Spec.of_schema(compile_schema(SCHEMA), slm.json_schema)
    assert plain is not None
    for spec in (plain, copy.copy(plain), pickle.loads(pickle.dumps(plain))):
        assert spec.grammar.rules == slow.grammar.rules
        assert (spec.kind, spec.schema, spec.notes) == (slow.kind, slow.schema, slow.notes)
        assert spec.is_json
        assert spec.prompt is None
        assert spec.tree is None
        assert spec.parse('{"ab": 3}') == {"ab": 3}
    with pytest.raises(AttributeError, match="nothing"):
        plain.nothing  # noqa: B018


def test_a_plain_grammar_is_compiled_once_and_gives_the_masks_of_the_reference():
    """The same object for the same vocabulary; masks as the engine in Python has them."""
    spec = slm.json_schema(SCHEMA)
    compiled = slm.compile(spec, BYTES)
    assert compiled is slm.compile(spec, BYTES) is slm.compile(spec, BYTES, engine=None)
    assert compiled is not slm.compile(spec, BYTES, memory=1 << 20)
    assert (compiled.vocabulary, compiled.engine_name) == (BYTES, "native")
    assert compiled.grammar.rules == spec.grammar.rules
    matcher, twin = compiled.matcher(), slm.compile(spec, BYTES, engine="reference").matcher()
    assert type(matcher) is QuickMatcher
    for token in b'{"ab":12,"c":"y"}':
        assert matcher.allowed() == twin.allowed()
        matcher.accept(token)
        twin.accept(token)
    assert matcher.is_complete()
    assert compiled.stats().states > 1


def test_the_environment_is_heard_at_once(monkeypatch):
    """SLM_ENGINE may change between two calls, and be anything."""
    for name, engine in (("reference", "reference"), ("native", "native"), ("", "native")):
        monkeypatch.setenv("SLM_ENGINE", name)
        assert slm.compile(slm.json_schema(SCHEMA), BYTES).engine_name == engine
        assert (front.spec(SCHEMA) is None) == (engine == "reference")
    monkeypatch.setenv("SLM_ENGINE", "steam")
    with pytest.raises(EngineUnavailable, match="steam"):
        slm.compile(slm.json_schema(SCHEMA), BYTES)
    monkeypatch.delenv("SLM_ENGINE")
    assert slm.compile(slm.json_schema(SCHEMA), BYTES).engine_name == "native"


@pytest.mark.parametrize(
    "schema", [True, '{"type": "string"}', type("Mine", (dict,), {})(SCHEMA), 3, None]
)
def test_what_is_no_dict_is_left_to_python(schema):
    """Booleans, texts, subclasses and mistakes are not plain."""
    assert front.spec(schema) is None


def test_errors_are_those_of_python():
    """Unsatisfiable schemas, things that are no vocabulary, vocabularies that cannot write it."""
    assert front.spec({"allOf": [{"type": "null"}, {"type": "string"}]}) is None
    with pytest.raises(UnsatisfiableSchema):
        slm.json_schema({"allOf": [{"type": "null"}, {"type": "string"}]})
    spec = slm.json_schema(SCHEMA)
    with pytest.raises(UsageError, match="vocabulary"):
        slm.compile(spec, [b"a"])
    poor = Vocabulary((b"a", b"b", None), (2,))
    for _ in range(2):
        assert front.compile(spec, poor) is None
        with pytest.raises(VocabularyCannotSpell):
            slm.compile(spec, poor)
    assert front.compile(slm.regex("a*"), BYTES) is None
    assert front.compile(3, BYTES) is None


def test_a_vocabulary_that_is_gone_is_forgotten():
    """And one that is met for the first time is not plain: its tables have to be made."""
    from slm.mask.native import plain_by_id

    mine = Vocabulary((*(bytes([byte]) for byte in range(256)), b"{}", None), (257,))
    assert front.compile(slm.json_schema(SCHEMA), mine) is None
    slm.compile(slm.json_schema(SCHEMA), mine)
    assert front.compile(slm.json_schema(SCHEMA), mine) is not None
    number = id(mine)
    assert number in plain_by_id
    del mine
    gc.collect()
    assert number not in plain_by_id


def test_a_compiled_grammar_and_its_spec_go_away_without_the_collector():
    """No cycle holds them: their memory is given back with the last reference."""
    import weakref

    spec = slm.json_schema(SCHEMA)
    compiled = slm.compile(spec, BYTES)
    matcher = compiled.matcher()
    gone = weakref.ref(compiled), weakref.ref(matcher)
    gc.disable()
    try:
        del spec, compiled, matcher
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()


def test_without_the_native_engine_nothing_is_plain(monkeypatch):
    """Where it is not built, the first schema finds that out."""
    import builtins

    real = builtins.__import__

    def without(name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002
        if name == "slm" and fromlist and "_native" in fromlist:
            raise ImportError("not built")
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)
    mine = Front()
    assert mine.spec(SCHEMA) is None
    assert mine.spec(SCHEMA) is None
    assert mine.compile(slm.regex("a"), BYTES) is None
