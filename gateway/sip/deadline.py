"""The earliest of several moments, some of which may never come."""

__all__ = ["earliest"]


def earliest(*times: float | None) -> float | None:
    """Return the least of ``times``; ``None`` stands for never."""
    return min((time for time in times if time is not None), default=None)
