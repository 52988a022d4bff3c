"""A lane as the media thread knows it: both directions, reports, recording, and its orders.

Every method is called on the media thread with the time first, either at a tick or because
the lane's owner asked for it.
"""

from collections.abc import Callable

from ..clock import Ids
from ..rtp.dtmf import KeyDown, KeyEvent
from ..rtp.packet import is_rtcp
from ..sdp.negotiate import Negotiated
from .arrays import LaneArrays
from .events import KeyPressed, LaneEvent, MediaTimeout, RecordingStopped
from .formats import Format
from .group import Group
from .intake import Intake, aim_of
from .line import Line, empty
from .options import LaneOptions
from .outbox import Outbox
from .outlet import Outlet
from .playback import Playback
from .porter import Porter
from .ports import Address, PortPair
from .privacy import Privacy
from .receiver import Receiver
from .recorder import Recorder, Recording
from .reporter import Reporter
from .stats import LaneStats, opinion
from .tape import Tape
from .uplink import Source

__all__ = ["Seat"]


class Seat:
    """One row of the engine, taken by one lane."""

    def __init__(
        self,
        arrays: LaneArrays,
        outbox: Outbox,
        row: int,
        pair: PortPair,
        ids: Ids,
        group: Group,
        *,
        on_event: Callable[[LaneEvent], None],
        on_audio: Callable[[bytes], None],
        options: LaneOptions,
    ) -> None:
        ssrc = ids.number(1 << 32)
        # By chance (RFC 3550 section 5.1), and far from the wrap (RFC 3711 section 3.3.1).
        self._start = ids.number(1 << 15), ids.number(1 << 32)
        self.row = row
        self.pair = pair
        self.intake = Intake(arrays, row, ssrc, self._hear_key)
        self.source = Source(self.intake, options.uplink, on_audio)
        self.outlet = Outlet(arrays, row, pair.rtp, ssrc, on_event)
        self.reporter = Reporter(arrays, row, pair, ssrc, ids, self.intake)
        self.porter = Porter(pair, outbox)
        self.privacy = Privacy(self.intake, self.outlet, self.reporter, group)
        self.playback = Playback(self.outlet, self._trip, self._tell_playout)
        self.is_active = False  # something was negotiated
        self.group = group
        self._arrays = arrays
        self._outbox = outbox
        self._on_event = on_event
        self.options = options
        self._line: Line | None = None
        self._negotiated: Negotiated | None = None
        self._is_silence_told = False
        self._is_tone_told = False  # of the key that is down in the sound
        self._last_stats: LaneStats | None = None  # once the row is another lane's

    def sit(self, now: float, receiver: Receiver) -> None:
        """Take the row."""
        self._arrays.sequence[self.row], self._arrays.timestamp[self.row] = self._start
        self._arrays.output[self.row] = self.source.output
        self._arrays.detects[self.row] = self.options.detect_inband
        line = Line(receiver, self.pair.rtp, self.row, self._arrive, self._receive)
        self._line = self.privacy.line = line
        empty(self.pair.rtcp)
        receiver.add(self.pair.rtcp, self.row, self._receive_report)
        self._arrays.heard_at[self.row] = now

    def configure(self, now: float, negotiated: Negotiated) -> None:
        """Send and receive as negotiated, at first or from now on."""
        if negotiated is self._negotiated:
            return
        is_moved = aim_of(negotiated) != (self._negotiated and aim_of(self._negotiated))
        if is_moved and self._line is not None:
            self._line.part()  # what came until now shows where they were, not where they are
            self.outlet.aim(self.outlet.remote)  # the socket it had is closed
        self._negotiated = negotiated
        outlet, old = self.outlet, self.outlet.format
        new = Format.of(negotiated.codec)
        if new != old:
            self.playback.change(old, new)
        self.intake.configure(negotiated)
        outlet.configure(negotiated, new)
        if is_moved:
            outlet.aim(aim_of(negotiated).remote and self.intake.latch.remote)
        self.privacy.configure(now, negotiated)
        self.reporter.configure(now, negotiated, new.clock)
        self._arrays.heard_at[self.row] = now
        self._is_silence_told = False
        self.is_active = self.group.is_stale = True

    def settle(self, now: float, address: Address, is_report: bool) -> None:
        """Send to whom was proved to be the other side, and listen to nobody else."""
        if is_report or (self._negotiated is not None and self._negotiated.is_rtcp_mux):
            self.reporter.settle(now, address)
        if is_report:
            return
        self.intake.settle()
        is_moved = self.outlet.remote != address
        if is_moved and self._line is not None:
            self._line.part()
        self.intake.latch.prove(address, now)
        if is_moved:
            self.outlet.aim(address)
            self.group.is_stale = True

    def mute(self, now: float, caller: bool, agent: bool) -> None:
        """Say who is not heard."""
        del now
        self.intake.mute(caller)
        self.playback.mute_agent(agent)

    def conceal(self, now: float, is_concealed: bool) -> None:
        """Keep the caller's sound to ourselves, or stop that."""
        del now
        self.intake.conceal(is_concealed)

    def hold(self, now: float, is_held: bool) -> None:
        """Let silence take the place of both directions, or stop that."""
        self.outlet.is_held = is_held
        self.outlet.resume()
        self._arrays.heard_at[self.row] = now
        self.intake.hold(is_held)
        self.group.is_stale = True

    def press(self, now: float, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Send keys."""
        del now
        self.outlet.press(digits, duration_ms, gap_ms)
        self.group.is_stale = True

    def record(self, now: float, recorder: Recorder, path: str, rate: int | None) -> None:
        """Begin a recording, in place of any other."""
        self.stop_recording(now)
        of = self.outlet.format
        recording = recorder.start(path, rate or of.rate, self._recorded)
        tape = Tape(recorder, recording, of, has_keys=self.options.keys_in_recordings)
        self.outlet.tape = self.source.tape = tape
        self._arrays.is_taped[self.row] = self.group.is_stale = True

    def pause_recording(self, now: float, is_paused: bool) -> None:
        """Record silence, or sound again."""
        del now
        if self.source.tape is not None:
            self.source.tape.is_paused = is_paused

    def stop_recording(self, now: float) -> None:
        """End the recording, if there is one."""
        del now
        tape = self.source.tape
        if tape is not None:
            self.outlet.tape = self.source.tape = None
            self._arrays.is_taped[self.row] = False
            self.group.is_stale = True
            tape.stop()

    def tap(self, now: float, hear: Callable[[tuple[bytes, Format]], None] | None) -> None:
        """Have the loop hear what is played of the agent, or no longer."""
        del now
        if hear is None:
            self.outlet.tap(None)
            return
        outbox = self._outbox
        self.outlet.tap(lambda frame, of: outbox.parcel.append((hear, (frame, of))))

    def stand(self, now: float, receiver: Receiver) -> None:
        """Leave the row; the ports go on being drained."""
        self.stop_recording(now)
        self.reporter.leave(now)
        self._last_stats = self.stats()
        self.outlet.aim(None)  # its socket is about to be closed
        if self._line is not None:
            self._line.leave()
        receiver.drain_only(self.pair.rtcp)
        self.privacy.close()
        self.is_active = False
        self._arrays.clear(self.row)

    def keep_up(self, now: float, timeout: float, hold_timeout: float) -> None:
        """Do what is due now and then: reports, and saying that nothing comes."""
        self.reporter.keep_up(now)
        self.porter.keep_up(now)
        if self._negotiated is None:
            return
        is_held = self.outlet.is_held or self._negotiated.is_held or not self._negotiated.receives
        silent = now - float(self._arrays.heard_at[self.row])
        if silent < (hold_timeout if is_held else timeout):
            self._is_silence_told = False
        elif not self._is_silence_told:
            self._is_silence_told = True
            self.tell(MediaTimeout(silent, now, is_held))

    def stats(self) -> LaneStats:
        """Return the figures so far; safe from any thread."""
        if self._last_stats is not None:
            return self._last_stats
        intake, outlet, reports = self.intake, self.outlet, self.reporter.session
        cipher = self.privacy.cipher
        reception, bulk = intake.reception, int(self._arrays.bulk[self.row])
        jitter = float(self._arrays.jitter[self.row]) if bulk else reception.jitter_units
        codec = (intake.format or outlet.format).name
        lives = self.playback.live
        return LaneStats(
            codec=codec,
            srtp=self.privacy.suite,
            packets_received=reception.packets + bulk,
            packets_sent=int(self._arrays.sent[self.row]),
            lost=max(0, reception.lost),
            late=intake.order.late,
            duplicates=intake.order.duplicates,
            concealed=intake.concealed,
            malformed=intake.malformed,
            wrong_type=intake.wrong_type,
            wrong_source=intake.latch.foreign,
            wrong_ssrc=reception.foreign,
            overruns=intake.overruns,
            underruns=outlet.playout.underruns,
            dropped_playout=outlet.playout.dropped,
            live_dropped=sum(live.dropped for live in lives),
            live_made_up=sum(live.made_up for live in lives),
            live_masked=sum(live.masked for live in lives),
            send_errors=outlet.errors + self.reporter.errors,
            jitter=jitter / reception.clock,
            round_trip=reports.round_trip,
            remote_loss=reports.remote_loss,
            looped=intake.looped,
            forged=cipher.forged if cipher is not None else 0,
            repeated=cipher.repeated if cipher is not None else 0,
            unproved=self.porter.dropped,
            mos=opinion(codec, loss=reception.loss, round_trip=reports.round_trip),
        )

    def hear_tone(self, key: str, is_down: bool, duration_ms: int, now: float) -> None:
        """Pass on a key that was heard in the sound, unless its like come as events."""
        if self.source.tape is not None:
            self.source.tape.hear_key("inband", is_down)
        if is_down:
            self._is_tone_told = not self.intake.has_events
        if self._is_tone_told:
            self.tell(KeyPressed(key, "inband", is_down, duration_ms, now))

    def tell(self, event: LaneEvent) -> None:
        """Pass on what happened in the lane."""
        self._outbox.parcel.append((self._on_event, event))

    def _arrive(self, data: bytes, source: Address, now: float) -> None:
        """Take what may be anybody's, as it came."""
        if self._is_for_porter(data, source, now):
            return
        if (opened := self.privacy.open(data, source, now)) is not None:
            self._receive(opened, source, now)

    def _receive_report(self, data: bytes, source: Address, now: float) -> None:
        """Take what came to the port of the reports."""
        is_known = source[0] == self.reporter.host
        if self.porter.takes(data, source, now, is_known=is_known, is_report=True):
            return
        if (opened := self.reporter.open(data)) is not None:
            self.reporter.receive(opened, source, now)

    def _is_for_porter(self, data: bytes, source: Address, now: float) -> bool:
        is_known = source[:2] == self.intake.latch.remote
        return self.porter.takes(data, source, now, is_known=is_known)

    def _receive(self, data: bytes, source: Address, now: float) -> None:
        """Take a packet that is no longer encrypted, if it ever was."""
        if self._negotiated is None or self._is_for_porter(data, source, now):
            return
        if self._negotiated.is_rtcp_mux and is_rtcp(data):
            self.reporter.receive(data, source, now)
            return
        intake, line = self.intake, self._line
        # IPv6 sources have four parts.
        intake.receive(data, source[:2], now, proof=self.privacy.proof)
        if intake.is_waiting:
            self.group.waking.add(self)
        if line is None or not intake.latch.is_locked or source == line.peer:
            return
        if source[:2] != intake.latch.remote:
            return
        if line.may_settle:
            self.outlet.aim(source, line.settle_on(source, now))
            self.group.is_stale = True
        elif self.outlet.remote != source:
            self.outlet.aim(source)

    def _hear_key(self, key: KeyEvent, now: float) -> None:
        is_down = isinstance(key, KeyDown)
        duration = 0 if isinstance(key, KeyDown) else key.duration_ms
        if self.source.tape is not None:
            self.source.tape.hear_key("rfc4733", is_down)
        self.tell(KeyPressed(key.key, "rfc4733", is_down, duration, now))

    def _recorded(self, recording: Recording, problem: str) -> None:
        """Tell the end of a recording; called on the writer's thread."""
        path, on_event = recording.path, self._on_event
        has_file = recording.has_file
        self._outbox.add_late(
            lambda now: (on_event, RecordingStopped(path, now, problem, has_file))
        )

    def _trip(self) -> float | None:
        return self.reporter.session.round_trip if self.options.round_trip else None

    def _tell_playout(self) -> None:
        for event in self.outlet.playout.events:
            self.tell(event)
        self.outlet.playout.events.clear()
