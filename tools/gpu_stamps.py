"""Where the time of a launch goes: clock stamps at the steps of one row's first warp."""

from __future__ import annotations

import ctypes
from typing import Any

import torch

from slm.kernels.cuda import binary, launch, runtime
from slm.kernels.cuda.driver import Module
from slm.kernels.cuda.params import SampleParams
from slm.kernels.cuda.plan import Plan

_STAMP = "if ((threadIdx.x | (blockIdx.x & ((1u << p.rows.split_bits) - 1))) == 0) reinterpret_cast<i64*>(p.legal_mass)[{}] = clock64();"
_PLACES = (  # (name, text in sample.cuh, before it or after it)
    ("start", "  make_stats<T, kWay>(p);\n", False),
    ("early", "    if (warp_id() != 0) return;\n", True),
    ("philox", "    front()->heat = heat;\n", True),
    ("use", "    put_record<kFirst>(p.rows, slots, chunk, chunk_stat(values, heat.scale));\n", False),
    ("stat", "    put_record<kFirst>(p.rows, slots, chunk, chunk_stat(values, heat.scale));\n", True),
    ("stats", "  make_stats<T, kWay>(p);\n", True),
    ("gather", "  if (!gather(p.rows, p.tickets)) return;\n", True),
    ("sum", "  const Total total = add_up(slots, p.rows.chunks, heat.scale);\n", True),
    ("pick", "  // The sum has a 1 in it,", False),
    ("end", "    put_sample(p, share.row, pick, (pick.logit - total.top) * heat.inverse - log_sum, lse, flags);\n", True),
)


def stamped() -> Module:
    """The kernels with stamps."""
    files = dict(binary.sources())
    text = files["sample.cuh"]
    for i, (name, place, after) in enumerate(_PLACES):
        assert text.count(place) == 1, f"{name}: {text.count(place)} places"
        stamp = _STAMP.format(i) + "\n"
        text = text.replace(place, place + stamp if after else stamp + place)
    files["sample.cuh"] = text
    return Module(binary.compile_program(files.pop(binary.MAIN), files, runtime.device(0).architecture))


def measure(logits: Any, bitmask: Any, plans: list[Plan], say: Any) -> None:
    """Prints nanoseconds at 1.755 GHz between stamps, the median of some launches, cold and warm."""
    module = stamped()
    on = runtime.device(0)
    for plan in plans:
        deltas = []
        for _ in range(30):
            torch.cuda.synchronize()
            stamps = torch.zeros(16, dtype=torch.int64, device=logits.device)
            out = [torch.zeros(8, dtype=torch.int64, device=logits.device) for _ in range(4)]
            p = SampleParams()
            launch.fill_rows(p.rows, logits, bitmask, None, logits.shape[1])
            p.rows.temperature, p.position = 1.0, 5
            p.token, p.logprob, p.lse, p.status = (o.data_ptr() for o in out)
            p.legal_mass = stamps.data_ptr()
            p.rows.split_bits, p.rows.gather = plan.split_bits, plan.gather
            scratch = on.scratch(on.stream(), 1, p.rows.chunks * 8)
            p.scratch, p.tickets = (part.data_ptr() for part in scratch)
            module.kernel("slm_sample_bfloat16" + "_eager" * plan.eager).launch(
                p,
                blocks=plan.splits,
                threads=32 * plan.warps,
                shared=256 + p.rows.chunks * 8,
                cluster=plan.splits if plan.gather == 1 else 1,
                stream=on.stream(),
            )
            torch.cuda.synchronize()
            deltas.append(stamps[: len(_PLACES)])
        cycles = torch.stack(deltas).float()
        middle = (cycles - cycles[:, :1]).median(0).values.tolist()
        text = " ".join(f"{n} {m:.0f}" for (n, _, _), m in zip(_PLACES, middle, strict=True))
        say(f"{'BCT'[plan.gather]}{plan.split_bits}/{plan.warps}{'e' * plan.eager}: {text}")


assert ctypes.sizeof(SampleParams)
