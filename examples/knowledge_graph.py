"""A graph bounds what may be extracted: known names keep their types, and facts join the prompt.

    python examples/knowledge_graph.py

Needs networkx (pip install 'slm[knowledge]'). The mask is asked directly, so no model is run.
"""

import argparse
import json

import networkx as nx

import slm
from slm.vocab import byte_vocabulary

argparse.ArgumentParser(usage=__doc__).parse_args()  # none but --help

graph = nx.MultiDiGraph(name="pharmacy")
graph.add_node("D1", label="aspirin", type="drug", aliases=["acetylsalicylic acid"])
graph.add_node("D2", label="warfarin", type="drug")
graph.add_node("C1", label="bleeding", type="condition")
graph.add_edge("D2", "C1", relation="causes")
graph.add_edge("D1", "D2", relation="interacts with")

pharmacy = slm.Knowledge.load(graph)
spec = pharmacy.triples("With warfarin, acetylsalicylic acid raises the risk of bleeding.")
print(spec.prompt)

matcher = slm.compile(spec, byte_vocabulary()).matcher()
causes_from = b'{"triples":[{"relation":"causes","subject":{"text":"'
for byte in causes_from:
    matcher.accept(byte)


def allows(name: str) -> bool:
    """Whether this name can be the subject of `causes`, which must be a drug."""
    trial = matcher.fork()
    try:
        for byte in f'{name}","type":"drug"'.encode():
            trial.accept(byte)
    except slm.errors.TokenRejected:
        return False
    return True


for name in ("warfarin", "acetylsalicylic acid", "the risk", "bleeding", "aspirin", "warf"):
    print(f"{name!r:25} {'may' if allows(name) else 'may not'} be a drug here")

said = {
    "relation": "interacts with",
    "subject": {"text": "acetylsalicylic acid", "type": "drug"},
    "object": {"text": "warfarin", "type": "drug"},
}
for triple in spec.parse(json.dumps({"triples": [said]})):
    print(triple, "is about", triple.subject.entity, "and", triple.object.entity)
