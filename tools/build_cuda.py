"""Compiles the CUDA kernels into a fat binary and refuses spills: what CMake runs where nvcc is.

    python tools/build_cuda.py --nvcc nvcc --out FOLDER --architectures 80,86,89,90,100,120

The file is named by the digest of the sources, as slm/kernels/cuda/binary.py looks for it. Any
kernel for sm_90 that keeps registers in memory (spills, a stack frame) is an error: it would be
slower than it was measured to be.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "kernels" / "softmax" / "cuda"
CHECKED = 90


def digest(folder: Path = SOURCES) -> str:
    """Names the sources: the same 16 hex digits as `slm.kernels.cuda.binary.digest`."""
    paths = [folder / "kernels.cu", *folder.glob("*.cuh")]
    joined = "".join(
        hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()
        for path in sorted(paths, key=lambda path: path.name)
    )
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


def resources(report: str) -> dict[str, tuple[int, int, int]]:
    """From `-Xptxas -v`: kernel -> (registers, bytes of stack, bytes spilled)."""
    found: dict[str, tuple[int, int, int]] = {}
    name, stack, spilled = "", 0, 0
    for line in report.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)'", line):
            name = match[1]
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores", line):
            stack, spilled = int(match[1]), int(match[2])
        elif (match := re.search(r"Used (\d+) registers", line)) and name:
            found[name] = (int(match[1]), stack, spilled)
            name = ""
    return found


def compile_all(nvcc: str, out: Path, architectures: list[int], part: int = 0) -> str:
    """Compiles to `out`; the compiler's report. `part`: an SLM_PART of the sources, 0 for all.

    Raises:
        CalledProcessError: the compiler refuses; its words are on stderr.
    """
    command = [nvcc, "-std=c++17", "-fatbin", "-Xptxas", "-v", "-t", "2", "-o", str(out)]
    command.append(f"-DSLM_PART={part}")
    for number in architectures:
        command += ["-gencode", f"arch=compute_{number},code=sm_{number}"]
    if len(architectures) > 1:  # chips to come compile this when they first load it
        newest = max(architectures)
        command += ["-gencode", f"arch=compute_{newest},code=compute_{newest}"]
    done = subprocess.run(
        [*command, str(SOURCES / "kernels.cu")], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)
    return done.stdout + done.stderr


def section(report: str, architecture: int) -> str:
    """The lines of a report that are about one architecture."""
    kept, inside = [], False
    for line in report.splitlines():
        if match := re.search(r"Compiling entry function '\w+' for 'sm_(\d+)'", line):
            inside = int(match[1]) == architecture
        if inside:
            kept.append(line)
    return "\n".join(kept)


def main() -> int:
    """Builds, checks, and leaves only the new binary in the folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nvcc", default="nvcc")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--architectures", default="80,86,89,90,100,120")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    target = options.out / f"kernels-{digest()}.fatbin"
    architectures = [int(number) for number in options.architectures.split(",")]
    report = compile_all(options.nvcc, target, architectures)
    wrong = {
        name: facts
        for name, facts in resources(section(report, CHECKED)).items()
        if facts[1] or facts[2]
    }
    for name, (registers, stack, spilled) in wrong.items():
        sys.stderr.write(
            f"{name} for sm_{CHECKED}: {registers} registers, {stack} bytes of stack, "
            f"{spilled} bytes spilled\n"
        )
    if wrong:
        target.unlink()
        return 1
    for old in options.out.glob("kernels-*.fatbin"):
        if old != target:
            old.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
