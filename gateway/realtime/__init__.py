"""The realtime speech service: its events, its commands and the links to it."""
