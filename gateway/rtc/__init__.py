"""WebRTC: one connection with sound both ways and a data channel, the sound as plain RTP."""

from .peer import Peer, PeerState, PeerStats

__all__ = ["Peer", "PeerState", "PeerStats"]
