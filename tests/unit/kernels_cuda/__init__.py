"""The CUDA kernels without a GPU: emulated on the host, compiled where compilers are."""
