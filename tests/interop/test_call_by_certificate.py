"""`voice-gateway call` shows a certificate to a gateway that lets nobody in without one."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from certificates import Authority

from gateway.embedded.server import EmbeddedService
from gateway.testing.loopback import loopback_gateway

pytestmark = pytest.mark.interop


async def test_a_call_is_taken_with_a_certificate_and_not_without(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = str(authority.certificate("127.0.0.1"))
    believed = str(authority.file)
    tls = {"certificate": own, "authorities": believed, "clients": "require"}
    service = EmbeddedService("127.0.0.1", 0)
    await service.start()
    sip = {"bind": ["tls:127.0.0.1:0"], "tls": tls}
    async with loopback_gateway(service.url, sip=sip) as gateway:
        uri = gateway.sip_uri("demo")
        call = ("call", uri, "--authorities", believed, "--seconds", "1", "--json")
        codes = []
        for more in ((), ("--certificate", own)):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", *call, *more,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await process.communicate()
            json.loads(out)
            codes.append(process.returncode)
    await service.close()
    assert codes == [1, 0]
