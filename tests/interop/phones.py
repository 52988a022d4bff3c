"""baresip as a phone: it calls or is called, speaks a tone, and keeps what it hears.

Each phone's folder holds its configuration, its log and the recordings it makes.
"""

import contextlib
import shutil
import subprocess
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peers import free_port
from voicecodecs.tones import tone

from gateway.testing.sound import write_wav

__all__ = ["Phone", "phone", "read_wav"]

CONFIG = """
poll_method epoll
sip_listen 127.0.0.1:{sip}
call_max_calls 4
audio_path /usr/share/baresip
audio_source aufile,{speech}
audio_level no
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_buffer 20-160
rtp_ports {rtp}-{rtp_end}
rtcp_mux no
jitter_buffer_delay 1-10
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
module stdio.so
module g711.so
module aufile.so
module sndfile.so
module srtp.so
module dtls_srtp.so
module_tmp uuid.so
module_tmp account.so
module_app contact.so
module_app menu.so
snd_path {folder}
"""
ACCOUNT = "<sip:{user}@127.0.0.1:{sip}>;regint=0;audio_codecs={codec};dtmfmode={keys}{more}\n"


@dataclass(frozen=True)
class Phone:
    """One running baresip."""

    process: subprocess.Popen[str]
    folder: Path
    port: int
    user: str

    @property
    def uri(self) -> str:
        """Where it is called."""
        return f"sip:{self.user}@127.0.0.1:{self.port}"

    @property
    def tls_uri(self) -> str:
        """Where it is called over TLS, if it has a certificate."""
        return f"sip:{self.user}@127.0.0.1:{self.port + 1};transport=tls"

    def press(self, keys: str) -> None:
        """Press keys of the call, at a person's pace."""
        assert self.process.stdin is not None
        for key in keys:
            self.process.stdin.write(key)
            self.process.stdin.flush()
            time.sleep(0.4)

    def heard(self) -> list[NDArray[np.int16]]:
        """Return what it heard in each of its calls, samples at 8 kHz; once it has ended."""
        paths = sorted(self.folder.glob("dump-*-dec.wav"))
        return [read_wav(path)[:, 0] for path in paths]


@contextlib.contextmanager
def phone(
    folder: Path,
    says: float | NDArray[np.int16],
    *,
    user: str = "bob",
    calls: str = "",
    codec: str = "pcmu",
    keys: str = "rtpevent",
    answers: bool = True,
    certificate: Path | None = None,
    authorities: Path | None = None,
    account: str = "",
    encrypts: str = "",
) -> Iterator[Phone]:
    """Run baresip until the block ends.

    Args:
        folder: Is made; everything of this phone is in it.
        says: What it says in each call: a tone of so many hertz, or samples at 8 kHz.
        calls: The address it calls at once, if any.
        answers: Whether it takes the calls it gets; else it rings for ever.
        certificate: What it shows over TLS, with the key; without one, it speaks none.
        authorities: Whom it believes over TLS.
        account: More parameters of its account, such as ``;auth_pass=…``.
        encrypts: What baresip calls the way it exchanges keys; empty for no encryption.

    """
    program = shutil.which("baresip")
    assert program, "baresip is missing: apt-get install baresip-core"
    folder.mkdir(parents=True)
    port = free_port(16)  # TLS has the next, and sound those that follow
    rtp = (port + 3) // 2 * 2
    pcm = says if isinstance(says, np.ndarray) else tone(says, 60_000, 8000, -12.0)
    speech = write_wav(folder / "speech.wav", pcm, 8000)
    config = CONFIG.format(sip=port, speech=speech, rtp=rtp, rtp_end=port + 15, folder=folder)
    if certificate is not None:
        config += f"sip_certificate {certificate}\n"
    if authorities is not None:
        config += f"sip_cafile {authorities}\n"
    (folder / "config").write_text(config)
    more = (";answermode=auto" if answers else "") + account
    more += f";mediaenc={encrypts}" if encrypts else ""
    (folder / "accounts").write_text(
        ACCOUNT.format(user=user, sip=port, codec=codec, keys=keys, more=more)
    )
    command = [program, "-f", str(folder), *(["-e", f"d {calls}"] if calls else [])]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True, cwd=folder
        )
    try:
        _until_ready(process, folder / "log")
        yield Phone(process, folder, port, user)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()


def read_wav(path: Path) -> NDArray[np.int16]:
    """Return the samples of a WAV file, shape (frames, channels)."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return samples.reshape(-1, file.getnchannels())


def _until_ready(process: subprocess.Popen[str], log: Path, within: float = 10.0) -> None:
    """Wait until baresip says that it is ready, which is when it can be called."""
    deadline = time.monotonic() + within
    while "is ready" not in log.read_text(errors="replace"):
        is_up = process.poll() is None and time.monotonic() < deadline
        assert is_up, f"baresip did not start:\n{log.read_text(errors='replace')}"
        time.sleep(0.02)
