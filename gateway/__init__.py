"""A voice gateway: phone calls in, a realtime speech service out, call control in between."""

import os

__version__ = "0.1.0"

# The products of a tick are small: a pool of BLAS threads would only spin beside the one clock.
# Read by numpy when it is first imported, and by the processes we start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
