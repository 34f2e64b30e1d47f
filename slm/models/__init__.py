"""Language models: one file a runtime. The runtimes are loaded when asked for, never before."""

from slm.models.fake import FakeModel, scripted, uniform
from slm.models.mask_table import MaskTable

__all__ = ["FakeModel", "MaskTable", "scripted", "uniform"]
