"""Random valid instances of a schema: walks through its masks, byte by byte."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from slm.errors import UsageError
from slm.mask import Matcher, compile_grammar
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary

_WORDS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")
_QUOTE = ord('"')


def samples(
    schema: dict[str, Any] | bool | str,
    count: int,
    *,
    seed: int | None = None,
    size: int = 200,
    **options: Any,
) -> Iterator[str]:
    """Random JSON texts of valid values: every one is valid, every branch is taken at times.

    Args:
        schema: a dict, a boolean or JSON text.
        count: how many; the same one may come twice.
        seed: of the random choices; None for new ones each time.
        size: about the most bytes of a text; more where the shortest valid value needs them.
        options: those of `compile_schema`; `whitespace` is "compact" unless it is given.

    Raises:
        UsageError: `count` is negative, or `size` below 1.
        SlmError: what `compile_schema` raises.

    Cost: compiling once; then some ten microseconds a byte, more near the end of the budget.

    >>> list(samples({"enum": ["a"]}, 2))
    ['"a"', '"a"']
    """
    if count < 0 or size < 1:
        raise UsageError(
            f"count={count}, size={size} is out of range", hint="use count ≥ 0 and size ≥ 1"
        )
    options.setdefault("whitespace", "compact")
    compiled = compile_grammar(compile_schema(schema, **options).grammar, byte_vocabulary())
    rng = random.Random(seed)
    for _ in range(count):
        yield _walk(compiled.matcher(), rng, size)


def shortest(schema: dict[str, Any] | bool | str, **options: Any) -> str:
    """A shortest valid JSON text, without whitespace; arguments as for `samples`.

    Cost: below a second for 60 bytes of a free string; a minute and more for hundreds of them.

    >>> shortest({"type": "array", "minItems": 2})
    '[0,0]'
    """
    options.setdefault("whitespace", "compact")
    compiled = compile_grammar(compile_schema(schema, **options).grammar, byte_vocabulary())
    matcher = compiled.matcher()
    for left in range(matcher.min_tokens().tokens, 0, -1):
        matcher.accept(next(token for token in matcher.allowed(left) if token < 256))
    return matcher.text.decode()


def _walk(matcher: Matcher, rng: random.Random, size: int) -> str:
    left = max(size, 2 * matcher.min_tokens().tokens)
    end = matcher.compiled.vocabulary.eos_ids[0]
    while left:
        allowed = matcher.allowed(left)
        token = _chosen(allowed, end, rng)
        if token == end:
            break
        matcher.accept(token)
        left -= 1
    return matcher.text.decode()


def _chosen(allowed: list[int], end: int, rng: random.Random) -> int:
    """One of the bytes, mostly such as people write; the end at times, where it is allowed."""
    if end in allowed and (len(allowed) == 1 or rng.random() < 0.4):
        return end
    texts = [token for token in allowed if token != end]
    plain = [token for token in texts if 0x20 <= token < 0x7F and token != 0x5C]
    words = [token for token in plain if token in _WORDS]
    if len(words) > 30:  # inside a free string
        if _QUOTE in plain and rng.random() < 0.25:
            return _QUOTE
        return rng.choice(words if rng.random() < 0.9 else plain)
    return rng.choice(plain or texts)
