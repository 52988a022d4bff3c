"""Speech made and understood on this machine."""
