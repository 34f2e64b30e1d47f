"""Fixtures of the model tests."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of a tiny Llama."""
    pytest.importorskip("transformers")
    from tests.unit.models.tiny import make_folder

    return make_folder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def model(folder):
    """A tiny random Llama, loaded."""
    from slm.models.transformers import load_folder

    return load_folder(folder)
