"""How far engines for constrained decoding agree with Lark on Lark grammars.

For every grammar of a folder of public grammars, with inputs and Lark's verdicts, each engine is
asked to compile it, and then for each input whether it is a text of the grammar. A byte vocabulary
is enough for that, so no tokenizer is involved. Run it as

    python -m benchmarks.lark_fidelity FOLDER [--longest 4000] [--json OUT]

FOLDER holds MANIFEST.json and a folder for each grammar; `benchmarks/lark_corpus.py` reads it.
llguidance and xgrammar take part where they are installed, SynCode in the Python that
`SLM_SYNCODE_PYTHON` names (`benchmarks/syncode_peer.py`). An input about which an engine fails with
an exception counts as wrong, whatever Lark says of it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import syncode_peer
from benchmarks.lark_corpus import Grammar, grammars_of

Judge = Callable[[bytes], bool | None]  # None: it took too long


@dataclass
class Score:
    """What one engine made of all grammars."""

    compiled: int = 0
    exact: int = 0  # compiled, and right about every input
    accepted_right: int = 0
    accepted: int = 0  # inputs that Lark accepts
    rejected_right: int = 0
    rejected: int = 0
    undecided: int = 0
    refusals: dict[str, str] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)  # inputs that ended in an exception


def slm_engine(grammar: Grammar) -> Judge:
    """slm, with the options that the project gives to Lark."""
    from slm.errors import TokenRejected
    from slm.mask import compile_grammar
    from slm.syntax import compile_lark
    from slm.vocab import byte_vocabulary

    made = compile_lark(grammar.path, start=grammar.start, **grammar.options)
    compiled = compile_grammar(made.grammar, byte_vocabulary())

    def judge(text: bytes) -> bool:
        matcher = compiled.matcher()
        try:
            for byte in text:
                matcher.accept(byte)
        except TokenRejected:
            return False
        return matcher.is_complete()

    return judge


def llguidance_engine(grammar: Grammar) -> Judge:
    """llguidance; its start rule is always `start`."""
    import llguidance

    text = grammar.path.read_text(encoding="utf-8")
    if grammar.start != "start":
        text += f"\nstart: {grammar.start}\n"
    tokens = [bytes((byte,)) for byte in range(256)] + [b"<eos>"]

    class Bytes:
        eos_token_id, bos_token_id = 256, None
        special_token_ids = (256,)

        def __init__(self) -> None:
            self.tokens = tokens

        def __call__(self, text: str) -> list[int]:
            return list(text.encode())

    tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(Bytes()))
    source = llguidance.LLMatcher.grammar_from_lark(text)
    first = llguidance.LLMatcher(tokenizer, source, log_level=0)
    if first.is_error():
        raise ValueError(first.get_error())

    def judge(data: bytes) -> bool:
        matcher = first.deep_copy()
        return matcher.try_consume_tokens(list(data)) == len(data) and matcher.is_accepting()

    return judge


def xgrammar_engine(grammar: Grammar) -> Judge:
    """xgrammar's reader of Lark grammars."""
    import xgrammar

    text = grammar.path.read_text(encoding="utf-8")
    if grammar.start != "start":
        text += f"\nstart: {grammar.start}\n"
    made = xgrammar.Grammar.from_lark(text)
    info = xgrammar.TokenizerInfo(
        [bytes((byte,)) for byte in range(256)] + [b"<eos>"], stop_token_ids=[256]
    )
    compiled = xgrammar.GrammarCompiler(info).compile_grammar(made)

    def judge(data: bytes) -> bool:
        matcher = xgrammar.GrammarMatcher(compiled)
        if not all(matcher.accept_token(byte) for byte in data):
            return False
        return bool(matcher.accept_token(256))

    return judge


ENGINES = {
    "slm": slm_engine,
    "llguidance": llguidance_engine,
    "xgrammar": xgrammar_engine,
    "syncode, grammar_strict": syncode_peer.engine("grammar_strict"),
    "syncode, grammar_mask": syncode_peer.engine("grammar_mask"),
}


def installed(name: str) -> bool:
    """Whether an engine can be asked."""
    if name.startswith("syncode"):
        return syncode_peer.installed()
    return importlib.util.find_spec(name) is not None


def score_of(engine: Callable[[Grammar], Judge], grammars: list[Grammar]) -> Score:
    """What an engine makes of the grammars; whatever it says against one is a refusal."""
    score = Score()
    for grammar in grammars:
        try:
            judge = engine(grammar)
        except Exception as error:  # each engine has errors of its own
            score.refusals[grammar.name] = (str(error).strip() or type(error).__name__)[:120]
            continue
        score.compiled += 1
        right = 0
        for text, verdict in grammar.samples:
            try:
                found = judge(text.encode())
                correct = found == verdict
            except Exception as error:
                found, correct = False, False
                what = f"{grammar.name}: {str(error)[:80]}"
                score.failures[what] = score.failures.get(what, 0) + 1
            if found is None:
                score.undecided += 1
                continue
            right += correct
            if verdict:
                score.accepted += 1
                score.accepted_right += correct
            else:
                score.rejected += 1
                score.rejected_right += correct
        score.exact += right == len(grammar.samples)
    return score


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--longest", type=int, default=4000, help="characters of an input")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    options = parser.parse_args()
    grammars = list(grammars_of(options.folder, options.longest))
    inputs = sum(len(grammar.samples) for grammar in grammars)
    print(f"{len(grammars)} grammars, {inputs} inputs of up to {options.longest} characters\n")
    print("| engine | grammars compiled | right about every input | accepted as Lark does "
          "| rejected as Lark does |")  # fmt: skip
    print("|---|---|---|---|---|")
    scores = {}
    for name, engine in ENGINES.items():
        if not installed(name):
            print(f"| {name} | not installed | | | |")
            continue
        score = scores[name] = score_of(engine, grammars)
        print(
            f"| {name} | {score.compiled} of {len(grammars)} | {score.exact} "
            f"| {score.accepted_right} of {score.accepted} "
            f"| {score.rejected_right} of {score.rejected} |",
            flush=True,
        )
        failed = sum(score.failures.values())
        for kind, count in (("undecided", score.undecided), ("failed", failed)):
            if count:
                print(f"| | {count} inputs {kind} | | | |")
    if options.json:
        options.json.write_text(json.dumps({n: asdict(s) for n, s in scores.items()}, indent=1))


if __name__ == "__main__":
    main()
