"""Sessions whose sound the service carries itself (WebRTC, SIP), in virtual time."""

import msgspec
import pytest
from rote_agent import RESPONSE, SECOND, Fake

from gateway.clock import CountedIds
from gateway.embedded.protocol.outbox import Hear, Speak
from gateway.embedded.protocol.session import Session
from gateway.embedded.protocol.sounds import Finish, Flush, Play
from gateway.media.playout import Playout
from gateway.realtime import commands as c
from gateway.realtime import events as e
from gateway.testing.service_client import ServiceClient

FRAME = 960  # bytes of 20 ms at 24 kHz


class Player:
    """Plays what a session gives it, a frame every 20 ms, as the media of a real peer would."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self._ring = Playout()
        self.heard_ms = 0

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self._client.sleep(0.02)
            self.drain()
            if self._ring.take(self._client.now) is not None:
                self.heard_ms += 20
            self.tell()

    def drain(self) -> None:
        for sound in self._client.session.sounds():
            match sound:
                case Play(mark, pcm):
                    frames = [pcm[at : at + FRAME] for at in range(0, len(pcm), FRAME)]
                    self._ring.append(frames, mark, len(pcm) / 48)
                case Finish(response_id):
                    self._ring.finish(response_id)
                case Flush():
                    self._ring.flush(self._client.now)

    def tell(self) -> None:
        events, self._ring.events = self._ring.events, []
        for event in events:
            self._client.session.played(event, self._client.now)  # type: ignore[arg-type]
        self._client.settle()


@pytest.fixture
def client(agent: Fake) -> ServiceClient:
    client = ServiceClient(lambda: agent, words=iter(["sales"] * 9), transport="webrtc")
    assert client.take() == ["session.created"]
    return client


def test_an_answer_is_played_and_not_sent(client: ServiceClient) -> None:
    player = Player(client)
    client.send(c.ResponseCreate())
    player.run(2.0)
    assert player.heard_ms == 1000
    names = [name for name in RESPONSE if name != "response.output_audio.delta"]
    assert [n for n in client.names if not n.startswith("output_audio_buffer")] == names
    assert client.names.index("output_audio_buffer.started") > client.names.index(
        "response.content_part.added"
    )
    assert client.names[-1] == "output_audio_buffer.stopped"
    done = client.last(e.ResponseDone).response
    assert client.last(e.OutputAudioBufferStopped).response_id == done.id


def test_a_caller_who_speaks_cuts_the_answer_and_the_item_keeps_what_was_heard(
    agent: Fake, speech: bytes
) -> None:
    client = ServiceClient(lambda: agent, speech_ms=5000, transport="webrtc")
    player = Player(client)
    client.send(c.ResponseCreate())
    for start in range(0, len(speech), FRAME):
        client.session.hear(speech[start : start + FRAME], client.now)
        player.run(0.02)
        if "input_audio_buffer.speech_started" in client.names:
            break
    heard_ms = player.heard_ms
    player.run(0.1)
    assert player.heard_ms <= heard_ms + 20
    assert client.names[-2:] == ["output_audio_buffer.cleared", "conversation.item.truncated"]
    truncated = client.last(e.ConversationItemTruncated)
    assert truncated.audio_end_ms == heard_ms
    client.send(c.ConversationItemRetrieve(item_id=truncated.item_id))
    part = (client.last(e.ConversationItemRetrieved).item.content or [])[0]
    assert (len(msgspec.json.decode(f'"{part.audio}"', type=bytes)), part.transcript) == (
        heard_ms * 48,
        None,
    )


def test_a_client_may_clear_what_is_played_and_the_rest_of_it_stays_unheard(agent: Fake) -> None:
    client = ServiceClient(lambda: agent, speech_ms=9000, transport="webrtc")
    player = Player(client)
    client.send(c.OutputAudioBufferClear())
    assert client.take() == ["session.created"], "nothing is played, so nothing is cut"
    client.send(c.ResponseCreate())
    player.run(1.0)
    client.send(c.OutputAudioBufferClear())
    player.run(3.0)
    assert player.heard_ms == 1000
    assert client.last(e.ConversationItemTruncated).audio_end_ms == 1000
    assert client.names.count("output_audio_buffer.cleared") == 1
    assert "output_audio_buffer.stopped" not in client.names
    assert client.last(e.ResponseDone).response.status == "completed"


def test_silence_counts_from_what_the_caller_heard_last(client: ServiceClient, agent: Fake) -> None:
    player = Player(client)
    turns = {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}
    client.send(c.SessionUpdate(session={"type": "realtime", "audio": {"input": turns}}))
    client.send(c.ResponseCreate())
    for _ in range(50 * 6):
        client.session.hear(SECOND[:FRAME], client.now)
        player.run(0.02)
    assert client.names[-1] == "output_audio_buffer.stopped"
    for _ in range(10):
        client.session.hear(SECOND[:FRAME], client.now)
        player.run(0.02)
    idle = client.last(e.InputAudioBufferTimeoutTriggered)
    assert idle.audio_end_ms - idle.audio_start_ms == 5000
    assert idle.audio_start_ms == pytest.approx(1000, abs=60)


def test_audio_by_event_is_refused_where_the_service_hears_the_caller(
    client: ServiceClient,
) -> None:
    client.send(c.InputAudioBufferAppend(audio=SECOND))
    assert client.last(e.ErrorEvent).error.param == "type"


def test_a_turn_by_ear_that_cannot_be_answered_is_told_and_never_raises(
    client: ServiceClient, speech: bytes
) -> None:
    turns = {"turn_detection": {"type": "server_vad", "interrupt_response": False}}
    client.send(c.SessionUpdate(session={"type": "realtime", "audio": {"input": turns}}))
    client.work_waits = True
    client.send(c.ResponseCreate())
    client.session.hear(speech, client.now)
    client.settle()
    assert client.last(e.ErrorEvent).error.code == "conversation_already_has_active_response"


def test_keys_are_told_on_a_telephone_call_alone(agent: Fake) -> None:
    frames = {}
    for transport in ("webrtc", "sip"):
        session = Session(lambda: agent, CountedIds(), now=0, unix_now=1, transport=transport)  # type: ignore[arg-type]
        observer = session.attach()
        observer.data_to_send()
        session.key("#", 1_700_000_000)
        frames[transport] = [msgspec.json.decode(frame) for frame in observer.data_to_send()]
    name = "input_audio_buffer.dtmf_event_received"
    assert frames == {
        "webrtc": [],
        "sip": [{"type": name, "event": "#", "received_at": 1_700_000_000}],
    }


def test_nobody_sees_a_hosted_call_until_a_sideband_is_attached_and_then_all_do(
    agent: Fake,
) -> None:
    session = Session(lambda: agent, CountedIds(), now=0, unix_now=1, transport="sip")
    session.key("1", 7)
    assert session.data_to_send() == []
    first, second = session.attach(), session.attach()
    assert [e.wire_name(e.decode(frame)) for frame in first.data_to_send()] == ["session.created"]
    second.data_to_send()
    session.receive(b"nonsense", 0.0, second)
    session.receive(c.encode(c.ResponseCreate()), 0.0, second)
    seen = [e.wire_name(e.decode(frame)) for frame in first.data_to_send()]
    assert seen[0] == "response.created"
    assert ["error", *seen] == [e.wire_name(e.decode(frame)) for frame in second.data_to_send()]
    session.detach(first)
    session.key("2", 8)
    assert (first.data_to_send(), len(second.data_to_send())) == ([], 1)
    assert all(isinstance(job, Speak | Hear) for job in session.jobs())


def test_a_sideband_of_a_webrtc_call_is_not_told_that_the_session_began(
    client: ServiceClient,
) -> None:
    sideband = client.session.attach()
    assert sideband.data_to_send() == []
    client.session.receive(c.encode(c.SessionUpdate(session={"type": "realtime"})), 0, sideband)
    assert [e.wire_name(e.decode(frame)) for frame in sideband.data_to_send()] == [
        "session.updated"
    ]
