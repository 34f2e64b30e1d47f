"""Fuzz the core: build the targets of kernels/tests with libFuzzer, run them, say what they found.

    make fuzz FUZZ_SECONDS=60                        # all targets, shares of the time
    python tools/fuzz.py --seconds 3600 --targets masks
    python tools/fuzz.py --coverage                  # what the corpus never reaches

The corpus grows in runs/fuzz/corpus, from the kept inputs of kernels/tests/corpus; a later run goes
on from there. What fails is kept in runs/fuzz/findings, and every run adds a line a target to
runs/fuzz/log.txt. Exit code 1 when anything was found; an input that was too slow and is not when
it is replayed shows only that the machine had other work.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "kernels" / "tests" / "corpus"
OUT = ROOT / "runs" / "fuzz"
SHARES = {"masks": 0.55, "memory": 0.20, "regex": 0.15, "program": 0.10}
MOST_BYTES = {"masks": 320, "memory": 240, "regex": 200, "program": 300}
NO_CLANG = """No Clang with libFuzzer was found (clang++, and clang++-22 down to clang++-14).
  Debian, Ubuntu:  apt install clang libclang-rt-dev      (clang-15: libclang-rt-15-dev)
  Fedora:          dnf install clang compiler-rt
  macOS:           brew install llvm, and --clang $(brew --prefix llvm)/bin/clang++
Another name:  make fuzz FUZZ_CLANG=…"""
PROGRESS = re.compile(r"^#(\d+): cov: (\d+) ft: (\d+) corp: (\d+)")


def find_clang(named: str | None) -> str:
    """A Clang that links libFuzzer; ends the program, saying what to install, without one."""
    names = [named] if named else ["clang++", *(f"clang++-{n}" for n in range(22, 13, -1))]
    OUT.mkdir(parents=True, exist_ok=True)
    for name in names:
        if shutil.which(name) is None:
            continue
        source = "#include <cstddef>\n#include <cstdint>\n" + (
            'extern "C" int LLVMFuzzerTestOneInput(const uint8_t*, size_t) { return 0; }'
        )
        command = [name, "-std=c++20", "-x", "c++", "-", "-o", str(OUT / "probe")]
        command += ["-fsanitize=fuzzer,address,undefined"]
        if subprocess.run(command, input=source, text=True, capture_output=True).returncode == 0:
            (OUT / "probe").unlink()
            return name
    sys.exit(NO_CLANG)


def build(clang: str, folder: Path, *, coverage: bool = False) -> None:
    """Configure and build; the tools are those beside this interpreter, else those on the PATH."""
    beside = str(Path(sys.executable).parent)
    cmake = shutil.which("cmake", path=beside) or "cmake"
    ninja = shutil.which("ninja", path=beside) or shutil.which("ninja")
    flags = [f"-DCMAKE_CXX_COMPILER={clang}", "-DSLM_PYTHON=OFF", "-DSLM_FUZZ=ON"]
    if ninja:
        flags += ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"]
    if coverage:
        counters = "-fprofile-instr-generate -fcoverage-mapping"
        flags += ["-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_CXX_FLAGS={counters} -O1"]
    else:
        flags += ["-DCMAKE_BUILD_TYPE=RelWithDebInfo"]
        flags += ["-DSLM_SANITIZE=fuzzer-no-link,address,undefined"]
        flags += ["-DCMAKE_CXX_FLAGS=-fno-sanitize-recover=all"]
    subprocess.run([cmake, "-S", str(ROOT), "-B", str(folder), *flags], check=True, stdout=-3)
    command = [cmake, "--build", str(folder), "--parallel", "2", "--target", "replay_tests"]
    command += [] if coverage else [f"fuzz_{target}" for target in SHARES]
    subprocess.run(command, check=True, stdout=-3)


def corpus_of(target: str) -> Path:
    """The growing corpus, with the kept inputs in it."""
    corpus = OUT / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for kept in (KEPT / target).glob("*"):
        shutil.copy(kept, corpus)
    return corpus


def run(target: str, folder: Path, seconds: int, jobs: int) -> list[Path]:
    """One target for so long; adds a line to the log and returns new findings."""
    findings = OUT / "findings" / target
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    command = [str(folder / f"fuzz_{target}"), str(corpus_of(target)), f"-fork={jobs}"]
    command += ["-ignore_crashes=1", "-ignore_timeouts=1", "-ignore_ooms=1", "-timeout=15"]
    command += ["-rss_limit_mb=3000", "-len_control=0", f"-max_len={MOST_BYTES[target]}"]
    command += [f"-max_total_time={seconds}", f"-artifact_prefix={findings}/"]
    start = time.monotonic()
    last = ("0", "0", "0", "0")
    with (OUT / f"{target}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        for line in process.stdout or ():
            log.write(line)
            if found := PROGRESS.match(line):
                last = found.groups()  # type: ignore[assignment]
        process.wait()
    taken = max(1.0, time.monotonic() - start)
    new = sorted(set(findings.iterdir()) - before)
    kinds = {
        kind: sum(p.name.startswith(kind) for p in new) for kind in ("crash", "timeout", "oom")
    }
    executions, edges, features, inputs = last
    row = (
        f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} {target:<8} {taken:6.0f} s "
        f"{executions:>10} executions {int(executions) / taken:7.0f}/s {edges:>6} edges "
        f"{features:>7} features {inputs:>6} inputs  "
        + " ".join(f"{kind}: {count}" for kind, count in kinds.items())
    )
    with (OUT / "log.txt").open("a", encoding="utf-8") as log:
        log.write(row + "\n")
    print(row, flush=True)
    return new


def is_slow(target: str, folder: Path, path: Path) -> bool:
    """Whether an input that took too long takes more than 5 s of processor time by itself."""
    before = os.times()
    command = [str(folder / "replay_tests"), target, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        return True
    after = os.times()
    taken = after.children_user + after.children_system
    return done.returncode != 0 or taken - before.children_user - before.children_system > 5


def say(target: str, folder: Path, found: list[Path]) -> None:
    """The smallest finding of each kind, with what it says when it is replayed."""
    kinds: dict[str, tuple[Path, str]] = {}
    for path in sorted(found, key=lambda path: path.stat().st_size):
        command = [str(folder / "replay_tests"), target, str(path)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=60
            )
            said = done.stderr if done.returncode else "passes when replayed"
        except subprocess.TimeoutExpired:
            said = "FUZZ FAILURE: takes more than 60 s"
        lines = [line for line in said.splitlines() if "FAILURE" in line or "ERROR" in line]
        lines = lines or [line for line in said.splitlines() if "runtime error" in line] or [said]
        kind = re.sub(r"0x[0-9a-f]+|==\d+==", "", lines[0])[:100]
        kinds.setdefault(kind, (path, said))
    for kind, (path, said) in kinds.items():
        print(f"\n{target}: {kind}\n  {path.relative_to(ROOT)}")
        print("\n".join("  " + line[:1500] for line in said.splitlines()[:24]))


def report_coverage(clang: str) -> None:
    """Replay kept and grown inputs with counters; print lines covered and functions never run."""
    folder = ROOT / "build" / "fuzz-coverage"
    build(clang, folder, coverage=True)
    raw, profile = OUT / "coverage-%p.raw", OUT / "coverage.profile"
    for old in OUT.glob("coverage-*.raw"):
        old.unlink()
    program = folder / "replay_tests"
    for target in SHARES:
        for path in sorted(corpus_of(target).iterdir()):
            subprocess.run(
                [str(program), target, str(path)],
                env={"LLVM_PROFILE_FILE": str(raw).replace("%p", "%1m")},
                capture_output=True,
            )
    version = match.group() if (match := re.search(r"-\d+$", clang)) else ""
    tools = [f"llvm-profdata{version}", f"llvm-cov{version}"]
    merge = [tools[0], "merge", "-sparse", *map(str, OUT.glob("coverage-*.raw")), "-o"]
    subprocess.run([*merge, str(profile)], check=True)
    core = [str(path) for path in sorted((ROOT / "kernels" / "core").iterdir())]
    base = [str(program), f"-instr-profile={profile}", *core]
    table = subprocess.run([tools[1], "report", *base], check=True, capture_output=True, text=True)
    print(table.stdout)
    functions = subprocess.run(
        [tools[1], "report", "-show-functions", base[0], base[1], *core],
        check=True,
        capture_output=True,
        text=True,
    )
    names = sorted({row.split()[0] for row in functions.stdout.splitlines() if " 0.00%" in row})
    plain = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True)
    print("never reached:\n" + (plain.stdout or "\n".join(names)))


def main() -> int:
    """Build, run every target for its share, print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="in all (default: 60)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument(
        "--targets", default=",".join(SHARES), help="some of: masks,memory,regex,program"
    )
    parser.add_argument("--clang", help="the compiler, where it has another name")
    parser.add_argument("--coverage", action="store_true", help="no fuzzing: what inputs reach")
    arguments = parser.parse_args()
    clang = find_clang(arguments.clang)
    if arguments.coverage:
        report_coverage(clang)
        return 0
    folder = ROOT / "build" / "fuzz"
    build(clang, folder)
    targets = arguments.targets.split(",")
    whole = sum(SHARES[target] for target in targets)
    failed = False
    for target in targets:
        seconds = max(5, round(arguments.seconds * SHARES[target] / whole))
        found = run(target, folder, seconds, arguments.jobs)
        slow = [path for path in found if path.name.startswith(("timeout", "slow-unit"))]
        busy = [path for path in slow if not is_slow(target, folder, path)]
        if busy:
            print(f"{target}: {len(busy)} inputs were slow only because the machine was busy")
        if found := [path for path in found if path not in busy]:
            say(target, folder, found)
            failed = True
    print(f"log: {(OUT / 'log.txt').relative_to(ROOT)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
