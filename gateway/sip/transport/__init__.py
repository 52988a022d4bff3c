"""The sockets of SIP: datagrams, connections, and the endpoint that drives an agent by them."""
