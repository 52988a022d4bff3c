"""The SIP side alone: answers every call with a fixed description and lets it be.

It prints its address, then serves until its standard input closes.

    python -m rig.dialogs
"""

import asyncio
import json
import sys

from gateway.clock import RandomIds
from gateway.sip.admission import Policy, Verdict
from gateway.sip.agent import UserAgent
from gateway.sip.dialogs.incoming import IncomingSession
from gateway.sip.transport.address import Advertiser
from gateway.sip.transport.endpoint import SipEndpoint

ANSWER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=inactive\r\n"
)


async def main() -> None:
    """Serve until nobody reads what we could say."""
    verdict = Verdict(policy=Policy(session_expires=1800))
    agent = UserAgent(RandomIds(), advertise=Advertiser(), accepts=lambda request, flow: verdict)

    def answer(session: IncomingSession) -> None:
        session.answer(ANSWER, endpoint.now())
        endpoint.flush()

    endpoint = SipEndpoint(agent, ["udp:127.0.0.1:0"], answer)
    await endpoint.start()
    print(json.dumps({"port": int(endpoint.addresses[0].rsplit(":", 1)[1])}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await endpoint.close()


if __name__ == "__main__":
    asyncio.run(main())
