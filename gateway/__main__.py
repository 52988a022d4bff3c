"""`python -m gateway` is `voice-gateway`."""

from .cli import main

main()
