"""Our side of a call with a well-known peer, who is no more than its messages."""

from pathlib import Path

from gateway.calls.facts import CallFacts
from gateway.calls.trunks import Trunks
from gateway.clock import CountedIds
from gateway.config import Settings, TrunkSettings
from gateway.legs.events import LegEvent
from gateway.legs.sip_leg import SipLeg
from gateway.sdp.negotiate import Negotiated
from gateway.sip.admission import Verdict
from gateway.sip.dialogs.session_events import ReferReceived
from gateway.sip.flow import Flow, Transport
from gateway.sip.transport.address import Advertiser
from gateway.sip.wire.message import Request, Response
from gateway.testing.lanes import NotedLane
from gateway.testing.sip import Phone, VirtualNetwork

__all__ = ["CODECS", "PEERS", "SETTINGS", "TEAMS", "TWILIO_TLS", "Scene"]

PEERS = Path(__file__).parent / "peers"
CODECS = ("PCMU", "PCMA", "G722", "opus")
KNOWN = {
    "twilio": {"hosts": ["203.0.113.10"]},
    "twilio-secure": {"tls_names": ["*.pstn.carrier.example"], "srtp": "required"},
    "telnyx": {"hosts": ["192.0.2.40"]},
    "teams": {
        "tls_names": ["sip.pstnhub.example"],
        "server": "sip:sip.pstnhub.example:5061;transport=tls",
        "options_seconds": 60,
        "accepts_transfer": True,
    },
    "asterisk": {"hosts": ["192.0.2.50"]},
    "freeswitch": {"hosts": ["192.0.2.60"]},
    "cisco": {"hosts": ["192.0.2.70"]},
    "whatsapp": {"hosts": ["203.0.113.80"]},
}
SETTINGS = Settings.model_validate(
    {
        "sip": {
            "bind": ["udp:192.0.2.2:5060", "tls:192.0.2.2:5061"],
            "tls": {"certificate": "ours.pem", "clients": "ask", "host": "sbc.example"},
        },
        "realtime": {"provider": "custom", "url": "ws://127.0.0.1:1/v1/realtime"},
        "trunks": [
            {"name": name, "trusted": True, "srtp": "optional", "headers": ["X-*"], **told}
            for name, told in KNOWN.items()
        ],
    }
)
US = ("192.0.2.2", 5061)
TWILIO = Flow("udp", US, ("203.0.113.10", 5060))
TWILIO_TLS = Flow("tls", US, ("203.0.113.20", 40100), 1, names=("*.pstn.carrier.example",))
TEAMS = Flow("tls", US, ("198.51.100.76", 5061), 1, names=("*.pstnhub.example",))


class Scene:
    """Our gateway's side of one call with a peer who is no more than its messages."""

    def __init__(self, transport: Transport = "udp") -> None:
        self.network = VirtualNetwork()
        self.trunks = Trunks(SETTINGS, ids=CountedIds(), clock=lambda: self.network.now)
        self.phone: Phone = self.network.phone(
            "192.0.2.2",
            transport=transport,
            accepts=self.accepts,
            advertise=Advertiser(secure_host=SETTINGS.sip.tls.host),
        )
        self.lane = NotedLane()
        self.told: list[LegEvent] = []
        self.asked: list[ReferReceived] = []
        self.flow = TWILIO

    def accepts(self, request: Request, flow: Flow) -> Verdict:
        """Let in whom the configuration knows."""
        trunk = self.trunks.of(request, flow)
        return Verdict(403) if trunk is None else Verdict(policy=self.trunks.policy(trunk))

    @property
    def trunk(self) -> TrunkSettings | None:
        return self.trunks.of(self.phone.calls[-1].request, self.flow)

    def comes_from(self, host: str) -> None:
        """Have the peer send datagrams from a host."""
        self.flow = Flow("udp", US, (host, 5060))

    def send(self, name: str, **words: str) -> None:
        self.phone.agent.receive(written(name, **words), self.flow, self.network.now)
        self.phone.flush()
        self.network.run(0.05)

    def call(self, name: str, **words: str) -> SipLeg:
        """Have a peer call, and take that call as a leg."""
        self.send(name, **words)
        return SipLeg.incoming(
            self.phone.calls[-1],
            self.phone,
            self.lane,
            self.trunks.terms(self.trunk),
            self.told.append,
            on_refer=lambda leg, wish: self.asked.append(wish),
            ids=CountedIds(),
        )

    def take(self, name: str, **words: str) -> Negotiated:
        """Have a peer call, and answer; returns what was agreed."""
        leg = self.call(name, **words)
        leg.ring()
        leg.answer()
        self.network.run(0.05)
        assert "180 INVITE" in self.network.titles(), "it rings at once: some give up after 5 s"
        assert self.lane.holds == self.lane.digits == [], "nobody asked for that"
        return self.lane.agreed[-1]

    def reply(self) -> Response:
        message = self.network.last("200 INVITE")
        assert isinstance(message, Response)
        return message

    def facts(self) -> CallFacts:
        return CallFacts.of(self.phone.calls[-1].request, self.trunk)

    @property
    def tag(self) -> str:
        return self.reply().to.tag or ""

    @property
    def uri(self) -> str:
        return str(self.reply().contacts[0].uri)


def written(name: str, **words: str) -> bytes:
    """Return a peer's message as it goes over the wire."""
    text = (PEERS / f"{name}.sip").read_text()
    for key, word in {"branch": "1", **words}.items():
        text = text.replace(f"[{key}]", word)
    head, _, body = text.partition("\n\n")
    body = body.replace("\n", "\r\n")
    head = head.replace("\n", "\r\n").replace("[len]", str(len(body)))
    return f"{head}\r\n\r\n{body}".encode()
