"""A grammar inside transformers' own `generate`, for people who call it themselves.

    python examples/logits_processor.py [MODEL_FOLDER]

Each row of the batch may have its own grammar; sampling, padding and beams stay transformers'.
"""

import argparse
from typing import Any

import slm
from slm.models.transformers import GrammarLogitsProcessor, load_folder


def main(model_folder: str | None = None) -> None:
    """Generate a date and an answer in one batch, then the date by beam search."""
    loaded = load_folder(model_folder) if model_folder else slm.load()
    model, tokenizer = loaded.model, loaded.tokenizer
    date = slm.compile(slm.regex("(19|20)[0-9]{2}-(0[1-9]|1[0-2])-[0-3][0-9]"), loaded.vocabulary)
    answer = slm.compile(slm.choice(["yes", "no", "perhaps"]), loaded.vocabulary)

    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.padding_side = "left"
    prompts = ["text: Heat came out on 15 December 1995.\ndate: ", "Is Heat a film? "]
    inputs = tokenizer(prompts, return_tensors="pt", padding=True, return_token_type_ids=False)
    end = tokenizer.eos_token_id

    def show(ids: Any) -> None:
        for row in ids[:, inputs["input_ids"].shape[1] :]:
            print(tokenizer.decode(row, skip_special_tokens=True))

    processor = GrammarLogitsProcessor([date, answer])
    show(
        model.generate(**inputs, logits_processor=[processor], max_new_tokens=24, pad_token_id=end)
    )

    processor = GrammarLogitsProcessor(date, num_beams=4)
    show(
        model.generate(
            **inputs,
            logits_processor=[processor],
            max_new_tokens=24,
            num_beams=4,
            pad_token_id=end,
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("model_folder", nargs="?")
    main(parser.parse_args().model_folder)
