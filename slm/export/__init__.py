"""Models in the formats of other runtimes.

`export_gguf` writes the single file that llama.cpp and what is built on it read. Only what can be
written exactly is written; the rest is refused by name.
"""

from slm.export.gguf import Exported, export_gguf

__all__ = ["Exported", "export_gguf"]
