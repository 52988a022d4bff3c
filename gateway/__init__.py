"""A voice gateway: phone calls in, a realtime speech service out, call control in between."""

__version__ = "0.1.0"
