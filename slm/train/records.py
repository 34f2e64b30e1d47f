"""Fine-tuning data: JSON Lines of an input, what the output must follow, and the output.

Each line is an object with ``input`` (a text, or chat messages), ``output`` (a text, or a JSON
value, which is written compactly) and at most one of ``schema`` (a JSON Schema), ``lark`` (the text
of a grammar), ``regex`` and ``choices``. A schema given beside the file holds for lines without
any. Every output is walked through its grammar before training starts; the first that is not legal
is an error with line, place and what was expected there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slm.decode.spec import Spec
from slm.errors import Place, SlmError, TokenRejected, TrainingError
from slm.mask import CompiledGrammar, compile_grammar
from slm.vocab import Vocabulary

_KINDS = ("schema", "lark", "regex", "choices")


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the data.

    Attributes:
        input: the prompt's text, or chat messages.
        output: the text to learn.
        kind: "schema", "lark", "regex", "choices", or "" for a free output.
        grammar: what it must follow, as JSON text.
        place: file and line.
    """

    input: str | tuple[dict[str, str], ...]
    output: str
    kind: str
    grammar: str
    place: Place


@dataclass(frozen=True, slots=True)
class Walked:
    """A record as tokens, judged by its grammar.

    Attributes:
        prompt: ids of the input.
        target: ids of the output, with the end token.
        forced: for each target token, whether the grammar leaves no other text there.
        masks: (targets, words) int32 legal tokens at each target, or None if they are not kept.
        record: where it is from.
    """

    prompt: tuple[int, ...]
    target: tuple[int, ...]
    forced: NDArray[np.bool_]
    masks: NDArray[np.int32] | None
    record: Record


def read_records(path: Path, *, schema: Any = None) -> list[Record]:
    """Read a file of records.

    Args:
        path: JSON Lines.
        schema: for lines that do not say what their output must follow; None: nothing.

    Raises:
        TrainingError: the file cannot be read, is empty, or a line is no record.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(
            f"cannot read {path.name}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}",
            hint="give a file of JSON Lines",
        ) from error
    found = [
        _record(line, Place(path.name, line=number), schema)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not found:
        raise TrainingError(
            f"{path.name} holds no records",
            hint='each line is an object like {"input": "…", "schema": {…}, "output": {…}}',
        )
    return found


def _record(line: str, place: Place, schema: Any) -> Record:
    hint = 'each line is an object like {"input": "…", "schema": {…}, "output": {…}}'
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise TrainingError(
            f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}",
            at=Place(place.source, line=place.line, column=error.colno),
            hint=hint,
        ) from error
    if not isinstance(values, dict) or "input" not in values or "output" not in values:
        raise TrainingError("this line has no `input` and `output`", at=place, hint=hint)
    unknown = sorted(values.keys() - {"input", "output", "id", *_KINDS})
    if unknown:
        raise TrainingError(
            f"`{unknown[0]}` is no key of a record",
            at=place,
            hint=f"keys are input, output, id and one of {', '.join(_KINDS)}",
        )
    kinds = [kind for kind in _KINDS if values.get(kind) is not None]
    if len(kinds) > 1:
        raise TrainingError(
            f"this line has both `{kinds[0]}` and `{kinds[1]}`", at=place, hint="keep one of them"
        )
    kind = kinds[0] if kinds else ("schema" if schema is not None else "")
    rule = values[kinds[0]] if kinds else schema
    output = values["output"]
    if not isinstance(output, str) or kind == "schema":
        output = json.dumps(output, ensure_ascii=False, separators=(",", ":"))
    return Record(_input(values["input"], place), output, kind, json.dumps(rule), place)


def _input(value: Any, place: Place) -> str | tuple[dict[str, str], ...]:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(
        isinstance(m, dict) and m.keys() == {"role", "content"} for m in value
    ):
        return tuple(value)
    raise TrainingError(
        "`input` is neither a text nor a list of messages",
        at=place,
        hint='a message is {"role": "user", "content": "…"}',
    )


class Walker:
    """Turns records into tokens, and walks their outputs through their grammars.

    Args:
        encode: text to ids, as the model wants a prompt; see `LanguageModel.encode`.
        tokenizer: of transformers, for outputs and chat templates.
        vocabulary: of the model; its first end token closes outputs.
    """

    def __init__(self, encode: Any, tokenizer: Any, vocabulary: Vocabulary) -> None:
        self._encode, self._tokenizer, self.vocabulary = encode, tokenizer, vocabulary
        self.end = min(vocabulary.eos_ids)
        self._specs: dict[tuple[str, str], Spec] = {}
        self._compiled: dict[tuple[str, str], CompiledGrammar] = {}

    def spec(self, record: Record) -> Spec | None:
        """What a record's output must follow; the same object for the same grammar.

        Raises:
            SlmError: the schema or grammar is refused; the message names the line.
        """
        if not record.kind:
            return None
        key = record.kind, record.grammar
        if key not in self._specs:
            try:
                self._specs[key] = _spec(record.kind, json.loads(record.grammar))
            except SlmError as error:
                raise TrainingError(
                    f"the {record.kind} of this line is refused: {error.what}",
                    at=record.place,
                    hint=error.hint or "correct it",
                ) from error
        return self._specs[key]

    def prompt(self, record: Record) -> str:
        """The text that the model reads: the input, in the chat template if it is messages.

        Raises:
            TrainingError: there is no chat template.
        """
        if isinstance(record.input, str):
            return record.input
        if getattr(self._tokenizer, "chat_template", None) is None:
            raise TrainingError(
                "the input is chat messages, but the tokenizer has no chat template",
                at=record.place,
                hint="give the input as a text, or use a model made for chats",
            )
        return str(
            self._tokenizer.apply_chat_template(
                list(record.input), tokenize=False, add_generation_prompt=True
            )
        )

    def walk(self, record: Record, *, masks: bool) -> Walked:
        """Tokens of a record, with what its grammar says about each.

        Args:
            record: the record.
            masks: whether to keep the mask at each target.

        Raises:
            TrainingError: the output is not legal; says where, and what was expected.

        Cost: a mask for each target token that is not forced, tens of microseconds each.
        """
        prompt = tuple(self._encode(self.prompt(record)))
        target = (*self._tokenizer.encode(record.output, add_special_tokens=False), self.end)
        words = -(-len(self.vocabulary) // 32)
        rows = np.full((len(target), words), -1, np.int32) if masks else None
        forced = np.zeros(len(target), bool)
        if record.kind:
            self._judge(record, target, rows, forced)
        return Walked(prompt, tuple(int(t) for t in target), forced, rows, record)

    def _judge(
        self,
        record: Record,
        target: Sequence[int],
        rows: NDArray[np.int32] | None,
        forced: NDArray[np.bool_],
    ) -> None:
        key = record.kind, record.grammar
        spec = self.spec(record)
        assert spec is not None
        if key not in self._compiled:
            self._compiled[key] = compile_grammar(spec.grammar, self.vocabulary)
        matcher = self._compiled[key].matcher()
        ahead = b""
        for at, token in enumerate(target):
            piece = self.vocabulary.tokens[token] or b""
            ahead = ahead or matcher.forced_text()
            forced[at] = bool(piece) and ahead.startswith(piece)
            if rows is not None or not forced[at]:
                row = matcher.mask()
                if rows is not None:
                    rows[at] = row
                if not forced[at]:
                    forced[at] = int(np.unpackbits(row.view(np.uint8)).sum()) == 1
            ahead = ahead[len(piece) :] if piece and ahead.startswith(piece) else b""
            try:
                matcher.accept(token)
            except TokenRejected as error:
                raise self._illegal(record, matcher, at, target) from error

    def _illegal(
        self, record: Record, matcher: Any, at: int, target: Sequence[int]
    ) -> TrainingError:
        done = matcher.text.decode("utf-8", "replace")
        expected = ", ".join(matcher.expected()[:6])
        rest = record.output[len(done) : len(done) + 20]
        shown = f"{rest!r}" if target[at] != self.end else "its end"
        return TrainingError(
            f"the output is not legal: after {done[-40:]!r} comes {shown}",
            at=record.place,
            hint=f"expected is {expected}" if expected else "nothing may follow there",
        )


def legal(spec: Spec, text: str, compiled: dict[int, CompiledGrammar]) -> bool:
    """Whether a text is one of a specification's; byte by byte, whatever the tokenizer.

    Args:
        spec: the specification.
        text: the text.
        compiled: grammars over bytes by the specification's identity; filled as needed.
    """
    from slm.vocab import byte_vocabulary

    if id(spec) not in compiled:
        compiled[id(spec)] = compile_grammar(spec.grammar, byte_vocabulary())
    matcher = compiled[id(spec)].matcher()
    try:
        for byte in text.encode():
            matcher.accept(byte)
    except TokenRejected:
        return False
    return bool(matcher.is_complete())


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a JSON value: each leaf with its path; places in lists do not count.

    >>> sorted(leaves({"name": "Ada", "born": [1815]}))
    [('/born/*', '1815'), ('/name', '"Ada"')]
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}/{key}")
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, f"{path}/*")
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def _spec(kind: str, rule: Any) -> Spec:
    if kind == "schema":
        from slm.schema import compile_schema

        return Spec("json_schema", compile_schema(rule, whitespace="compact").grammar, json.loads)
    if kind == "lark":
        from slm.syntax import compile_lark

        return Spec("lark", compile_lark(rule).grammar, str)
    from slm.syntax import compile_choice, compile_regex

    if kind == "regex":
        return Spec("regex", compile_regex(rule), str)
    return Spec("choice", compile_choice(rule), str)
