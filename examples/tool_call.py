"""A tool call whose arguments are a JSON document inside of a string, and enforced there.

    python examples/tool_call.py [MODEL_FOLDER]

Without a folder the small model that comes with slm is used: the call is well formed and fits the
tool, whatever the model; a chat model also makes sense.
"""

import argparse

from pydantic import BaseModel, Field, Json

import slm


class Forecast(BaseModel):
    """What the tool wants to know."""

    city: str = Field(pattern="^[A-Z][a-z]{2,11}$")
    days: int = Field(ge=1, le=14)


class Call(BaseModel):
    """What chat interfaces exchange: the arguments are a string."""

    name: str = Field(pattern="^get_forecast$")
    arguments: Json[Forecast]


def main(model_folder: str | None = None) -> None:
    """Print a call, as text and as what is in it."""
    model = slm.load(model_folder)
    generate = slm.Generator(model, slm.json_schema(Call, whitespace="compact"))
    out = generate("text: Will it rain in Ulm this week?\ncall: ", max_tokens=120)
    print(out.text)
    print(out.value.arguments)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("model_folder", nargs="?")
    main(parser.parse_args().model_folder)
