"""The gateway: builds everything from the settings, starts it, drains it, stops it."""

from .gateway import Gateway

__all__ = ["Gateway"]
