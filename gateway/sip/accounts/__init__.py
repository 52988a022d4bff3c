"""Who somebody is: digest, registrations, and whether neighbours live."""
