"""The human sides of a call: what a caller's leg can do and tell, whatever it is made of."""
