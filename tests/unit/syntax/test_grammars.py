"""The grammars that come with slm: accepted and rejected texts, by Lark and by slm alike."""

from __future__ import annotations

from pathlib import Path

import lark
import pytest

from slm.mask import CompiledGrammar, compile_grammar
from slm.syntax import compile_lark
from slm.vocab import byte_vocabulary
from tests.accepting import accepts
from tests.paths import ROOT

FOLDER = ROOT / "grammars"
NAMES = sorted(path.stem for path in FOLDER.glob("*.lark"))

ACCEPTED: dict[str, list[str]] = {
    "arithmetic": ["1", "-2^3*(x + 1.5e-3)/f(2, y)", "a--b", "f()"],
    "chemical_formula": ["H2O", "2 H2 + O2 -> 2 H2O", "Fe2(SO4)3(aq)", "CuSO4·5H2O", "Ca^2+"],
    "chess": ["1. e4 e5 2. Nf3 Nc6 3. Bb5 a6", "1. e4", "12. exd8=Q+ Kxd8! 13. O-O-O#",
        "1. Nbd2 *"],
    "csv": ["a,b\r\n1,2\r\n", 'x,"a ""b"", c\n",\n,', "one", ",", ""],
    "email_headers": [
        "From: Ann Lee <ann@example.org>\nTo: b@c.de, <d@e.fr>\nSubject: Hi: there\n",
        "Date: Mon, 3 Feb 2025 10:00:01 +0100\n",
        "Message-ID: <1.2@host.example>\n",
    ],
    "icd10": ["A01", "E11.9", "S72.001A", "I10, E11.65", "U07.1"],
    "iso_dates": [
        "2024", "2024-02", "2024-02-29", "2024-12-31T23:59:59.5+01:00", "2024-W05-3", "2024-366",
        "P1Y2M3DT4H5M6.7S", "PT5M", "P2W", "2020-01-01/P1M", "../2020-04-30", "1999?/2001~",
    ],
    "json": ["{}", ' [1, -0.5e+3, "a\\u00e9\\n", null, {"k": [true, false]}]\n', '"é"', "0"],
    "legal_citations": [
        "Miranda v. Arizona, 384 U.S. 436 (1966)", "42 U.S.C. § 1983", "17 C.F.R. § 240.10(b)(5)",
        "123 F.3d 456, 460 (9th Cir. 1997); 1 U.S. 1.", "Regulation (EU) 2016/679, art. 6(1)",
    ],
    "loinc": ["2345-7", "LP14635-4", "LA6576-8", "LL360-9"],
    "markdown_table": ["| a | b |\n| --- | :---: |\n| 1 | x \\| y |\n", "|  |\n| --- |\n"],
    "python_expression": [
        "f(x, y=1)[0:n:2].attr", "a if b else c", "not x and y in [1, 2]", "{'k': (1, 2,)}",
        "-x**2 + 3 * (y // 2)", '"s\\n"',
    ],
    "semver": ["1.2.3", "1.0.0-alpha.1+build.5", ">=1.0.0 <2.0.0 || ^3.1.4", "1.0.0 - 2.0.0"],
    "smiles": [
        "CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "[Na+].[Cl-]", "N[C@@H](C)C(=O)O", "C%12CC%12",
        "F/C=C\\F", "[13CH4]",
    ],
    "sql_select": [
        "SELECT * FROM t", "select a, b + 1 as c from t where x = 'it''s' and not y is null;",
        "SELECT COUNT(DISTINCT a) FROM t AS u LEFT JOIN v ON u.id = v.id GROUP BY b",
        "SELECT a FROM t WHERE a IN (SELECT b FROM c) ORDER BY a DESC LIMIT 10 OFFSET 5",
        "SELECT a FROM t UNION ALL SELECT b FROM u", "SELECT 1",
        "SELECT a FROM t GROUP BY b HAVING COUNT(*) > 1",
    ],
    "units": ["mg/dL", "m/s2", "kg.m2/s2", "10*9/L", "{score}", "/min", "mm[Hg]", "umol/(24.h)",
        "%"],
}  # fmt: skip

REJECTED: dict[str, list[str]] = {
    "arithmetic": ["", "1 +", "(1", "2..3", "1 2"],
    "chemical_formula": ["h2o", "H02", "2H2O", "H2 + -> O", "Xx"],
    "chess": ["e4", "1. e9", "1. O-O-O-O", "0. e4", "1. e4 2. "],
    "csv": ['"a', 'a"b', '"a"b', "a\rb"],
    "email_headers": ["", "From: nobody\n", "Date: Mon, 32 Feb 2025 10:00 +0000\n", "Subject: x"],
    "icd10": ["a01", "A1", "E11.", "S72.001AB", "A01,B02"],
    "iso_dates": ["24", "2024-13", "2024-02-30", "2024-04-31", "2024-01-01T24:00", "P", "PT",
        "P1H"],
    "json": ["", "{,}", "[1,]", "01", "'a'", '"\t"', "nul", '{"a" 1}', "1 1"],
    "legal_citations": ["384 U.S.", "U.S. 436", "42 U.S.C. 1983", "Regulation (EX) 1/2"],
    "loinc": ["2345", "0345-7", "12345678-9", "LX1-2"],
    "markdown_table": ["| a |\n", "| a |\n| -- |\n", "a | b\n", "| a |\n| --- |"],
    "python_expression": ["", "1 +", "f(", "01", "a = b", "'x", "{1: 2"],
    "semver": ["1.2", "01.2.3", "1.2.3-01", "v1.2.3", "1.2.3 "],
    "smiles": ["", "(C)", "[Xx]", "C=", "CC.", "Zz"],
    "sql_select": ["SELECT", "SELECT a FROM", "SELECTa", "INSERT", "SELECT a FROM t WHERE",
        "SELECT 'a"],
    "units": ["", "mg//dL", "kilogram", "m0", "{}", "(m"],
}  # fmt: skip


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.lark"


@pytest.fixture(scope="module")
def both() -> dict[str, tuple[lark.Lark, CompiledGrammar]]:
    """Every grammar, as a Lark object and compiled over bytes."""
    found = {}
    for name in NAMES:
        compiled = compile_lark(path_of(name), parser="earley", lexer="dynamic_complete")
        found[name] = (compiled.lark, compile_grammar(compiled.grammar, byte_vocabulary()))
    return found


def parses(parser: lark.Lark, text: str) -> bool:
    try:
        parser.parse(text)
    except lark.exceptions.UnexpectedInput:
        return False
    return True


def test_every_grammar_is_tested_and_says_where_it_is_from() -> None:
    """Each file has texts here, a use, and a provenance."""
    assert sorted(ACCEPTED) == sorted(REJECTED) == NAMES
    for name in NAMES:
        head = path_of(name).read_text(encoding="utf-8").split("\n")[:3]
        assert all(line.startswith("// ") for line in head)
        assert head[1].startswith("// Provenance: written for slm.")
        assert head[2].startswith(f'// Use: slm.lark("grammars/{name}.lark", ')


@pytest.mark.parametrize("name", NAMES)
def test_accepted_texts(name: str, both: dict[str, tuple[lark.Lark, CompiledGrammar]]) -> None:
    """Lark parses them and the mask allows every byte and the end."""
    parser, compiled = both[name]
    for text in ACCEPTED[name]:
        assert parses(parser, text), text
        assert accepts(compiled, text), text


@pytest.mark.parametrize("name", NAMES)
def test_rejected_texts(name: str, both: dict[str, tuple[lark.Lark, CompiledGrammar]]) -> None:
    """Lark refuses them and so does the mask."""
    parser, compiled = both[name]
    for text in REJECTED[name]:
        assert not parses(parser, text), text
        assert not accepts(compiled, text), text
