"""The small model learns to read contracts: LoRA on 72 of them, judged on 16 others.

    python examples/finetune_contracts.py [FOLDER]

The model that comes with slm knows sentences and triples, not contracts and not this schema. An
adapter of a few hundred thousand numbers teaches it to copy three fields: the document's name, the
date, and the first party. Tokens that the schema forces weigh a tenth in the loss. The table at the
end has the scores before and after, with the schema bound and without; the adapter is kept in
FOLDER if one is named. Data: excerpts of CUAD (CC BY 4.0), see examples/contracts/README.md.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

from slm.models.embedded import folder as embedded
from slm.train.finetune import FinetuneConfig, finetune, load_base
from slm.train.finetune_score import score_records
from slm.train.records import Record, read_records

DATA = Path(__file__).parent / "contracts"
SHORT = bool(os.environ.get("SLM_EXAMPLE_SHORT"))  # as the tests run it
STEPS, TRAINING, SCORED = (2, 4, 2) if SHORT else (80, 72, 16)
FIELDS = ("document", "date", "party")
SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string", "minLength": 1, "maxLength": 60} for name in FIELDS},
    "required": list(FIELDS),
    "additionalProperties": False,
}


def contracts(part: str, folder: Path, count: int) -> list[Record]:
    """Records as `slm finetune` reads them, by way of a file of its format."""
    lines = (DATA / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    with (folder / f"{part}.jsonl").open("w", encoding="utf-8") as file:
        for line in lines:
            row = json.loads(line)
            output = {name: row[name] for name in FIELDS}
            record = {"input": f"text: {row['text']}\ncontract: ", "output": output}
            file.write(json.dumps(record) + "\n")
    return read_records(folder / f"{part}.jsonl", schema=SCHEMA)


def main(folder: Path) -> None:
    """Score, train, score."""
    folder.mkdir(parents=True, exist_ok=True)
    train, test = contracts("train", folder, TRAINING), contracts("test", folder, SCORED)
    model, tokenizer, _ = load_base(embedded())
    rows = []
    for bound in (False, True):
        score, _ = score_records(model, tokenizer, test, constrained=bound, max_tokens=240)
        rows.append(("before", bound, score))
    config = FinetuneConfig(method="lora", rank=16, alpha=32, steps=STEPS, batch=min(8, TRAINING))
    tuned = finetune(embedded(), train, folder / "run", config)
    for bound in (False, True):
        score, outputs = score_records(
            tuned.model, tuned.tokenizer, test, constrained=bound, max_tokens=240
        )
        rows.append(("after", bound, score))
    for record, output in list(zip(test, outputs, strict=True))[:3]:
        print(f"{str(record.input)[6:90]}…\n  wanted {record.output}\n  read   {output}")
    print(f"\n{tuned.trained:,} numbers trained in {tuned.steps} steps, {tuned.seconds:.0f} s")
    print(f"{'':18} {'exact':>6} {'F1':>6} {'valid':>6}")
    for when, bound, score in rows:
        name = f"{when}, {'bound' if bound else 'free'}"
        print(f"{name:18} {score.exact:6.3f} {score.f1:6.3f} {score.valid:6.3f}")


parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("folder", nargs="?", type=Path)
folder = parser.parse_args().folder
if folder:
    main(folder)
else:
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
