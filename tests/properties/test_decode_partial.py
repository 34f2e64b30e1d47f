"""Properties of partial JSON values."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from slm.decode.partial import partial_value

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
STYLE = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}])


def grows(before, after):
    """Whether `after` is `before` with something added at its open end."""
    if isinstance(before, list) and isinstance(after, list):
        pairs = zip(before, after, strict=False)
        return len(before) <= len(after) and all(grows(b, a) for b, a in pairs)
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in after and grows(value, after[key]) for key, value in before.items())
    if isinstance(before, str) and isinstance(after, str):
        return after.startswith(before)
    numbers = isinstance(before, (int, float)) and isinstance(after, (int, float))
    return before is None or numbers or before == after


@given(value=JSON, style=STYLE)
def test_every_prefix_has_a_value_and_the_last_is_the_whole(value, style):
    """No prefix raises, values only grow, and the whole text gives the whole value."""
    text = json.dumps(value, **style)
    known = None
    for end in range(len(text) + 1):
        now = partial_value(text[:end])
        assert grows(known, now)
        known = now
    assert known == json.loads(text)


@given(text=st.text(alphabet='[]{}",:\\u0dae19.-+ \ntrfnlsx', max_size=40))
def test_nothing_raises(text):
    """Whatever the text, there is an answer; where it is JSON, it is the right one."""
    found = partial_value(text)
    try:
        whole = json.loads(text)
    except ValueError:
        return
    assert found == whole
