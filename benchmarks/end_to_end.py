"""Whole generations: JSON under a schema against free text of the same tokens, by the same model.

    python benchmarks/end_to_end.py                      # two models, on one thread; some minutes
    python benchmarks/end_to_end.py --models tiny        # seconds: does it run?

A model of random weights (`benchmarks/random_models.py`) says a valid instance of each schema. Four
ways of saying it take turns, and the least time of each counts:

    free         slm without a specification, token by token
    generate     transformers' own `generate`, greedy, as many tokens (of its own choice)
    full head    the schema, with every logit computed (`likelihoods=True`)
    constrained  the schema, as slm does it; compiling the schema is in the time

Free and constrained runs give the very same tokens: those that the schema forces are part of both.
What differs is what the model computes for them. With `--own-words` the model says what it likes
under the schema, within a budget of the instance's length, and free runs repeat that.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import slm
from benchmarks.cases import choose, default_data, read_cases
from benchmarks.random_models import SHAPES, Said, make
from slm.decode import Generation, Generator
from slm.models.transformers import TransformersModel

PROMPT = "Answer with a JSON object that follows the schema.\n"
WAYS = ("free", "generate", "full head", "constrained")
# The README's example.
FILM = {
    "id": "README: Film",
    "schema": {
        "type": "object",
        "properties": {
            "title": {"type": "string", "pattern": "^[A-Z][a-z ]{1,20}$"},
            "year": {"type": "integer", "minimum": 1888, "maximum": 2100},
        },
        "required": ["title", "year"],
        "additionalProperties": False,
    },
    "tests": [{"valid": True, "data": {"title": "Inception", "year": 2010}}],
}


@dataclass(slots=True)
class Row:
    """One schema, one model: what was said, and the least seconds of each way of saying it."""

    model: str
    case: str
    tokens: int
    forced: int
    passes: int
    logits: float  # share of all logits of a token-by-token run
    compile_ms: float  # the first time, as is the next one
    mask_ms: float
    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(SHAPES), help=f"of {', '.join(SHAPES)}, tiny")
    parser.add_argument("--dtype", default="bfloat16", help="float32 or bfloat16")
    parser.add_argument("--data", type=Path, default=None, help="cases: see benchmarks/cases.py")
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--lengths", default="25,120", help="tokens of an instance, least and most")
    parser.add_argument("--whitespace", default="compact", help="compact or any")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--own-words", action="store_true")
    parser.add_argument("--clock", default="wall", help="what the table shows: wall or cpu")
    parser.add_argument("--json", type=Path, default=None, help="write what was measured")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    rows = []
    for name in arguments.models.split(","):
        model = make(name, arguments.dtype, arguments.device)
        for case, text in texts(model, arguments):
            rows.append(measure(name, model, case, text, arguments))
            print(line(rows[-1]), flush=True)
        assert model.head.full_because is None, model.head.full_because
        del model
        gc.collect()
    print("\n" + table(rows, arguments.clock))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def texts(
    model: TransformersModel, arguments: argparse.Namespace
) -> list[tuple[dict[str, Any], str]]:
    """The README's schema and some of the data's, each with the text of a valid instance."""
    from tests.conformance.arrange import Arranger

    least, most = map(int, arguments.lengths.split(","))
    separators = (",", ":") if arguments.whitespace == "compact" else (", ", ": ")
    found = []
    cases = choose(read_cases(arguments.data or default_data()), None, seed=0)
    for case in [FILM, *cases]:
        if len(found) == arguments.cases:
            break
        data = next((test["data"] for test in case["tests"] if test["valid"]), None)
        try:
            spec = slm.json_schema(case["schema"], whitespace=arguments.whitespace)
            data = Arranger(case["schema"]).arrange(data)[0]
        except Exception:  # refused, or an instance that cannot be arranged
            continue
        text = json.dumps(data, ensure_ascii=False, separators=separators)
        tokens = model.vocabulary.tokenize(text)
        if case is not FILM and not least <= len(tokens) <= most:
            continue
        matcher = slm.compile(spec, model.vocabulary).matcher()
        if not all(matcher.check(token) and matcher.accept(token) is None for token in tokens):
            continue  # another order of keys, or a number written otherwise
        if matcher.is_complete():
            found.append((case, text))
    return found


def measure(
    name: str, model: TransformersModel, case: dict[str, Any], text: str, arguments: Any
) -> Row:
    """All ways of saying one text."""
    begin = time.perf_counter()
    spec = slm.json_schema(case["schema"], whitespace=arguments.whitespace)
    said = model if arguments.own_words else Said(model, model.vocabulary.tokenize(text))
    first = Generator(said, spec)
    compiling = time.perf_counter() - begin
    budget = len(model.vocabulary.tokenize(text)) + 4
    out = first(PROMPT, max_tokens=budget)
    assert arguments.own_words or out.text == text, (out.text, text)
    tokens = out.tokens
    again = Said(model, tokens)
    ids = model.encode(PROMPT)

    def constrained(**options: Any) -> Generation:
        spec = slm.json_schema(case["schema"], whitespace=arguments.whitespace)
        return Generator(again, spec, **options)(PROMPT, max_tokens=budget)

    def generate() -> Sequence[int]:
        import torch

        given: Any = model.model
        made = given.generate(
            torch.tensor([ids], device=given.device),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long, device=given.device),
            max_new_tokens=len(tokens),
            min_new_tokens=len(tokens),
            do_sample=False,
        )
        result: Sequence[int] = made[0, len(ids) :].tolist()
        return result

    ways: dict[str, Callable[[], Any]] = {
        "free": lambda: Generator(again)(PROMPT, max_tokens=len(tokens)),
        "generate": generate,
        "full head": lambda: constrained(likelihoods=True),
        "constrained": constrained,
    }
    width = model.model.get_output_embeddings().weight.shape[0]
    row = Row(
        name,
        case["id"],
        len(tokens),
        out.stats.forced_tokens,
        out.stats.forward_passes,
        out.stats.logits / (width * len(tokens)),
        1e3 * compiling,
        1e3 * out.stats.mask_seconds,
    )
    gc.disable()
    for _ in range(arguments.rounds):
        for way in arguments.ways.split(","):
            wall, cpu = time.perf_counter(), time.process_time()
            got = ways[way]()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            assert way == "generate" or got.tokens == tokens
            assert way != "generate" or len(got) == len(tokens)
            row.wall[way] = min(wall, row.wall.get(way, wall))
            row.cpu[way] = min(cpu, row.cpu.get(way, cpu))
        gc.collect()
    gc.enable()
    return row


def line(row: Row) -> str:
    """A row while it runs."""
    times = "  ".join(f"{way} {seconds:.2f} s" for way, seconds in row.wall.items())
    return f"{row.model}  {row.case}: {row.tokens} tokens, {row.forced} forced; {times}"


def table(rows: list[Row], clock: str) -> str:
    """What the documentation shows; the sums of all schemas are in the last row of each model."""
    ways = list(rows[0].wall)
    head = [
        "model, schema", "tokens", "forced", "passes", "logits",
        *(f"{way}, s" for way in ways), "constrained ÷ free: wall", "CPU",
    ]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    for model in dict.fromkeys(row.model for row in rows):
        own = [row for row in rows if row.model == model]
        whole = Row(
            model,
            "all",
            sum(row.tokens for row in own),
            sum(row.forced for row in own),
            sum(row.passes for row in own),
            sum(row.logits * row.tokens for row in own) / sum(row.tokens for row in own),
            0.0,
            sum(row.mask_ms for row in own),
            {way: sum(row.wall[way] for row in own) for way in ways},
            {way: sum(row.cpu[way] for row in own) for way in ways},
        )
        for row in [*own, whole]:
            cells = [
                f"{row.model}, {row.case}", str(row.tokens), str(row.forced), str(row.passes),
                f"{row.logits:.1%}",
                *(f"{(row.cpu if clock == 'cpu' else row.wall)[way]:.2f}" for way in ways),
                *(f"{kind['constrained'] / kind['free']:.2f}" for kind in (row.wall, row.cpu)),
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
