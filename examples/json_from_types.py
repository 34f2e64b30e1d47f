"""Typed values from a model: pydantic classes in, objects of those classes out.

    python examples/json_from_types.py [MODEL_FOLDER]

The model that comes with slm only knows how to extract triples, so what it invents here makes no
sense; that every value is valid is the point. With a folder of a chat model it makes sense too.
"""

import argparse
from typing import Literal

from pydantic import BaseModel, Field

import slm

parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("model_folder", nargs="?")
model_folder = parser.parse_args().model_folder


class Line(BaseModel):
    """What was bought."""

    item: str = Field(pattern="^[a-z]{3,12}$")
    count: int = Field(ge=1, le=99)


class Order(BaseModel):
    """An order, as a shop sees it."""

    customer: str = Field(pattern="^[A-Z][a-z]{1,12}$")
    state: Literal["open", "paid", "sent"]
    lines: list[Line] = Field(min_length=1, max_length=3)


model = slm.load(model_folder) if model_folder else slm.load()

# Schemas are compiled once; "compact" leaves the model no white space to waste tokens on.
order = slm.json_schema(Order, whitespace="compact")
out = slm.Generator(model, order)("An order of tea and biscuits: ", max_tokens=200)
assert isinstance(out.value, Order)
print("one:   ", out.value)

# A batch may mix specifications, each row with its own.
date = slm.regex(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
answer = slm.choice(["yes", "no"])
for row in slm.Generator(model, [date, answer])(["Today is ", "Is tea hot? "], max_tokens=40):
    print("batch: ", row.value)

# While it is written: the text so far, and the value so far.
for event in slm.Generator(model, order).stream("Another order: ", max_tokens=200, temperature=0.8):
    if event.generation is not None:
        print("stream:", event.generation.value)

# How it came about: tokens without a choice were never asked for.
print("tokens:", out.stats.chosen_tokens, "chosen by the model,", out.stats.forced_tokens, "forced")
