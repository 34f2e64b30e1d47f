"""A grammar inside `model.generate` of transformers, for those who have that loop already.

python examples/model_generate.py [MODEL_FOLDER]
"""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

import slm
from slm.models.embedded import folder
from slm.models.logits_processor import GrammarLogitsProcessor

path = sys.argv[1] if len(sys.argv) > 1 else folder()
tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
model = AutoModelForCausalLM.from_pretrained(path, local_files_only=True)

spec = slm.json_schema(
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "rain": {"type": "boolean"}},
        "required": ["city", "rain"],
        "additionalProperties": False,
    },
    whitespace="compact",
)
compiled = slm.compile(spec, slm.Vocabulary.from_hf(tokenizer))

inputs = tokenizer("The weather: ", return_tensors="pt", return_token_type_ids=False)
output = model.generate(
    **inputs,
    max_new_tokens=60,
    do_sample=False,
    pad_token_id=compiled.vocabulary.eos_ids[0],
    logits_processor=[GrammarLogitsProcessor(compiled)],  # a new one for every call of generate
)
new = output[0, inputs["input_ids"].shape[1] :]
print(spec.parse(tokenizer.decode(new, skip_special_tokens=True)))
