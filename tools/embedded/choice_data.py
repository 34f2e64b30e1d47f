"""Write a corpus folder to choose models on: the validation split without the test sentences.

The card's scores are on 300 validation sentences drawn by seed 0. `slm merge --greedy` draws by the
same seed, so on the whole split it would choose by the test sentences themselves. This folder has
the rest of the split: no record whose text is a test sentence or one of the training split.

    python tools/embedded/choice_data.py DATA_FOLDER CHOICE_FOLDER
"""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path

from slm.train.evaluate import sample_sentences
from slm.train.files import write_bytes

TEST_SENTENCES, TEST_SEED = 300, 0
TRAIN, HELD_OUT, ONTOLOGIES = "train.jsonl.xz", "validation.jsonl.xz", "ontologies"


def main(data: Path, output: Path, tests: int = TEST_SENTENCES) -> None:
    """Leave the test sentences out, and write the folder."""
    _, rest, test = sample_sentences(
        data,
        train=TRAIN,
        held_out=HELD_OUT,
        ontologies=ONTOLOGIES,
        size=tests,
        seed=TEST_SEED,
    )
    texts = {sentence.text for sentence in test}
    allowed = {sentence.text for sentence in rest} - texts
    lines = lzma.decompress((data / HELD_OUT).read_bytes()).decode().splitlines()
    kept = [line for line in lines if json.loads(line)["text"] in allowed]
    write_bytes(output / HELD_OUT, lzma.compress(("\n".join(kept) + "\n").encode()))
    write_bytes(output / TRAIN, (data / TRAIN).read_bytes())
    for file in sorted((data / ONTOLOGIES).glob("*.json")):
        write_bytes(output / ONTOLOGIES / file.name, file.read_bytes())
    print(f"{len(test)} test sentences left out, {len(allowed)} to choose on, in {output}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
