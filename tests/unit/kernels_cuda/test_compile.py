"""The kernels are compiled where a compiler is: by nvcc, whose report is read, and by NVRTC."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from slm.kernels.cuda import binary
from tools import build_cuda


def test_digests_agree() -> None:
    """The build and the loader name the sources alike, so a fresh fat binary is found."""
    assert build_cuda.digest() == binary.digest()


def test_report_is_understood() -> None:
    """Registers, stack and spills are read from the compiler's report, by architecture."""
    report = (
        "ptxas info    : Compiling entry function 'a' for 'sm_90'\n"
        "    8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads\n"
        "ptxas info    : Used 64 registers, used 1 barriers\n"
        "ptxas info    : Compiling entry function 'b' for 'sm_80'\n"
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 30 registers, used 1 barriers\n"
    )
    assert build_cuda.resources(build_cuda.section(report, 90)) == {"a": (64, 8, 4)}
    assert build_cuda.resources(build_cuda.section(report, 80)) == {"b": (30, 0, 0)}


@pytest.mark.parametrize(("part", "kernels"), [(1, 3), (3, 5), (5, 3)])
def test_nvcc_needs_no_memory_for_registers(tmp_path: Path, part: int, kernels: int) -> None:
    """Kernels compile for sm_90 without spills or stack frames (a wheel's build checks all)."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not here")
    report = build_cuda.compile_all(nvcc, tmp_path / "kernels.fatbin", [90], part)
    found = build_cuda.resources(build_cuda.section(report, 90))
    assert len(found) == kernels
    assert {name: facts for name, facts in found.items() if facts[1] or facts[2]} == {}


def test_nvrtc_compiles_without_include_paths() -> None:
    """The very same sources go through NVRTC, which a machine without the toolkit has."""
    try:
        binary.nvrtc()
    except binary.CompileError as error:
        pytest.skip(str(error))
    assert len(binary.compile_source(90, 1)) > 10_000


@pytest.mark.parametrize(
    ("architecture", "prebuilt", "able", "reason"),
    [
        (90, True, None, None),
        (87, True, None, None),  # sm_86's code runs there
        (103, True, None, None),
        (70, True, None, "no NVRTC"),  # nothing older than sm_80 was built
        (90, False, None, "no NVRTC"),
        (90, False, [80, 90], None),
        (120, False, [80, 90], "NVRTC 12.0 can't compile for sm_120"),
    ],
)
def test_a_chip_without_code_is_known_before_the_first_call(
    monkeypatch: pytest.MonkeyPatch,
    architecture: int,
    prebuilt: bool,
    able: list[int] | None,
    reason: str | None,
) -> None:
    """An NVRTC that is older than the chip makes room for Triton, and is no error at first use."""

    def architectures() -> list[int]:
        if able is None:
            raise binary.CompileError("no NVRTC library was found")
        return able

    monkeypatch.delenv("SLM_CUDA_BINARY", raising=False)
    monkeypatch.setattr(binary, "fat_binary", lambda: b"code" if prebuilt else None)
    monkeypatch.setattr(binary, "nvrtc_architectures", architectures)
    monkeypatch.setattr(binary, "nvrtc_version", lambda: (12, 0))
    found = binary.why_no_code(architecture)
    assert (found is None) == (reason is None)
    assert reason is None or reason in str(found)


def test_nvrtc_says_what_it_compiles_for() -> None:
    """The list is NVRTC's own: it has the chips that the fat binary is made for."""
    try:
        binary.nvrtc()
    except binary.CompileError as error:
        pytest.skip(str(error))
    assert set(binary.ARCHITECTURES) <= set(binary.nvrtc_architectures())


@pytest.mark.parametrize("spoil", [b"", b"half of a file", None])
def test_a_spoilt_file_of_the_cache_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: bytes | None
) -> None:
    """What a crash or a disk left of a compiled kernel never reaches the driver."""
    made: list[bytes] = []

    def compile_source(architecture: int, part: int) -> bytes:
        made.append(f"code {architecture} {part}".encode() * 99)
        return made[-1]

    monkeypatch.setenv("SLM_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(binary, "compile_source", compile_source)
    monkeypatch.setattr(binary, "nvrtc_version", lambda: (12, 8))
    assert binary.compiled(90, 1) == binary.compiled(90, 1) == made[0]
    assert len(made) == 1
    (file,) = (tmp_path / "cuda").iterdir()
    file.write_bytes(file.read_bytes()[:-1] if spoil is None else spoil)
    assert binary.compiled(90, 1) == binary.compiled(90, 1) == made[0]
    assert len(made) == 2
