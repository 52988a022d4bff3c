"""The embedded realtime service: the protocol on loopback, so that no account is needed."""
