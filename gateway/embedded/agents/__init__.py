"""Who speaks for the service: a script, an echo, a chat model."""
