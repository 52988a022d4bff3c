"""The service's HTTP surface: sessions, calls, secrets, faults."""
