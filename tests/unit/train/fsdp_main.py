"""`slm` in CPU processes that share out the model's parameters: ``python fsdp_main.py train …``.

accelerate takes FSDP from its environment on accelerators only. Here it is told that there are
some, after it has joined these processes over gloo on CPUs; all that follows is its own path.
Each process says how many of the model's numbers it holds.
"""

import os
import sys
from typing import Any

from accelerate.state import DistributedType, PartialState

from slm.cli.main import main
from slm.train.devices import Devices

usual = Devices.prepare


def prepare(devices: Devices, model: Any, optimizer: Any) -> Any:
    """`Devices.prepare`, and what came of it."""
    made = usual(devices, model, optimizer)
    parameters = list(made[0].parameters())
    own = sum(p.to_local().numel() for p in parameters)
    print(f"process {devices.rank}: {own} of {sum(p.numel() for p in parameters)}", file=sys.stderr)
    return made


if __name__ == "__main__":
    PartialState(cpu=True)
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    Devices.prepare = prepare  # type: ignore[method-assign]
    status = main(sys.argv[1:])
    PartialState().destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # gloo's threads may abort a process that takes itself down in order
