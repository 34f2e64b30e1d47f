"""Front ends for texts of a fixed form: Lark grammars, regular expressions, choices."""

from slm.syntax.choice import compile_choice
from slm.syntax.lark import CompiledLark, compile_lark
from slm.syntax.regex import compile_regex

__all__ = ["CompiledLark", "compile_choice", "compile_lark", "compile_regex"]
