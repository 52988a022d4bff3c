"""What is done outside of calls: registrations, and asking whether neighbours live."""
