"""Calls: their dialogs, offers, refreshes and transfers."""
