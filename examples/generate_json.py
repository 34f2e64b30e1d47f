"""JSON that always follows its schema, streamed while it is written.

    python examples/generate_json.py [MODEL_FOLDER]

Without a folder the small model that comes with slm is used. It was trained to extract triples, not
to fill in forms, so what it writes is of no use; but it is valid, whatever the model.
"""

import argparse

import slm

FILM = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": 30},
        "year": {"type": "integer", "minimum": 1888, "maximum": 2030},
        "genre": {"enum": ["comedy", "crime", "drama", "science fiction"]},
        "cast": {"type": "array", "items": {"type": "string", "maxLength": 20}, "maxItems": 2},
    },
    "required": ["title", "year", "genre", "cast"],
    "additionalProperties": False,
}


def main(model_folder: str | None = None) -> None:
    """Print one film as it grows, then three sampled ones in a batch."""
    model = slm.load(model_folder)
    generate = slm.Generator(model, slm.json_schema(FILM, whitespace="compact"))
    prompt = "text: Heat is a crime film of 1995 by Michael Mann with Al Pacino.\nfilm: "

    shown = None
    for event in generate.stream(prompt):
        if event.partial != shown:
            shown = event.partial
            print(shown)
    out = event.generation
    assert out is not None
    forced, steps = out.stats.forced_tokens, len(out.trace)
    print(f"{forced} of {steps} tokens were forced and cost the model nothing.\n")

    for out in generate([prompt] * 3, temperature=0.8, top_p=0.95, seed=[1, 2, 3]):
        print(out.value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("model_folder", nargs="?")
    main(parser.parse_args().model_folder)
