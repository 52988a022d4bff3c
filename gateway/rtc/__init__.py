"""WebRTC: one connection with sound both ways and a data channel, the sound as plain RTP."""

from .peer import Peer, PeerState, PeerStats
from .sound import AudioFormat, Decoder, Encoder

__all__ = ["AudioFormat", "Decoder", "Encoder", "Peer", "PeerState", "PeerStats"]
