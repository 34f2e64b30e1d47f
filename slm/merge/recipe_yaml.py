"""Reading mergekit's YAML: the same keys, the same meaning; what is not done here is refused.

Top-level keys: ``merge_method``, ``models`` or ``slices``, ``base_model``, ``parameters``,
``dtype``, ``out_dtype``, ``tokenizer_source`` or ``tokenizer``, ``chat_template``. A key or a
parameter that nothing knows is an error with its place; one that the chosen method does not use has
no effect, and the recipe's notes say so.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path

from slm.errors import InvalidRecipe, Place, UnsupportedRecipe
from slm.merge.checkpoint import DTYPES
from slm.merge.methods import ELSEWHERE, METHODS, Method
from slm.merge.recipe import ModelName, Recipe, Slice, Source, TokenizerRule, TokenRule
from slm.merge.settings import Case, Scalar, Setting, Settings, Value
from slm.merge.yaml_nodes import Node, read_yaml

_KEYS = (
    "merge_method",
    "models",
    "slices",
    "modules",
    "base_model",
    "parameters",
    "dtype",
    "out_dtype",
    "tokenizer_source",
    "tokenizer",
    "chat_template",
    "name",
)
_DTYPES = sorted(
    str(dtype).removeprefix("torch.") for dtype in DTYPES.values() if dtype.is_floating_point
)
_PARAMETERS = sorted({name for method in METHODS.values() for name in method.parameters})


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        InvalidRecipe: it cannot be read, or is malformed.
        UnsupportedRecipe: it asks for something slm does not do itself.
        MissingDependency: PyYAML is not installed.
    """
    return parse_recipe(recipe_file_text(path), source=path.name, folder=path.parent)


def recipe_file_text(path: Path) -> str:
    """The text of a recipe file.

    Raises:
        InvalidRecipe: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InvalidRecipe(
            f"cannot read the recipe: {why}", at=Place(str(path)), hint="give a YAML file"
        ) from error


def parse_recipe(text: str, *, source: str = "recipe", folder: Path | None = None) -> Recipe:
    """A recipe from its YAML text; see `read_recipe`."""
    root = read_yaml(text, source)
    document = read_document(root, text, source, folder)
    if not document.name:
        return document.recipe
    note = "`name` has no effect: the output is named by --output"
    return replace(document.recipe, notes=(note, *document.recipe.notes))


@dataclass(frozen=True, slots=True)
class Document:
    """A recipe that may be one of several in a file.

    Attributes:
        recipe: what it says.
        name: what others call its result; "" if it has no `name`.
        at: the place of the name, or of the document.
        places: of each model that it names, the first.
    """

    recipe: Recipe
    name: str
    at: Place
    places: dict[ModelName, Place]


def read_document(root: Node, text: str, source: str, folder: Path | None) -> Document:
    """Read one document; see `read_recipe`.

    Args:
        root: its root node.
        text: its text.
        source: name of the file.
        folder: see `Recipe`.
    """
    reader = _Reader(root, text, source, folder)
    recipe, node = reader.recipe(), reader.fields.get("name")
    name = "" if node is None else node.text("`name`")
    return Document(recipe, name, (node or root).at, reader.places)


class _Reader:
    """Reads one document; collects notes."""

    def __init__(self, root: Node, text: str, source: str, folder: Path | None) -> None:
        self.fields = root.fields("a recipe", _KEYS)
        self.root, self.text, self.source, self.folder = root, text, source, folder
        self.notes: dict[str, None] = {}
        self.places: dict[ModelName, Place] = {}
        self.name, self.method = self._method()

    def recipe(self) -> Recipe:
        fields = self.fields
        if "modules" in fields:
            raise UnsupportedRecipe(
                "`modules` is for models of several parts, which slm does not merge",
                at=fields["modules"].at,
                hint="use `models` or `slices`, or slm merge --engine mergekit",
            )
        if ("models" in fields) == ("slices" in fields):
            raise self.root.error(
                "a recipe has either `models` or `slices`", "write one of the two"
            )
        return Recipe(
            method=self.name,
            models=self._sources(fields["models"], layers=False) if "models" in fields else (),
            slices=self._slices(fields["slices"]) if "slices" in fields else (),
            base=self._model(fields.get("base_model")),
            parameters=self._parameters(fields.get("parameters")),
            dtype=self._dtype("dtype"),
            out_dtype=self._dtype("out_dtype"),
            tokenizer=self._tokenizer(),
            chat_template=self._chat_template(),
            text=self.text,
            source=self.source,
            folder=self.folder,
            notes=tuple(self.notes),
        )

    def _method(self) -> tuple[str, Method]:
        node = self.fields.get("merge_method")
        if node is None:
            raise self.root.error(
                "the recipe does not say a `merge_method`", f"methods are {', '.join(METHODS)}"
            )
        name = node.text("`merge_method`")
        if name in ELSEWHERE:
            raise UnsupportedRecipe(
                f"slm does not have the method `{name}` itself",
                at=node.at,
                hint="slm merge --engine mergekit leaves it to mergekit, if that is installed",
            )
        if name not in METHODS:
            near = difflib.get_close_matches(name, METHODS, n=1)
            raise node.error(
                f"there is no method `{name}`",
                f"did you mean `{near[0]}`?" if near else f"methods are {', '.join(METHODS)}",
            )
        return name, METHODS[name]

    def _dtype(self, key: str) -> str:
        node = self.fields.get(key)
        if node is None:
            return ""
        name = node.text(f"`{key}`").removeprefix("torch.")
        if name not in _DTYPES:
            raise node.error(f"`{key}` is {name}", f"types are {', '.join(_DTYPES)}")
        return name

    def _model(self, node: Node | None) -> ModelName | None:
        if node is None:
            return None
        found = self._model_name(node)
        self.places.setdefault(found, node.at)
        return found

    def _model_name(self, node: Node) -> ModelName:
        if not node.is_mapping:
            return ModelName.parse(node.text("a model"), node.at)
        fields = node.fields("a model", ("model", "lora", "override_architecture"))
        if "override_architecture" in fields:
            raise UnsupportedRecipe(
                "`override_architecture` is not supported",
                at=fields["override_architecture"].at,
                hint="correct `architectures` in the model's config.json",
            )
        if "model" not in fields:
            raise node.error("a model without its path", "write `model: path`")
        path, revision = self._path(fields["model"])
        return ModelName(path, revision, self._path(fields["lora"])[0] if "lora" in fields else "")

    def _path(self, node: Node) -> tuple[str, str]:
        if not node.is_mapping:
            name = ModelName.parse(node.text("a path"), node.at)
            return name.path, name.revision
        fields = node.fields("a path", ("path", "revision"))
        if "path" not in fields:
            raise node.error("a model without its path", "write `path: folder`")
        revision = fields["revision"].text("`revision`") if "revision" in fields else ""
        return fields["path"].text("`path`"), revision

    def _sources(self, node: Node, *, layers: bool) -> tuple[Source, ...]:
        what = "`sources`" if layers else "`models`"
        known = ("model", "parameters", *(("layer_range",) if layers else ()))
        found = []
        for element in node.elements(what):
            fields = element.fields("a model of the recipe", known)
            model = self._model(fields.get("model"))
            if model is None:
                raise element.error("this entry names no model", "write `- model: path`")
            if layers and "layer_range" not in fields:
                raise element.error("a slice without its layers", "write `layer_range: [0, 8]`")
            found.append(
                Source(
                    model,
                    self._range(fields["layer_range"]) if layers else None,
                    self._parameters(fields.get("parameters")),
                    element.at,
                )
            )
        return tuple(found)

    def _range(self, node: Node) -> tuple[int, int]:
        value = node.value
        if (
            not isinstance(value, list)
            or len(value) != 2
            or any(type(end) is not int for end in value)
            or not 0 <= value[0] < value[1]
        ):
            raise node.error(
                "`layer_range` is not two rising numbers",
                "the first layer and the one after the last: [0, 8]",
            )
        return value[0], value[1]

    def _slices(self, node: Node) -> tuple[Slice, ...]:
        found = []
        for element in node.elements("`slices`"):
            fields = element.fields(
                "a slice", ("sources", "base_model", "parameters", "residual_weight")
            )
            if "residual_weight" in fields:
                raise UnsupportedRecipe(
                    "`residual_weight` is not supported",
                    at=fields["residual_weight"].at,
                    hint="leave it out: mergekit ignores it",
                )
            if "sources" not in fields:
                raise element.error("a slice without `sources`", "list its models")
            sources = self._sources(fields["sources"], layers=True)
            lengths = {source.layers[1] - source.layers[0] for source in sources if source.layers}
            if len(lengths) != 1:
                raise element.error(
                    "the sources of this slice have different numbers of layers",
                    "give ranges of one length",
                )
            found.append(
                Slice(
                    sources,
                    self._model(fields.get("base_model")),
                    self._parameters(fields.get("parameters")),
                    element.at,
                )
            )
        return tuple(found)

    def _parameters(self, node: Node | None) -> Settings:
        found: dict[str, Setting] = {}
        for name, key, value in node.items("`parameters`") if node is not None else []:
            if name not in _PARAMETERS:
                near = difflib.get_close_matches(name, _PARAMETERS, n=1)
                raise key.error(
                    f"no method has a parameter `{name}`",
                    f"did you mean `{near[0]}`?"
                    if near
                    else f"{self.name} has {', '.join(self.method.parameters) or 'none'}",
                )
            if value.is_null:
                continue
            if name not in self.method.parameters:
                self.notes[f"the parameter `{name}` has no effect with {self.name}"] = None
            found[name] = Setting(self._cases(value), value.at)
        return found

    def _cases(self, node: Node) -> tuple[Case, ...]:
        if node.is_mapping:
            return (self._case(node),)
        if node.is_list:
            elements = node.elements("a parameter")
            if any(element.is_mapping for element in elements):
                return tuple(self._case(element) for element in elements)
        return (Case(None, self._value(node)),)

    def _case(self, node: Node) -> Case:
        fields = node.fields("a value with a filter", ("filter", "value"))
        if "value" not in fields:
            raise node.error("a filter without its `value`", "write `value: 0.5` beside it")
        filtered = fields["filter"].text("`filter`") if "filter" in fields else None
        return Case(filtered, self._value(fields["value"]))

    def _value(self, node: Node) -> Value:
        if node.is_list:
            return tuple(self._scalar(element) for element in node.elements("a gradient"))
        return self._scalar(node)

    def _scalar(self, node: Node) -> Scalar:
        value = node.value
        if not isinstance(value, (bool, int, float, str)):
            raise node.error("a parameter's value is a number, true or false", "correct it")
        return value

    def _tokenizer(self) -> TokenizerRule | None:
        simple, full = self.fields.get("tokenizer_source"), self.fields.get("tokenizer")
        if simple is not None and full is not None:
            raise full.error("both `tokenizer_source` and `tokenizer`", "write one of the two")
        if simple is not None:
            return TokenizerRule(self._tokenizer_source(simple), at=simple.at)
        if full is None:
            return None
        fields = full.fields("`tokenizer`", ("source", "tokens", "pad_to_multiple_of"))
        source = self._tokenizer_source(fields["source"]) if "source" in fields else "union"
        tokens = {
            name: self._token(value)
            for name, _, value in (fields["tokens"].items("`tokens`") if "tokens" in fields else ())
        }
        multiple = fields["pad_to_multiple_of"].value if "pad_to_multiple_of" in fields else 1
        if type(multiple) is not int or multiple < 1:
            raise fields["pad_to_multiple_of"].error(
                "`pad_to_multiple_of` is no positive whole number", "e.g. 64"
            )
        return TokenizerRule(source, tokens, multiple, full.at)

    def _tokenizer_source(self, node: Node) -> str | ModelName:
        if not node.is_mapping and node.text("a tokenizer's source") in ("base", "union"):
            return node.text("a tokenizer's source")
        model = self._model(node)
        assert model is not None
        return model

    def _token(self, node: Node) -> TokenRule:
        fields = node.fields("a token", ("source", "force"))
        force = fields["force"].value if "force" in fields else False
        if not isinstance(force, bool):
            raise fields["force"].error("`force` is neither true nor false", "correct it")
        source = fields.get("source")
        if source is None:
            return TokenRule(force=force)
        if not source.is_mapping or "kind" not in source.value:
            return TokenRule(self._model(source), force=force)
        kind = source.value["kind"]
        if kind == "zero":
            source.fields("a token's source", ("kind",))
            return TokenRule(zero=True, force=force)
        if kind != "model_token":
            raise source.error(f"no kind of token source is `{kind}`", "use model_token or zero")
        parts = source.fields("a token's source", ("kind", "model", "token", "token_id"))
        if "model" not in parts or ("token" in parts) == ("token_id" in parts):
            raise source.error(
                "a token of a model is named by `model` and either `token` or `token_id`",
                "write both",
            )
        if "token" in parts:
            return TokenRule(
                self._model(parts["model"]), token=parts["token"].text("`token`"), force=force
            )
        number = parts["token_id"].value
        if type(number) is not int or number < 0:
            raise parts["token_id"].error("`token_id` is no id", "a number from 0 on")
        return TokenRule(self._model(parts["model"]), token_id=number, force=force)

    def _chat_template(self) -> str:
        node = self.fields.get("chat_template")
        if node is None:
            return ""
        text = node.text("`chat_template`")
        if text != "auto" and "{" not in text:
            raise UnsupportedRecipe(
                f"slm has no chat template named `{text}`",
                at=node.at,
                hint="write `auto`, or the Jinja template itself",
            )
        return text
