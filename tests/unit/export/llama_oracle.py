"""Run by a Python that has llama-cpp-python: tokens and logits of a GGUF file, as JSON.

    python llama_oracle.py FILE < request.json > answer.json

The request is {"texts": [text], "prompt": [id]}, the answer {"tokens": [[id]], "logits":
[[number]]}, with one row of logits for each token of the prompt. Keys and values are float32.
"""

import json
import os
import sys


def main() -> None:
    """Load, ask, answer."""
    import llama_cpp

    request = json.load(sys.stdin)
    out = os.dup(1)
    os.dup2(2, 1)  # llama.cpp writes on the standard output as well
    model = llama_cpp.Llama(
        sys.argv[1],
        n_ctx=256,
        n_threads=1,
        logits_all=True,
        verbose=False,
        type_k=llama_cpp.GGML_TYPE_F32,
        type_v=llama_cpp.GGML_TYPE_F32,
    )
    tokens = [
        model.tokenize(text.encode(), add_bos=False, special=True) for text in request["texts"]
    ]
    model.eval(request["prompt"])
    rows = [[float(x) for x in row] for row in model.scores[: len(request["prompt"])]]
    answer = json.dumps({"tokens": tokens, "logits": rows})
    os.write(out, answer.encode())


if __name__ == "__main__":
    main()
