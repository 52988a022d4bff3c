"""What a message is: read, written, and taken apart."""
