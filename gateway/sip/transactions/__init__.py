"""Transactions: repeats, timers, and who an answer belongs to (RFC 3261 section 17)."""
