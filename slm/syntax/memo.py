"""Grammars that this process has worked out before.

Kept is what the grammar's text and its options decide alone. A grammar that imports from other
files than Lark's own library is read anew each time, since those files may have changed.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")

# An import, however it is spelt, but for Lark's own grammars, which come with it.
_FOREIGN = re.compile(r"%import(?![ \t]+(?:common|lark|python|unicode)\b)")
_PLAIN = (str, int, type(None))  # bool and flags are ints


class Memo(Generic[Made]):
    """The last few things made, by what they were made of.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, Made] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable | None, make: Callable[[], Made]) -> Made:
        """What was made of `key` before, else what `make` gives; None: it is not remembered."""
        if key is None:
            return make()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return made


def key_of(text: str, options: Mapping[str, Any]) -> Hashable | None:
    """A key for a grammar's text and the options; None where they do not decide everything.

    >>> key_of('start: "a"', {"parser": "lalr"}) is None, key_of("%import .a", {}) is None
    (False, True)
    """
    if _FOREIGN.search(text) or not all(isinstance(each, _PLAIN) for each in options.values()):
        return None
    # An option that is None is not one that is left out: Lark has other defaults.
    return text, tuple((name, type(each).__name__, each) for name, each in sorted(options.items()))
