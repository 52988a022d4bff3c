"""Real-time transport: packets, order, keys, reports and their quality, all sans-I/O."""
