"""Token masks: a grammar over a vocabulary, one matcher a sequence."""

from slm.folders import table_folder, use_table_folder
from slm.mask.batch import fill_masks
from slm.mask.compile import compile_grammar, native_available, save_tables
from slm.mask.compiled import CompiledGrammar
from slm.mask.matcher import Matcher, MinTokens
from slm.mask.refusal import Expectation, Refusal
from slm.mask.session import Engine, Session
from slm.mask.stats import SharedStats, Stats
from slm.mask.verify import ChainVerdict, TreeVerdict

__all__ = [
    "ChainVerdict",
    "CompiledGrammar",
    "Engine",
    "Expectation",
    "Matcher",
    "MinTokens",
    "Refusal",
    "Session",
    "SharedStats",
    "Stats",
    "TreeVerdict",
    "compile_grammar",
    "fill_masks",
    "native_available",
    "save_tables",
    "table_folder",
    "use_table_folder",
]
