"""What operators see: logs, and later records, metrics and traces."""
