"""The public test kit: scripted phones, lossy networks, virtual time, and ears that measure."""
