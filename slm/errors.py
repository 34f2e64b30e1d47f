"""Every error the library raises: one class a cause, each with a code, a place and a hint.

An error says *what* is wrong, *where* (`Place`), and *what to do next* (the hint). `code` is unique
and stable, so programs can match on it; `tests/messages` has the whole text of each one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a spot in a text file, a JSON Pointer, or just a named thing.

    >>> print(Place("invoice.lark", line=1, column=13))
    invoice.lark:1:13
    >>> print(Place(pointer="/properties/age"))
    #/properties/age
    """

    source: str = ""
    line: int | None = None
    column: int | None = None
    pointer: str | None = None
    excerpt: str = ""  # the source line, shown with a caret under `column`
    width: int = 1  # how many columns the caret marks

    def __str__(self) -> str:
        if self.pointer is not None:
            return f"{self.source}#{self.pointer}"
        parts = [self.source or "<text>"]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)

    def show(self) -> str:
        """The place, with its source line and a caret where they are known."""
        text = str(self)
        if self.excerpt and self.column is not None:
            caret = " " * (self.column - 1) + "^" * max(1, self.width)
            text += f"\n  {self.excerpt}\n  {caret}"
        return text


class SlmError(Exception):
    """Base of every error raised on purpose by slm.

    Attributes:
        what: one sentence, lower case, no full stop.
        at: the place, or None when the cause has none.
        hint: what to do next; may be empty.
    """

    code: ClassVar[str] = "X000"

    def __init__(self, what: str, *, at: Place | None = None, hint: str = "") -> None:
        self.what, self.at, self.hint = what, at, hint
        text = f"[{self.code}] {what}"
        if at is not None:
            text += f"\n  at {at.show()}"
        if hint:
            text += f"\n  hint: {hint}"
        super().__init__(text)


# --- grammars -------------------------------------------------------------------------------------


class GrammarError(SlmError):
    """A grammar that cannot be compiled, whichever front end it came from."""

    code = "G000"


class UndefinedRule(GrammarError):
    """A rule uses a name that nothing defines."""

    code = "G001"


class DuplicateRule(GrammarError):
    """Two rules have the same name."""

    code = "G002"


class EmptyLanguage(GrammarError):
    """No text at all matches: the start rule, or a part that everything needs, matches nothing."""

    code = "G003"


class GrammarTooComplex(GrammarError):
    """A bound on states or work was hit before the grammar could be decided."""

    code = "G004"


class GrammarSyntaxError(GrammarError):
    """The text of a grammar cannot be read."""

    code = "G005"


class PatternError(GrammarError):
    """A regular expression that is malformed."""

    code = "G006"


class UnsupportedPattern(GrammarError):
    """A regular expression that is well formed but outside what can be enforced exactly."""

    code = "G007"


# --- Lark -----------------------------------------------------------------------------------------


class LarkError(GrammarError):
    """A Lark grammar that Lark itself refuses; carries Lark's message and its place."""

    code = "L001"


class UnsupportedLarkFeature(GrammarError):
    """A Lark grammar or option whose exact language slm cannot enforce yet.

    Attributes:
        feature: short name of what is not supported, e.g. ``"lookahead"``.
        symbol: the rule or terminal that uses it, or "".
        pattern: its regular expression, or "".
        semantics: the parser and lexer asked for, e.g. ``"earley/dynamic_complete"``.
    """

    code = "L002"

    def __init__(
        self,
        what: str,
        *,
        feature: str,
        symbol: str = "",
        pattern: str = "",
        semantics: str = "",
        at: Place | None = None,
        hint: str = "",
    ) -> None:
        self.feature, self.symbol = feature, symbol
        self.pattern, self.semantics = pattern, semantics
        super().__init__(what, at=at, hint=hint)


# --- JSON Schema ----------------------------------------------------------------------------------


class SchemaError(GrammarError):
    """A JSON Schema that cannot be compiled."""

    code = "S000"


class InvalidSchema(SchemaError):
    """Not a JSON Schema: malformed JSON, or a keyword with a value of the wrong kind."""

    code = "S001"


class UnsupportedKeyword(SchemaError):
    """A keyword, or a combination of keywords, that cannot be enforced exactly yet."""

    code = "S002"


class UnresolvableReference(SchemaError):
    """A ``$ref`` that points to nothing, or only to itself."""

    code = "S003"


class UnsatisfiableSchema(SchemaError):
    """No JSON value is valid under this schema."""

    code = "S004"


class UnsupportedType(SchemaError):
    """A Python type that has no JSON Schema."""

    code = "S005"


# --- vocabularies ---------------------------------------------------------------------------------


class VocabularyError(SlmError):
    """A tokenizer that cannot be turned into a vocabulary, or does not fit its use."""

    code = "V000"


class UnsupportedTokenizer(VocabularyError):
    """A tokenizer whose tokens do not have fixed bytes."""

    code = "V001"


class VocabularyCannotSpell(VocabularyError):
    """No sequence of the vocabulary's tokens makes a text of the grammar."""

    code = "V002"


class UnknownToken(VocabularyError):
    """A token id outside the vocabulary."""

    code = "V003"


class MissingEndToken(VocabularyError):
    """A vocabulary without a token that ends a text, or with one that is not its own."""

    code = "V004"


class VocabularySizeMismatch(VocabularyError):
    """A model with fewer logits than its tokenizer has tokens."""

    code = "V005"


# --- matching and decoding ------------------------------------------------------------------------


class TokenRejected(SlmError):
    """A token that the grammar forbids here; the matcher is as it was before.

    Attributes:
        token_id: the offending id.
    """

    code = "M001"

    def __init__(
        self, what: str, *, token_id: int, at: Place | None = None, hint: str = ""
    ) -> None:
        self.token_id = token_id
        super().__init__(what, at=at, hint=hint)


class RollbackTooFar(SlmError):
    """More tokens were to be taken back than were accepted."""

    code = "M002"


class BitmaskMismatch(SlmError):
    """A bitmask array of the wrong shape, dtype or layout."""

    code = "M003"


class EngineUnavailable(SlmError):
    """The engine asked for is not built, or its name is unknown."""

    code = "M004"


class InvalidDraft(SlmError):
    """Draft tokens whose parents make no tree."""

    code = "M006"


class DecodingError(SlmError):
    """Text could not be generated."""

    code = "D000"


class PromptTooLong(DecodingError):
    """The prompt, with what is to be generated, does not fit the model's context."""

    code = "D001"


class BudgetTooSmall(DecodingError):
    """``max_tokens`` cannot suffice, or ran out before the text was complete.

    Attributes:
        partial: the `slm.Generation` so far, or None when nothing was generated.
    """

    code = "D002"

    def __init__(
        self, what: str, *, partial: object = None, at: Place | None = None, hint: str = ""
    ) -> None:
        self.partial = partial
        super().__init__(what, at=at, hint=hint)


class InvalidSampling(DecodingError):
    """A sampling parameter outside its range."""

    code = "D003"


class LogitsMismatch(DecodingError):
    """The model's logits do not fit the vocabulary or hold nothing usable."""

    code = "D004"


class InvalidValue(DecodingError):
    """A complete text that the user's own type refuses; its schema could not say so.

    Attributes:
        text: the text.
    """

    code = "D005"

    def __init__(self, what: str, *, text: str, at: Place | None = None, hint: str = "") -> None:
        self.text = text
        super().__init__(what, at=at, hint=hint)


# --- models ---------------------------------------------------------------------------------------


class ModelError(SlmError):
    """A model that cannot be loaded or run."""

    code = "N000"


class ModelNotFound(ModelError):
    """No model at this path or name."""

    code = "N001"


class TokenizerMissing(ModelError):
    """A model folder without a tokenizer."""

    code = "N002"


class MissingDependency(SlmError):
    """An optional package is needed for this and not installed."""

    code = "N003"


# --- knowledge ------------------------------------------------------------------------------------


class KnowledgeError(SlmError):
    """A graph or ontology that cannot be used."""

    code = "K000"


class InvalidGraph(KnowledgeError):
    """A file or object that is not a graph or ontology slm can read."""

    code = "K001"


class UndefinedType(KnowledgeError):
    """An ontology uses a type that it does not define."""

    code = "K002"


class NoCandidates(KnowledgeError):
    """The text offers nothing that the graph allows as an argument."""

    code = "K003"


class InvalidTriples(KnowledgeError):
    """A text that is not a triples document, or one that its specification does not allow."""

    code = "K004"


# --- command line, training, merging --------------------------------------------------------------


class UsageError(SlmError):
    """A command or option that cannot be carried out as given."""

    code = "C001"


class InputFileError(SlmError):
    """An input file that cannot be read."""

    code = "C002"


class TrainingError(SlmError):
    """Training data, options or checkpoints that cannot be used."""

    code = "T001"


# --- kernels --------------------------------------------------------------------------------------


class KernelArgumentError(SlmError, ValueError):
    """An argument of a function of `slm.kernels` that it cannot work with.

    Attributes:
        argument: its name.
    """

    code = "X001"

    def __init__(
        self, what: str, *, argument: str = "", at: Place | None = None, hint: str = ""
    ) -> None:
        self.argument = argument
        super().__init__(what, at=at, hint=hint)


class KernelUnavailable(SlmError):
    """A backend of `slm.kernels` was asked for by name and is not there."""

    code = "X002"


# --- merging --------------------------------------------------------------------------------------


class MergeError(SlmError):
    """Models, recipes or outputs of a merge that cannot be used."""

    code = "W000"


class InvalidRecipe(MergeError):
    """A merge recipe that is malformed, or asks for something that makes no sense."""

    code = "W001"


class UnsupportedRecipe(MergeError):
    """A merge recipe that is well formed, but asks for something slm does not do itself."""

    code = "W002"


class InvalidCheckpoint(MergeError):
    """A model or adapter folder whose weights cannot be read, or are not finite numbers."""

    code = "W003"


class ModelsDiffer(MergeError):
    """Models that cannot be merged: other architectures, other tensors, other shapes."""

    code = "W004"


class TokenizersDiffer(MergeError):
    """Tokenizers that give the same id to different tokens, or do not fit their weights."""

    code = "W005"


class OutputNotWritten(MergeError):
    """The merged model could not be written; nothing was left behind."""

    code = "W006"


# --- export ---------------------------------------------------------------------------------------


class ExportError(SlmError):
    """A model that cannot be written exactly in another format, or whose file cannot be written."""

    code = "E001"
