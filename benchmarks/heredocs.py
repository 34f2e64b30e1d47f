"""Masks while a heredoc is written: a word, a body, the word again.

``python -m benchmarks.heredocs TOKENIZER`` prints, for words of several lengths, the milliseconds
of processor time that masks take which are met for the first time: in the word, and behind it.
"""

from __future__ import annotations

import sys
import time

from slm.mask import compile_grammar
from slm.syntax import compile_lark
from slm.vocab import Vocabulary

GRAMMAR = r"""
start: (NAME "=" (NAME | HEREDOC))*
NAME: /[a-zA-Z_][a-zA-Z0-9_-]*/
HEREDOC: /<<(?P<end>[a-zA-Z][a-zA-Z0-9._\-]+)\n(?:.|\n)*?(?P=end)/
%ignore /[ \n]+/
"""
WORDS = (b"EOT", b"END_OF_FILE", b"my-long.identifier-for-heredocs")


def longest_tokens(text: bytes, vocabulary: Vocabulary) -> list[int]:
    """The text cut into the longest tokens that there are."""
    numbers = {data: number for number, data in enumerate(vocabulary.tokens) if data is not None}
    found = []
    while text:
        size = next(size for size in range(min(len(text), 64), 0, -1) if text[:size] in numbers)
        found.append(numbers[text[:size]])
        text = text[size:]
    return found


def main() -> None:
    """Print one row a word."""
    vocabulary = Vocabulary.from_hf(sys.argv[1])
    compiled = compile_grammar(compile_lark(GRAMMAR).grammar, vocabulary)
    for word in WORDS:
        matcher = compiled.matcher()
        parts = (b"x = <<", word, b"\nsome text\nand more\n" + word + b"\n")
        row = []
        for part in parts:
            times = []
            for token in longest_tokens(part, vocabulary):
                begun = time.thread_time()
                matcher.mask()
                times.append((time.thread_time() - begun) * 1e3)
                matcher.accept(token)
            row.append(f"{max(times):.1f}")
        print(f"{word.decode()}: at most {row[1]} in the word, {row[2]} behind it")


if __name__ == "__main__":
    main()
