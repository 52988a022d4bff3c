"""Calls whose sound the service carries itself, by WebRTC or SIP."""
