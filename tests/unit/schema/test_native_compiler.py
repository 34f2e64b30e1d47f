"""How the native compiler stands in for the one in Python: copies, laziness, what it leaves."""

from __future__ import annotations

import copy
import enum
import json
import pickle
import threading
import time
from collections import OrderedDict
from typing import Any

import pytest

import slm
from slm.errors import InvalidSchema, UnsupportedKeyword
from slm.mask import compile_grammar, native_available
from slm.schema import compile_schema
from slm.schema import native as twin
from slm.schema.compile import _compile
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts
from tests.properties.schema_programs import Trees, decode

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")


def program(schema: Any, whitespace: Any = "any", formats: str = "assert") -> Any:
    """What the native compiler says."""
    return twin.compile_program(schema, None, whitespace, formats)


def person() -> dict[str, Any]:
    """A fresh schema."""
    return {
        "title": "Person",
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name"],
    }


def test_what_is_asked_later_is_what_python_says() -> None:
    """Grammar, notes, draft and schema are those of the Python compiler, once looked at."""
    schema = person()
    made, wanted = compile_schema(schema), _compile(schema, None, "any", "assert")
    assert "rules" not in made.grammar.__dict__
    assert "notes" not in made.__dict__
    assert (made.draft, made.schema) == (wanted.draft, wanted.schema)
    assert made.schema is schema
    assert made.notes == wanted.notes
    assert made.grammar == wanted.grammar
    assert made == wanted
    assert made.grammar.rules[0].place == wanted.grammar.rules[0].place


def test_masks_need_no_rules_but_names_do() -> None:
    """A matcher runs on the program alone; what it expects has the names of the rules."""
    spec = slm.json_schema(person(), whitespace="compact")
    compiled = slm.compile(spec, byte_vocabulary(), engine="native")
    matcher = compiled.matcher()
    for byte in b'{"name":"x","age":1':
        assert byte in matcher.allowed()
        matcher.accept(byte)
    assert "rules" not in spec.grammar.__dict__
    assert "INTEGER" in matcher.expected()
    assert spec.notes[0].keyword == "title"
    assert compiled.grammar is spec.grammar


def test_a_schema_that_changes_later_changes_nothing() -> None:
    """The grammar is that of the schema as it was, whenever it is made."""
    schema = person()
    made = compile_schema(schema)
    schema["properties"]["age"] = False
    schema["required"].append("more")
    assert made.grammar == _compile(person(), None, "any", "assert").grammar
    assert made.notes == _compile(person(), None, "any", "assert").notes


def test_the_copy_of_a_schema_is_the_schema() -> None:
    """Every JSON value survives, and dicts that stand in two places are still one."""
    shared = {"type": "string", "default": [1, -2.5, 10**30, True, None, "é\n\0", {"a": {}}]}
    schema = {"properties": {"a": shared, "b": shared}, "anyOf": [shared, {"x": 1e300}]}
    copied = program(schema).schema()
    assert json.dumps(copied) == json.dumps(schema)
    assert copied["properties"]["a"] is copied["properties"]["b"]
    assert copied["properties"]["a"] is not shared


def test_a_dict_in_two_places_is_one_rule() -> None:
    """As in Python, which tells schemas apart by their identity."""
    shared = {"type": "object", "properties": {"x": {"type": "null"}}}
    found = []
    for schema in (
        {"properties": {"a": shared, "b": shared}},
        {"properties": {"a": shared, "b": dict(shared)}},
        {"properties": {"a": shared, "b": {"anyOf": [shared]}}},
    ):
        grammar = _compile(schema, None, "any", "assert").grammar
        _, rules, _ = decode(program(schema).words(), Trees())
        assert len(rules) == len(grammar.rules)
        found.append(len(rules))
    assert found[0] < found[1]


class Colour(str, enum.Enum):
    """A string that is more than one."""

    RED = "red"


@pytest.mark.parametrize(
    "schema",
    [
        OrderedDict(type="string"),
        {"enum": [Colour.RED]},
        {"enum": ("a", "b")},
        {"properties": {1: True}},
        {"const": "\ud800"},
        {"const": b"a"},
    ],
)
def test_what_json_does_not_make_is_left_to_python(schema: Any) -> None:
    """Subclasses, tuples, halves of surrogate pairs and more: Python knows what they are."""
    assert isinstance(program(schema), str)


def test_layouts_with_an_indent_are_left_to_python() -> None:
    """The native compiler knows "any" and "compact"; the others still work."""
    assert isinstance(program({"type": "null"}, 2), str)
    assert compile_schema(person(), whitespace=2).grammar.start == "root"


def test_errors_come_at_once_and_from_python() -> None:
    """What is wrong with a schema is said when it is compiled, with its place."""
    with pytest.raises(InvalidSchema) as invalid:
        compile_schema({"properties": {"a": {"type": "strin"}}})
    assert invalid.value.at is not None
    assert invalid.value.at.pointer == "/properties/a/type"
    with pytest.raises(UnsupportedKeyword):
        compile_schema({"not": {"uniqueItems": True}})
    with pytest.raises(InvalidSchema, match="appears twice"):
        compile_schema('{"type": "null", "type": "null"}')


def test_relaxed_and_registered_schemas_are_the_same_as_ever() -> None:
    """Options that the native compiler does not know change nothing where they are not needed."""
    relaxed = compile_schema({"not": {"uniqueItems": True}}, on_unsupported="relax")
    assert any(note.status == "relaxed" for note in relaxed.notes)
    other = compile_schema({"$ref": "http://x.org/a"}, registry={"http://x.org/a": person()})
    assert other.grammar.program is None
    assert other.grammar.by_name["root"].place is not None


def test_formats_can_be_annotations() -> None:
    """With formats="annotate" a format says nothing, natively too."""
    spec = {"type": "string", "format": "date"}
    plain, asserted = program({"type": "string"}).words(), program(spec).words()
    assert program(spec, formats="annotate").words() == plain != asserted


def test_json_text_is_read_first() -> None:
    """Text, and the dict it stands for, give the same program."""
    made = compile_schema(json.dumps(person()))
    assert made.schema == person()
    assert made.grammar == compile_schema(person()).grammar


@pytest.mark.parametrize("how", ["pickle", "copy", "deepcopy"])
def test_compiled_schemas_can_be_copied(how: str) -> None:
    """Pickled or copied, they are whole, and a program is never copied."""
    made = compile_schema(person())
    ways = {"copy": copy.copy, "deepcopy": copy.deepcopy}
    again = ways[how](made) if how in ways else pickle.loads(pickle.dumps(made))
    assert again == made
    assert again.grammar.program is (made.grammar.program if how == "copy" else None)


def test_the_reference_engine_can_be_had_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """SLM_ENGINE=reference compiles schemas in Python, too; so does a build without C++."""
    monkeypatch.setenv("SLM_ENGINE", "reference")
    assert isinstance(program(person()), str)
    monkeypatch.delenv("SLM_ENGINE")
    monkeypatch.setattr(twin, "_native", None)
    assert isinstance(program(person()), str)
    assert compile_schema(person()).grammar.program is None


SPELLINGS = {
    "az": ["az", r"\u0061z", r"a\u007A", r"\u0061\u007a"],
    "J/": ["J/", r"J\/", r"\u004A\u002f"],
    'q"': [r"q\"", r"q\u0022"],
    "b\\": [r"b\\", r"\u0062\u005C"],
    "n\n": [r"n\n", r"\u006e\u000A"],
    "\x01": [r"\u0001"],
    "\u00e9": ["\u00e9", r"\u00e9", r"\u00E9"],
    "\U0001f600": ["\U0001f600", r"\ud83d\ude00", r"\uD83D\uDE00"],
}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_no_spelling_of_a_declared_name_is_a_free_one(name: str, engine: str) -> None:
    """However a declared name is escaped, its value is not that of other members."""
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"}},
        "additionalProperties": {"type": "string"},
    }
    grammar = slm.compile(slm.json_schema(schema), byte_vocabulary(), engine=engine)
    assert accepts(grammar, json.dumps({name: 1}, ensure_ascii=False))
    for spelling in SPELLINGS[name]:
        assert not accepts(grammar, f'{{"{spelling}": "x"}}')
        assert accepts(grammar, f'{{"{spelling}x": "x"}}')


def test_the_reference_engine_takes_native_schemas() -> None:
    """An engine that reads rules gets them."""
    spec = slm.json_schema(person(), whitespace="compact")
    compiled = slm.compile(spec, byte_vocabulary(), engine="reference")
    assert compiled.matcher().allowed() == [ord("{")]


@pytest.mark.parametrize("keyword", ["not", "items", "anyOf"])
def test_deep_schemas_do_not_overflow(keyword: str) -> None:
    """10,000 levels are left to Python, which refuses them by name."""
    schema: Any = {"type": "null"}
    for _ in range(10_000):
        schema = {keyword: [schema] if keyword == "anyOf" else schema}
    assert isinstance(program(schema), str)
    looped: dict[str, Any] = {}
    looped["items"] = looped
    assert isinstance(program(looped), str)


def test_large_schemas_take_no_time() -> None:
    """Some 4 MB, with 20,000 objects, in well under a second."""
    each = {"type": "object", "properties": {"a": {"type": "string", "title": "x" * 100}}}
    schema = {"properties": {f"p{at}": copy.deepcopy(each) for at in range(20_000)}}
    assert len(json.dumps(schema)) > 3_500_000
    before = time.thread_time()
    assert not isinstance(program(schema), str)
    assert time.thread_time() - before < 1


def test_many_threads_compile_at_once() -> None:
    """Each gets the program it would have got alone."""
    schemas = [
        {"type": "object", "properties": {f"p{at}": {"pattern": f"^{at}+$"}}} for at in range(8)
    ]
    alone = [program(schema).words() for schema in schemas]
    wrong: list[int] = []

    def work() -> None:
        for at, schema in enumerate(schemas * 20):
            if program(schema).words() != alone[at % 8]:
                wrong.append(at)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(("draft", "typed", "pointed"), [("4", 1, 0), ("4", 0, 1), ("6", 1, 1)])
def test_a_constant_integer_of_draft_4_has_no_point(draft: str, typed: int, pointed: int) -> None:
    """Where an integer is asked for, 1.0 is none there; where it is not, it equals 1."""
    uri = f"http://json-schema.org/draft-0{draft}/schema#"
    schema = {"$schema": uri, "enum": [1, 2], **({"type": "integer"} if typed else {})}
    for made in (compile_schema(schema), _compile(schema, None, "any", "assert")):
        compiled = compile_grammar(made.grammar, byte_vocabulary())
        assert [accepts(compiled, text) for text in ("1", "1.0")] == [True, bool(pointed)]
