"""Where the kernels' machine code comes from: the wheel's fat binary, else NVRTC and a disk cache.

The fat binary carries the digest of its sources in its name, so one that was built from other
sources is never taken. What NVRTC compiles is kept in the user's cache folder, named by digest,
architecture and compiler version; a folder that can't be written to costs a compilation a process.
"""

from __future__ import annotations

import ctypes
import functools
import glob
import hashlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

MAIN = "kernels.cu"
ARCHITECTURES = (80, 86, 89, 90, 100, 120)


class CompileError(RuntimeError):
    """NVRTC isn't there or refuses the source; the text has its log."""


def _folders() -> list[Path]:
    """Places that may have sources or binaries: a source tree, the package, CMake's folder."""
    here = Path(__file__).resolve()
    found = [here.parents[3] / "kernels" / "softmax" / "cuda", here.parent / "source"]
    native = importlib.util.find_spec("slm._native")  # an editable install puts both there
    if native is not None and native.origin:
        found.append(Path(native.origin).resolve().parent / "kernels" / "cuda" / "source")
    return found


@functools.cache
def sources() -> dict[str, str]:
    """Every source by name: MAIN and the headers it includes.

    Raises:
        FileNotFoundError: the package is incomplete.
    """
    for folder in _folders():
        if (folder / MAIN).is_file():
            names = [MAIN, *sorted(path.name for path in folder.glob("*.cuh"))]
            return {name: (folder / name).read_text(encoding="utf-8") for name in names}
    raise FileNotFoundError("the CUDA sources of slm.kernels are not in this installation")


@functools.cache
def digest() -> str:
    """Names the sources: 16 hex digits. CMake computes the same for the fat binary's name."""
    joined = "".join(
        hashlib.sha256(text.encode()).hexdigest() for _, text in sorted(sources().items())
    )
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


def fat_binary() -> bytes | None:
    """The machine code built with the package, if there is one of these very sources."""
    override = os.environ.get("SLM_CUDA_BINARY")
    if override:
        return Path(override).read_bytes()
    for folder in _folders():
        path = folder.parent / f"kernels-{digest()}.fatbin"
        if path.is_file():
            return path.read_bytes()
    return None


def _nvrtc_candidates() -> list[str]:
    if sys.platform == "win32":
        return ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"]
    found = [f"libnvrtc.so.{major}" for major in (13, 12)]
    for place in sys.path:
        for pattern in ("nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib", "nvidia/*/lib"):
            found += sorted(glob.glob(os.path.join(place, pattern, "libnvrtc.so.*")))
    home = os.environ.get("CUDA_HOME") or "/usr/local/cuda"
    return [*found, *sorted(glob.glob(f"{home}*/lib64/libnvrtc.so.*")), "libnvrtc.so"]


@functools.cache
def nvrtc() -> Any:
    """NVRTC's library: one that is loaded already, torch's, or the toolkit's.

    Raises:
        CompileError: there is none.
    """
    for name in _nvrtc_candidates():
        if "builtins" in name:
            continue
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise CompileError("no NVRTC library was found (pip install nvidia-cuda-nvrtc)")


def nvrtc_version() -> tuple[int, int]:
    """Major and minor version of the NVRTC found."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def nvrtc_architectures() -> list[int]:
    """The architectures that the NVRTC found can compile for; [] where it is too old to say."""
    lib, count = nvrtc(), ctypes.c_int()
    if not hasattr(lib, "nvrtcGetSupportedArchs"):  # before CUDA 11.2
        return []
    lib.nvrtcGetNumSupportedArchs(ctypes.byref(count))
    found = (ctypes.c_int * count.value)()
    lib.nvrtcGetSupportedArchs(found)
    return list(found)


def why_no_code(architecture: int) -> str | None:
    """None if there is machine code for an architecture or NVRTC can make it, else why not.

    Machine code runs on the chip it was made for and on later ones of the same major version.
    """
    if os.environ.get("SLM_CUDA_BINARY"):
        return None  # whoever names one knows what is in it
    major = architecture // 10
    built = any(made // 10 == major and made <= architecture for made in ARCHITECTURES)
    if built and fat_binary() is not None:
        return None
    try:
        able = nvrtc_architectures()
    except CompileError as error:
        return str(error)
    if architecture in able:
        return None
    return "NVRTC {}.{} can't compile for sm_{} (pip install a newer nvidia-cuda-nvrtc)".format(
        *nvrtc_version(), architecture
    )


# Which SLM_PART of the sources has a kernel, by the beginning of its name; the longest one counts.
PARTS = {
    "slm_sample_full_": 2,
    "slm_filter_": 2,
    "slm_sample_": 1,
    "slm_softmax_": 3,
    "slm_loss_": 4,
    "slm_bitmask_": 5,
}


def part_of(kernel: str) -> int:
    """The part of the sources that has a kernel."""
    return next(part for name, part in PARTS.items() if kernel.startswith(name))


def compile_source(architecture: int, part: int) -> bytes:
    """Compiles a part of the sources with NVRTC for one architecture (90: sm_90); a cubin.

    Cost: seconds.

    Raises:
        CompileError: no NVRTC, or its log.
    """
    files = dict(sources())
    return compile_program(f"#define SLM_PART {part}\n{files.pop(MAIN)}", files, architecture)


def compile_program(source: str, headers: dict[str, str], architecture: int) -> bytes:
    """Compiles any source with NVRTC; headers by name. No include path is given.

    Raises:
        CompileError: no NVRTC, or its log.
    """
    lib, count = nvrtc(), len(headers)
    texts = (ctypes.c_char_p * count)(*(text.encode() for text in headers.values()))
    names = (ctypes.c_char_p * count)(*(name.encode() for name in headers))
    program = ctypes.c_void_p()
    status = lib.nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), MAIN.encode(), count, texts, names
    )
    if status:
        raise CompileError(f"nvrtcCreateProgram failed with status {status}")
    try:
        flags = [f"--gpu-architecture=sm_{architecture}", "--std=c++17", "-default-device"]
        array = (ctypes.c_char_p * len(flags))(*(flag.encode() for flag in flags))
        if lib.nvrtcCompileProgram(program, len(flags), array):
            raise CompileError("NVRTC refuses the kernels:\n" + _log(lib, program))
        size = ctypes.c_size_t()
        lib.nvrtcGetCUBINSize(program, ctypes.byref(size))
        code = ctypes.create_string_buffer(size.value)
        lib.nvrtcGetCUBIN(program, code)
        return code.raw
    finally:
        lib.nvrtcDestroyProgram(ctypes.byref(program))


def _log(lib: Any, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    lib.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    lib.nvrtcGetProgramLog(program, log)
    return log.value.decode(errors="replace")


def cache_folder() -> Path | None:
    """Where compiled kernels are kept; None: nowhere.

    As for token tables: ``SLM_CACHE_DIR``, where an empty value means nowhere, else `slm` in the
    user's cache folder.
    """
    named = os.environ.get("SLM_CACHE_DIR")
    if named is not None:
        return Path(named).expanduser().absolute() / "cuda" if named else None
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    try:
        root = Path(base) if base else Path.home() / ".cache"
    except RuntimeError:  # nobody is at home
        return None
    return root / "slm" / "cuda"


def compiled(architecture: int, part: int) -> bytes:
    """`compile_source`, from the disk cache if it was compiled before.

    A file is written under another name and moved, so a reader never sees half of one. It begins
    with the digest of what follows: the driver is never given a file that a disk has spoilt.
    """
    folder = cache_folder()
    if folder is None:
        return compile_source(architecture, part)
    version = "{}.{}".format(*nvrtc_version())
    path = folder / f"kernels-{digest()}-{part}-sm_{architecture}-{version}.cubin"
    try:
        kept = path.read_bytes()
        if kept[:32] == hashlib.sha256(kept[32:]).digest():
            return kept[32:]
    except OSError:
        pass
    code = compile_source(architecture, part)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(name, path)
    except OSError:
        pass  # a read-only home: compiled anew by the next process
    return code
