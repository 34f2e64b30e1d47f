"""Benchmarks: masks beside their peers (`maskbench.py`) and the worst cases (`adversarial.py`)."""
