"""Logits and masks in, tokens out: sampling, forced tokens, budgets, batches, streaming."""

from slm.decode.generation import Generation, GenerationStats, Step
from slm.decode.generator import Generator, StreamEvent
from slm.decode.loop import Progress, Request, decode
from slm.decode.partial import partial_value
from slm.decode.protocol import LanguageModel, Logits, MaskedSession, Session
from slm.decode.sampling import Pick, Sampler, Sampling
from slm.decode.spec import Spec, Specification, compile_spec

__all__ = [
    "Generation",
    "GenerationStats",
    "Generator",
    "LanguageModel",
    "Logits",
    "MaskedSession",
    "Pick",
    "Progress",
    "Request",
    "Sampler",
    "Sampling",
    "Session",
    "Spec",
    "Specification",
    "Step",
    "StreamEvent",
    "compile_spec",
    "decode",
    "partial_value",
]
