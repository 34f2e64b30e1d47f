"""Masks of a real decoding, for `kernels.py`: a JSON document under its schema, step by step.

    python benchmarks/kernel_masks.py masks.npz [--vocabulary NAME …]

For each vocabulary (a tokenizer's path, "synthetic:N" or "bytes") the document is tokenized, and
the native engine's bitmask before each token is kept: int32 (steps, words), under the size of the
vocabulary. Machines without slm's engine get them as this file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.vocabularies import SHARED

TOKENIZERS = ("phi3", "llama3", "qwen2")
FALLBACK = ("synthetic:32000", "synthetic:128256", "synthetic:151936")
SCHEMA = {
    "type": "object",
    "properties": {
        "invoice": {"type": "string", "pattern": "^INV-[0-9]{6}$"},
        "customer": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 60},
                "email": {"type": "string", "maxLength": 60},
                "country": {"enum": ["AT", "CH", "DE", "FR", "IT"]},
            },
            "required": ["name", "email", "country"],
            "additionalProperties": False,
        },
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "title": {"type": "string", "maxLength": 80},
                    "count": {"type": "integer", "minimum": 1},
                    "price": {"type": "number"},
                    "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 4},
                },
                "required": ["title", "count", "price", "tags"],
                "additionalProperties": False,
            },
        },
        "paid": {"type": "boolean"},
        "note": {"type": ["string", "null"]},
    },
    "required": ["invoice", "customer", "items", "paid", "note"],
    "additionalProperties": False,
}
DOCUMENT = {
    "invoice": "INV-204817",
    "customer": {"name": "Ada Byron", "email": "ada@analytical.example", "country": "AT"},
    "items": [
        {"title": "Brass gears, set of twelve", "count": 3, "price": 41.5, "tags": ["brass"]},
        {"title": "Punched cards", "count": 2000, "price": 0.02, "tags": ["paper", "loom"]},
    ],
    "paid": False,
    "note": "Please deliver to the workshop behind the house, after nine in the morning.",
}


def vocabularies() -> list[str]:
    """Real tokenizers where the shared data is, made ones for the rest."""
    folders = [SHARED / "tokenizers" / name for name in TOKENIZERS]
    found = [
        str(folder) if folder.exists() else made
        for folder, made in zip(folders, FALLBACK, strict=True)
    ]
    return [*found, "synthetic:262144"]


def walk(name: str) -> NDArray[np.int32]:
    """The masks before each token of the document, int32 (steps, words)."""
    import slm
    from benchmarks.vocabularies import encoder, tokenizer_file, words_of

    made = words_of(name)
    if made is None:
        vocabulary = slm.Vocabulary.from_hf(tokenizer_file(name))
    else:
        tokens: list[bytes | None] = [*made.tokens[:-1], None]
        vocabulary = slm.Vocabulary.from_bytes(tokens, eos_ids=[made.end])
    matcher = slm.compile(slm.json_schema(SCHEMA, whitespace="compact"), vocabulary).matcher()
    text = json.dumps(DOCUMENT, separators=(",", ":"))
    rows = []
    for token in vocabulary.tokenize(text) if made is None else encoder(name)(text):
        row = np.zeros((1, vocabulary.words), np.int32)
        matcher.fill_mask(row, 0)
        rows.append(row[0])
        matcher.accept(token)
    return np.stack(rows)


def masks(names: list[str]) -> dict[str, NDArray[np.int32]]:
    """The walks of several vocabularies, under the numbers of ids their words hold."""
    made = [walk(name) for name in names]
    return {str(rows.shape[1] * 32): rows for rows in made}


def density(rows: NDArray[np.int32]) -> NDArray[np.float64]:
    """The share of ids that each mask allows."""
    bits = np.unpackbits(rows.view(np.uint8), axis=1).sum(1)
    return np.asarray(bits / (rows.shape[1] * 32), np.float64)


def main() -> None:
    """Write the file and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--vocabulary", action="append", help="a path, synthetic:N or bytes")
    arguments = parser.parse_args()
    found = masks(arguments.vocabulary or vocabularies())
    np.savez_compressed(arguments.file, **found)
    for size, rows in found.items():
        share = np.percentile(density(rows), [10, 50, 75]) * int(size)
        print(f"{size} ids, {len(rows)} steps; legal ids at p10, p50, p75: {share.astype(int)}")


if __name__ == "__main__":
    main()
