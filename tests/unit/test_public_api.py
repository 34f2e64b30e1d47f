"""The public names: what is exported, how fast, and that it does what the first page says."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

import slm
from slm.errors import SlmError
from slm.models import scripted, uniform
from slm.vocab import byte_vocabulary

BYTES = byte_vocabulary()


def test_all_is_sorted_and_is_what_there_is():
    """__all__ is sorted, every name in it exists, and nothing else public is in the module."""
    assert slm.__all__ == sorted(slm.__all__)
    for name in slm.__all__:
        assert getattr(slm, name) is not None
    modules = {"api", "decode", "extract", "grammar", "knowledge", "mask", "models", "schema"}
    modules |= {"syntax", "vocab", "cli", "train", "merge", "kernels", "samples", "annotations"}
    modules |= {"export", "folders", "front"}
    public = {name for name in vars(slm) if not name.startswith("_")}
    public -= modules | {"import_module", "Any", "TYPE_CHECKING", "slm"}
    assert public <= set(slm.__all__)
    assert set(slm.__all__) <= set(dir(slm))


def test_unknown_names_are_attribute_errors():
    """A name that is not there is an ordinary AttributeError."""
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = slm.no_such_name


def test_public_names_are_documented():
    """Every public class and function has a docstring, every public method too."""
    for name in slm.__all__:
        thing = getattr(slm, name)
        assert thing.__doc__, name
        if inspect.isclass(thing):
            for method, value in vars(thing).items():
                if inspect.isfunction(value) and not method.startswith("_"):
                    assert value.__doc__, f"{name}.{method}"


def test_import_is_light():
    """`import slm` loads no numpy, no torch, no lark, and takes under 150 ms of work."""
    code = (
        "import time; begin = time.process_time(); import slm; "
        "took = time.process_time() - begin; import sys, json; "
        "heavy = [m for m in ('torch', 'transformers', 'lark', 'pydantic', 'numpy', 'rich') "
        "if m in sys.modules]; print(json.dumps([took, heavy]))"
    )
    runs = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    assert min(took for took, _ in runs) < 0.150
    assert runs[0][1] == []


def test_using_a_schema_loads_no_torch():
    """Compiling and masking need neither torch nor transformers."""
    code = (
        "import slm, sys; v = slm.Vocabulary.from_bytes([b'0', b'1', None], eos_ids=[2]); "
        "slm.compile(slm.regex('[01]+'), v).matcher().mask(); "
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("first", ["slm.extract.run", "slm.extract", "slm.api"])
def test_extract_stays_the_function(first):
    """slm.extract is the function, whatever of the folder of that name is imported first."""
    code = (
        f"import {first}; import slm, slm.extract.run; from slm.extract import Record; "
        "print(callable(slm.extract), slm.extract.__name__, Record.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "extract", "Record"]


def test_every_error_is_public_and_has_a_code():
    """slm.errors holds the whole hierarchy under SlmError; codes are unique."""
    classes = [c for c in vars(slm.errors).values() if inspect.isclass(c)]
    errors = [c for c in classes if issubclass(c, SlmError)]
    assert len({c.code for c in errors}) == len(errors)
    assert slm.SlmError is SlmError


def test_schema_from_a_dict():
    """A JSON Schema in, a parsed value out."""
    spec = slm.json_schema(
        {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 5}, "ok": {"type": "boolean"}},
            "required": ["name", "ok"],
            "additionalProperties": False,
        },
        whitespace="compact",
    )
    out = slm.Generator(scripted(BYTES, '{"name":"Ada","ok":true}'), spec)("Who?")
    assert out.value == {"name": "Ada", "ok": True}
    assert spec.kind == "json_schema"
    assert spec.is_json


def test_schema_from_json_text():
    """JSON text is a schema as well."""
    spec = slm.json_schema('{"type": "integer", "minimum": 5, "maximum": 7}')
    for seed in range(5):
        out = slm.Generator(uniform(BYTES), spec)("n", temperature=1.0, seed=seed)
        assert out.value in (5, 6, 7)


@dataclass
class Person:
    """Someone."""

    name: str
    age: int


def test_schema_from_a_dataclass_gives_the_dataclass():
    """A type as specification: the value is of that type."""
    spec = slm.json_schema(Person, whitespace="compact")
    out = slm.Generator(scripted(BYTES, '{"name":"Ada","age":36}'), spec)("Who?")
    assert out.value == Person("Ada", 36)


def test_schema_from_a_pydantic_model_gives_the_object():
    """A pydantic model as specification: the value is the model."""
    pydantic = pytest.importorskip("pydantic")

    class City(pydantic.BaseModel):
        name: str = pydantic.Field(max_length=9)
        people: int

    spec = slm.json_schema(City, whitespace="compact")
    out = slm.Generator(scripted(BYTES, '{"name":"Rome","people":3}'), spec)("Where?")
    assert out.value == City(name="Rome", people=3)


def test_lark_regex_and_choice():
    """The other front ends: texts in their language, and the text is the value."""
    lark = slm.lark('start: "a" start "b" | "c"', parser="earley", lexer="dynamic_complete")
    assert slm.Generator(scripted(BYTES, "aacbb"), lark)("p").value == "aacbb"
    assert (
        slm.Generator(scripted(BYTES, "2026-11"), slm.regex(r"\d{4}-\d\d"))("p").text == "2026-11"
    )
    assert slm.Generator(scripted(BYTES, "no"), slm.choice(["yes", "no"]))("p").text == "no"


def test_triples_of_an_ontology():
    """Knowledge brings its prompt; the value is the triples, with offsets."""
    movies = slm.Knowledge.load(
        {"types": ["film", "human"], "relations": {"director": ["film", "human"]}}
    )
    text = "Heat is a film by Michael Mann."
    model = scripted(
        BYTES,
        '{"triples":[{"relation":"director","subject":{"text":"Heat","type":"film"},'
        '"object":{"text":"Michael Mann","type":"human"}}]}',
    )
    out = slm.Generator(model, movies.triples(text))()
    (triple,) = out.value
    assert (triple.subject.text, triple.relation) == ("Heat", "director")
    assert text[triple.object.start : triple.object.end] == triple.object.text == "Michael Mann"
    records = list(slm.extract([text], movies, model=model))
    assert records[0].triples == out.value


def test_compile_takes_every_kind_of_specification():
    """slm.compile works on specs, triple specs and bare grammars."""
    spec = slm.choice(["yes", "no"])
    assert slm.compile(spec, BYTES) is slm.compile(spec, BYTES)
    assert slm.compile(spec.grammar, BYTES).matcher().mask().any()
    assert isinstance(slm.compile(spec, BYTES, engine="reference"), slm.CompiledGrammar)
    assert isinstance(slm.compile(spec, BYTES).matcher(), slm.Matcher)
