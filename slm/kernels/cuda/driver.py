"""libcuda through ctypes: loads a module, finds its kernels, launches them. No torch, no toolkit.

Only the calls that are needed, with the newest entry point each one has had for years
(`cuLaunchKernelEx`: CUDA 11.8). Every status that is not success is an error with its name.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from typing import Any

_CLUSTER_DIMENSION = 4  # CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
_NON_PORTABLE_CLUSTER = 14  # CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED
_WRONG_CONTEXT = (201, 400)  # CUDA_ERROR_INVALID_CONTEXT, CUDA_ERROR_INVALID_HANDLE
_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_CAPABILITY = (75, 76)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, and …_MINOR


class DriverError(RuntimeError):
    """A call of the CUDA driver failed; the text has its name and the driver's words."""


class _Attribute(ctypes.Structure):
    # CUlaunchAttribute: an id, 4 bytes of padding, a union of 64 bytes.
    _fields_ = (("id", ctypes.c_uint), ("pad", ctypes.c_uint), ("value", ctypes.c_uint * 16))


class _Config(ctypes.Structure):
    # CUlaunchConfig
    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(_Attribute)),
        ("attribute_count", ctypes.c_uint),
    )


@functools.cache
def library() -> Any:
    """The driver's library, or an OSError where there is none."""
    if sys.platform == "win32":
        return ctypes.CDLL("nvcuda.dll")
    return ctypes.CDLL("libcuda.so.1")


def check(status: int, call: str) -> None:
    """Raises a DriverError unless `status` is success."""
    if status:
        name, text = ctypes.c_char_p(), ctypes.c_char_p()
        library().cuGetErrorName(status, ctypes.byref(name))
        library().cuGetErrorString(status, ctypes.byref(text))
        words = [(part.value or b"?").decode() for part in (name, text)]
        raise DriverError(f"{call}: {words[0]} ({status}): {words[1]}")


def driver_version() -> int:
    """The newest CUDA version the driver knows, as 1000 * major + 10 * minor."""
    version = ctypes.c_int()
    check(library().cuDriverGetVersion(ctypes.byref(version)), "cuDriverGetVersion")
    return version.value


def architectures() -> list[int]:
    """The architecture of every device that this process may use (90: sm_90). Makes no context.

    Raises:
        DriverError: the driver can't be started.
    """
    lib, count = library(), ctypes.c_int()
    check(lib.cuInit(0), "cuInit")
    check(lib.cuDeviceGetCount(ctypes.byref(count)), "cuDeviceGetCount")
    found = []
    for index in range(count.value):
        version = [ctypes.c_int(), ctypes.c_int()]
        for number, attribute in zip(version, _CAPABILITY, strict=True):
            status = lib.cuDeviceGetAttribute(ctypes.byref(number), attribute, index)
            check(status, "cuDeviceGetAttribute")
        found.append(10 * version[0].value + version[1].value)
    return found


def current_context() -> int:
    """The context that is current in this thread."""
    context = ctypes.c_void_p()
    check(library().cuCtxGetCurrent(ctypes.byref(context)), "cuCtxGetCurrent")
    return context.value or 0


class Kernel:
    """A function of a loaded module."""

    def __init__(self, function: ctypes.c_void_p, context: int) -> None:
        self.function = function
        self._context = ctypes.c_void_p(context)
        self._launch = library().cuLaunchKernelEx
        self._wide = False
        self._shared = 48 * 1024

    def launch(
        self,
        params: ctypes.Structure,
        *,
        blocks: int,
        threads: int,
        shared: int,
        cluster: int,
        stream: int,
    ) -> None:
        """Launches on `stream`; `params` is the kernel's only argument, copied by the call.

        Cost: one driver call, no allocation on the device, no synchronisation: safe in graphs.
        """
        if cluster > 8 and not self._wide:
            self._set(_NON_PORTABLE_CLUSTER, 1)
            self._wide = True
        if shared > self._shared:
            self._set(_DYNAMIC_SHARED, shared)
            self._shared = shared
        config = _Config((blocks, 1, 1), (threads, 1, 1), shared, stream, None, 0)
        if cluster > 1:
            attribute = _Attribute(_CLUSTER_DIMENSION)
            attribute.value[0:3] = (cluster, 1, 1)
            config.attributes = ctypes.pointer(attribute)
            config.attribute_count = 1
        pointers = (ctypes.c_void_p * 1)(ctypes.addressof(params))
        status = self._launch(ctypes.byref(config), self.function, pointers, None)
        if status in _WRONG_CONTEXT:  # a thread that never used this device, or uses another
            popped = ctypes.c_void_p()
            check(library().cuCtxPushCurrent_v2(self._context), "cuCtxPushCurrent")
            status = self._launch(ctypes.byref(config), self.function, pointers, None)
            library().cuCtxPopCurrent_v2(ctypes.byref(popped))
        if status:
            check(status, f"cuLaunchKernelEx ({blocks} blocks of {threads} threads)")

    def _set(self, attribute: int, value: int) -> None:
        status = library().cuFuncSetAttribute(self.function, attribute, value)
        check(status, "cuFuncSetAttribute")


class Module:
    """A binary in the current context."""

    def __init__(self, image: bytes, context: int | None = None) -> None:
        self._context = current_context() if context is None else context
        self._handle = ctypes.c_void_p()
        self._image = ctypes.create_string_buffer(image, len(image))
        status = library().cuModuleLoadData(ctypes.byref(self._handle), self._image)
        check(status, "cuModuleLoadData")
        self._kernels: dict[str, Kernel] = {}

    def kernel(self, name: str) -> Kernel:
        """The kernel of that name; kept, since finding it costs a call of the driver."""
        kernel = self._kernels.get(name)
        if kernel is None:
            function = ctypes.c_void_p()
            status = library().cuModuleGetFunction(
                ctypes.byref(function), self._handle, name.encode()
            )
            check(status, f"cuModuleGetFunction ({name})")
            kernel = self._kernels[name] = Kernel(function, self._context)
        return kernel


def has_driver() -> str | None:
    """None if libcuda is there, else why not."""
    if os.environ.get("SLM_CUDA_KERNELS") == "0":
        return "SLM_CUDA_KERNELS=0 is set"
    try:
        library()
    except OSError as error:
        return f"the CUDA driver's library can't be loaded: {error}"
    return None
