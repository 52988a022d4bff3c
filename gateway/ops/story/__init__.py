"""The story of a call: what its record tells, laid out on one axis of time.

Pure: a record, and what its recordings sound like, become a :class:`Story`, which the console
draws in a browser and :mod:`gateway.ops.call_picture` as an image.
"""

from .record import Told, told_of
from .shapes import (
    Envelope,
    Interruption,
    Key,
    Lane,
    Line,
    Mark,
    Quality,
    QualityPoint,
    Span,
    Step,
    Story,
    Take,
    Turn,
)
from .telling import tell

__all__ = [
    "Envelope",
    "Interruption",
    "Key",
    "Lane",
    "Line",
    "Mark",
    "Quality",
    "QualityPoint",
    "Span",
    "Step",
    "Story",
    "Take",
    "Told",
    "Turn",
    "tell",
    "told_of",
]
