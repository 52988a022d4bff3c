"""Session descriptions and the offer/answer exchange, sans-I/O."""
