"""Language models: one file a runtime. The runtimes are loaded when asked for, never before."""

from slm.models.fake import FakeModel, scripted, uniform

__all__ = ["FakeModel", "scripted", "uniform"]
