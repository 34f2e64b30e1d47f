"""A model bound to a specification: prompts in, finished outputs out."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Literal, overload

from typing_extensions import TypeIs

from slm.decode.generation import Generation, Step
from slm.decode.loop import Masking, Progress, Request, decode
from slm.decode.partial import partial_value
from slm.decode.protocol import LanguageModel
from slm.decode.sampling import Sampling, check_seed
from slm.decode.spec import AnySpec, compile_spec
from slm.errors import BudgetTooSmall, InvalidValue, Place, SlmError, UsageError
from slm.grammar.ir import Grammar

_utf8_decoder = getincrementaldecoder("utf-8")


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One advance of an output under way.

    Attributes:
        text: all text so far, in whole characters.
        delta: what this event added to it.
        tokens: the new token ids.
        generation: the finished output, in the last event; None before.
        is_json: whether `partial` can say something.
    """

    text: str
    delta: str
    tokens: tuple[int, ...]
    generation: Generation | None = None
    is_json: bool = False

    @property
    def partial(self) -> Any:
        """The JSON value so far, open strings and containers closed; None when unknown."""
        return partial_value(self.text) if self.is_json else None


class Generator:
    """A model bound to a specification; call it with a prompt, or with a list of prompts.

    Args:
        model: from `load`, or any `LanguageModel`.
        spec: what the output must look like; a list of them (None: free text) serves a batch of as
            many prompts; None for free text.
        whole: outputs are complete whatever the budget: near its end only tokens are allowed after
            which the output can still be finished; a budget below the shortest output is an error
            before anything runs. False: the budget ends the output wherever it is. None: True with
            the native engine, unless unfinished outputs are asked for with `on_incomplete`.
        on_incomplete: without `whole`, what happens when the budget ends before the output is
            complete: "error" raises BudgetTooSmall, "return" gives the unfinished text with value
            None.
        batch_size: of a longer list of prompts, so many go through the model at a time; it bounds
            memory and changes no output.
        masking: "always" makes the mask of every token. "opportunistic" lets the model choose
            without one, and makes it only where the choice is not legal: outputs have the same
            distribution (at temperature 0 they are the same), but for equal seeds they are others,
            and steps taken without a mask do not know how many tokens were legal. Masks of the
            native engine cost less than choosing a token does, hence the default; the other pays
            where masks are slow (the reference engine, a grammar at its worst) and choices mostly
            legal. With `top_k` or `top_p` every token needs its mask all the same.
        likelihoods: the trace has each chosen token's log-probability under the unmasked model, and
            the probability that the model gave to all legal tokens. That takes every logit of every
            step. False: the two are None, and a model that can leaves out the logits that the mask
            forbids, which changes no output (but see `slm.models.head` on rounding).

    Immutable, and safe to share between threads if the model is.

    >>> from slm.models import scripted
    >>> from slm.vocab import byte_vocabulary
    >>> model = scripted(byte_vocabulary(), "1999-01-31")
    >>> import slm
    >>> slm.Generator(model, slm.regex(r"[0-9]{4}-[0-9]{2}"))("When?").text
    '1999-01'
    """

    def __init__(
        self,
        model: LanguageModel,
        spec: AnySpec | Sequence[AnySpec | None] | None = None,
        *,
        whole: bool | None = None,
        on_incomplete: Literal["error", "return"] = "error",
        batch_size: int = 32,
        masking: Masking = "always",
        likelihoods: bool = False,
    ) -> None:
        if on_incomplete not in ("error", "return"):
            raise UsageError(
                f"on_incomplete={on_incomplete!r} is not known", hint='use "error" or "return"'
            )
        if masking not in ("always", "opportunistic"):
            raise UsageError(
                f"masking={masking!r} is not known", hint='use "always" or "opportunistic"'
            )
        if batch_size < 1:
            raise UsageError(
                f"batch_size={batch_size!r} is out of range", hint="batch_size must be 1 or above"
            )
        if not hasattr(model, "session"):
            raise UsageError(
                f"a {type(model).__name__} is not a language model",
                hint="load one: slm.Generator(slm.load(folder), spec)",
            )
        self.model = model
        self.spec = spec
        self.whole = whole
        self.on_incomplete = on_incomplete
        self.batch_size = batch_size
        self.masking: Masking = masking
        self.likelihoods = likelihoods
        self._specs: list[AnySpec | None] = list(spec) if _is_list(spec) else [spec]
        self._compiled = [
            None if one is None else compile_spec(one, model.vocabulary) for one in self._specs
        ]

    @overload
    def __call__(
        self,
        prompt: str | None = None,
        *,
        max_tokens: int = 256,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int | Sequence[int] | None = 0,
    ) -> Generation: ...

    @overload
    def __call__(
        self,
        prompt: list[str] | tuple[str, ...],
        *,
        max_tokens: int = 256,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int | Sequence[int] | None = 0,
    ) -> list[Generation]: ...

    def __call__(
        self,
        prompt: str | Sequence[str] | None = None,
        *,
        max_tokens: int = 256,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int | Sequence[int] | None = 0,
    ) -> Generation | list[Generation]:
        """Generate one output, or one for each prompt of a list.

        Args:
            prompt: a text, or a list of them; None for the prompt that the specification brings.
            max_tokens: the most tokens of an output, forced ones included. Less where the model's
                context ends before. See `whole` for what happens near the end of it.
            temperature: see `slm.decode.Sampling`, as the four after it.
            top_k: see there.
            top_p: see there.
            min_p: see there.
            repetition_penalty: see there.
            seed: equal seeds give equal outputs, whatever the batch; a list gives each prompt its
                own; None for new ones.

        Raises:
            PromptTooLong: a prompt fills the model's context.
            BudgetTooSmall: no output fits into the budget; or, without `whole`, one was not
                complete when its budget ended: the error's `partial` is the output so far.
            InvalidSampling: a sampling argument out of its range.
            InvalidValue: the text is right, but the user's type refuses its value.
            UsageError: lists of different lengths, or no prompt.
        """
        sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty)
        many = _is_list(prompt) or len(self._specs) != 1 or _is_list(self.spec)
        rows = self._rows(prompt, max_tokens, sampling, seed)
        outputs: dict[int, Generation] = {}
        for row, event in self._events(rows):
            if event.generation is not None:
                outputs[row] = event.generation
        results = [outputs[row] for row in range(len(rows))]
        return results if many else results[0]

    def stream(
        self,
        prompt: str | None = None,
        *,
        max_tokens: int = 256,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int | None = 0,
    ) -> Iterator[StreamEvent]:
        """Generate one output and report it while it grows; the last event has the `Generation`.

        Arguments and errors are those of calling the generator.
        """
        if _is_list(prompt) or _is_list(self.spec):
            raise UsageError(
                "a stream has one prompt and one specification",
                hint="call the generator for batches, or stream from several generators",
            )
        sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty)
        rows = self._rows(prompt, max_tokens, sampling, seed)
        return (event for _, event in self._events(rows))

    def _rows(
        self,
        prompt: str | Sequence[str] | None,
        max_tokens: int,
        sampling: Sampling,
        seed: int | Sequence[int] | None,
    ) -> list[_Job]:
        specs, compiled = self._specs, self._compiled
        given: list[Any]
        if prompt is None:
            given = [getattr(spec, "prompt", None) for spec in specs]
        else:
            given = list(prompt) if _is_list(prompt) else [prompt]
        if not hasattr(max_tokens, "__index__"):
            raise UsageError(
                f"max_tokens is of type {type(max_tokens).__name__}",
                hint="max_tokens must be a whole number, 1 or above",
            )
        prompts = [_prompt(one) for one in given]
        if not _is_list(self.spec):
            specs, compiled = specs * len(prompts), compiled * len(prompts)
        _same_length("specification", len(specs), len(prompts))
        whole = False if self.whole is None and self.on_incomplete == "return" else self.whole
        seeds = [seed] * len(prompts) if not _is_list(seed) else list(seed)
        _same_length("seed", len(seeds), len(prompts))
        return [
            _Job(
                spec,
                Request(
                    prompt=tuple(self.model.encode(text)),
                    matcher=None if one is None else one.matcher(),
                    max_tokens=max_tokens,
                    sampling=sampling,
                    seed=check_seed(number),
                    masking=self.masking,
                    whole=whole,
                    likelihoods=self.likelihoods,
                ),
            )
            for spec, one, text, number in zip(specs, compiled, prompts, seeds, strict=True)
        ]

    def _events(self, jobs: list[_Job]) -> Iterator[tuple[int, StreamEvent]]:
        requests = [job.request for job in jobs]
        for progress in decode(self.model, requests, batch_size=self.batch_size):
            job = jobs[progress.row]
            job.steps.extend(progress.steps)
            done = progress.finish_reason is not None
            text = _utf8_decoder("replace").decode(progress.text, final=done)
            delta, job.text = text[len(job.text) :], text
            generation = self._finish(job, progress) if done else None
            ends = self.model.vocabulary.eos_ids
            tokens = tuple(s.token_id for s in progress.steps if s.token_id not in ends)
            yield progress.row, StreamEvent(text, delta, tokens, generation, job.is_json)

    def _finish(self, job: _Job, progress: Progress) -> Generation:
        assert progress.finish_reason is not None
        ends = self.model.vocabulary.eos_ids
        generation = Generation(
            job.text,
            job.parse(progress) if progress.complete or job.spec is None else None,
            tuple(step.token_id for step in job.steps if step.token_id not in ends),
            tuple(job.steps),
            progress.finish_reason,
            progress.complete,
            progress.stats,
            job.tree() if progress.complete else None,
        )
        if progress.complete or job.spec is None or self.on_incomplete == "return":
            return generation
        used = len(generation.tokens)
        context = used < job.request.max_tokens
        raise BudgetTooSmall(
            f"the output is not complete after {used} tokens, where "
            + (
                f"the model's context of {self.model.context_length} tokens ends"
                if context
                else f"max_tokens={job.request.max_tokens} ends it"
            ),
            partial=generation,
            at=Place(f"prompt {progress.row}"),
            hint=("shorten the prompt" if context else "raise max_tokens")
            + ', or take unfinished texts with on_incomplete="return"',
        )


@dataclass(slots=True)
class _Job:
    """One row of a generator's batch, and what came of it so far."""

    spec: AnySpec | None
    request: Request
    text: str = ""
    steps: list[Step] = field(default_factory=list)

    @property
    def is_json(self) -> bool:
        return bool(getattr(self.spec, "is_json", False))

    def tree(self) -> Callable[[], Any] | None:
        make = getattr(self.spec, "tree", None)
        return None if make is None else cache(partial(make, self.text))

    def parse(self, progress: Progress) -> Any:
        if self.spec is None or isinstance(self.spec, Grammar):
            return self.text
        try:
            return self.spec.parse(self.text)
        except SlmError:
            raise
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            raise InvalidValue(
                f"the output follows its grammar, but reading its value failed: {first}",
                text=self.text,
                at=Place(f"prompt {progress.row}"),
                hint="the type checks something that its JSON Schema does not say; the error's "
                "`text` has the output",
            ) from error


def _prompt(x: Any) -> str:
    if isinstance(x, str):
        try:
            x.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"the prompt holds U+{ord(x[error.start]):04X}, half of a surrogate pair and no "
                "character",
                at=Place(
                    "prompt",
                    x.count("\n", 0, error.start) + 1,
                    error.start - x.rfind("\n", 0, error.start),
                ),
                hint='decode the text properly, or replace it: text.encode("utf-8", "replace")',
            ) from None
        return x
    raise UsageError(
        "no prompt was given, and the specification brings none"
        if x is None
        else f"a prompt is a text, and this is of type {type(x).__name__}",
        hint="pass a prompt, or a list of prompts",
    )


def _is_list(x: object) -> TypeIs[Sequence[Any]]:
    return isinstance(x, Sequence) and not isinstance(x, (str, bytes))


def _same_length(what: str, count: int, prompts: int) -> None:
    if count != prompts:
        raise UsageError(
            f"{prompts} prompt{'s' * (prompts != 1)} for {count} {what}{'s' * (count != 1)}",
            hint=f"pass one {what} for each prompt, or a single one for all",
        )
