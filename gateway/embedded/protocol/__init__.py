"""One session of the protocol, sans-I/O: what a client may say, and what the service answers."""
