"""A budget of tokens that is always enough: the output ends whole, however short it has to be.

    python examples/token_budget.py

The model here is a script that would go on for ever; with a real one, `slm.load(folder)`.
"""

import argparse

import slm
from slm.errors import BudgetTooSmall
from slm.models import scripted
from slm.vocab import byte_vocabulary

argparse.ArgumentParser(usage=__doc__).parse_args()  # none but --help

# A model that never comes to an end by itself; its tokens are single bytes.
chatty = scripted(byte_vocabulary(), '{"title":"' + "a very long story " * 100)
spec = slm.json_schema(
    {
        "type": "object",
        "properties": {"title": {"type": "string"}, "seen": {"type": "boolean"}},
        "required": ["title", "seen"],
        "additionalProperties": False,
    },
    whitespace="compact",
)
generator = slm.Generator(chatty, spec)
for budget in (60, 40, 24):
    out = generator("A film: ", max_tokens=budget)
    print(f"{budget:>3} tokens allowed, {len(out.tokens)} used: {out.text}")

# The same by hand: a minimum from any place in a text, and masks that keep to it.
matcher = slm.compile(spec, byte_vocabulary()).matcher()
print("the shortest output:", matcher.min_tokens().tokens, "tokens")
for byte in b'{"title":"Up':
    matcher.accept(byte)
print("after", matcher.text.decode(), "-", matcher.min_tokens())
print("with 14 left:", [chr(token) for token in matcher.allowed(budget=14)])

try:
    generator("A film: ", max_tokens=20)
except BudgetTooSmall as error:
    print(error)
