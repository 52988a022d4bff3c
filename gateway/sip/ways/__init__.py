"""Where a request goes, and what is done where one way fails."""
