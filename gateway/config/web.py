"""The tables for people at a browser: ``[http]``, who may do what there, and ``[webrtc]``."""

import datetime
import ipaddress
import re
from typing import Final, Literal, TypeAlias

from pydantic import Field, SecretStr, field_validator, model_validator

from .sections import Table, Words, known_codecs

__all__ = ["ICE_SERVER", "HttpSettings", "IceServer", "RoleName", "TokenSettings", "WebRtcSettings"]

RoleName: TypeAlias = Literal["caller", "viewer", "supervisor", "admin"]

ICE_SERVER: Final = re.compile(
    r"(stun|turns?):(?://)?(\[[0-9A-Fa-f:.]+\]|[^\[\]:?/@\s]+)(?::([0-9]{1,5}))?"
    r"(?:\?transport=(udp|tcp))?"
)
"""The address of a STUN or TURN server (RFC 7064, RFC 7065): scheme, host, port, transport."""


class TokenSettings(Table):
    """``[[http.tokens]]``: who shows this token may do what its role may, under this name."""

    name: str = Field(min_length=1, max_length=64)
    role: RoleName
    token_env: str
    token: SecretStr | None = None  # what that variable holds
    expires: datetime.datetime | None = None


class HttpSettings(Table):
    """``[http]``: the pages, health and API listener."""

    bind: str = "127.0.0.1:8080"
    token_env: str = ""  # the variable with the token of an admin, the same as one of tokens
    token: SecretStr | None = None  # what that variable holds
    tokens: list[TokenSettings] = []
    signing_key_env: str = ""  # for tokens that the gateway makes; without it they end with it
    signing_key: SecretStr | None = None  # what that variable holds
    origins: Words = []  # other pages that may use the API
    trusted_proxies: Words = []  # addresses and networks that are believed for whom they ask

    @property
    def has_admin(self) -> bool:
        """Whether anybody is configured who may place calls."""
        return self.token is not None or any(one.role == "admin" for one in self.tokens)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: list[str]) -> list[str]:
        for one in proxies:
            try:
                network = ipaddress.ip_network(one, strict=False)
            except ValueError:
                raise ValueError(f"{one!r} is no address; write 127.0.0.1 or 10.0.0.0/8") from None
            if network.prefixlen == 0:
                raise ValueError(f"{one!r} is everybody; name the proxies alone")
        return proxies

    @field_validator("bind")
    @classmethod
    def _address(cls, bind: str) -> str:
        host, _, port = bind.rpartition(":")
        if bind and not (host and port.isdigit() and int(port) <= 65535):
            raise ValueError(f"{bind!r} is not an address; write HOST:PORT, or nothing for none")
        return bind


class IceServer(Table):
    """``[[webrtc.ice_servers]]``: a STUN or TURN server, for us and for the browsers."""

    urls: Words
    username: str = ""
    credential_env: str = ""
    credential: SecretStr | None = None  # what that variable holds

    @field_validator("urls")
    @classmethod
    def _known(cls, urls: list[str]) -> list[str]:
        if unknown := [url for url in urls if not ICE_SERVER.fullmatch(url)]:
            raise ValueError(f"{unknown[0]!r} is no such server; write stun:HOST or turn:HOST")
        return urls

    @property
    def is_relay(self) -> bool:
        """Whether it relays: TURN, under one of its addresses."""
        return any(url.startswith("turn") for url in self.urls)


class WebRtcSettings(Table):
    """``[webrtc]``: callers from web pages."""

    enabled: bool = True
    public: bool = False  # whoever reaches the page may call, without a token
    called: str = "web"  # the number that they have dialled, as far as profiles and rules go
    codecs: Words = ["opus", "G722", "PCMU", "PCMA"]
    host: str = ""  # where their sound is bound; empty: [media] host
    external_ips: Words = []  # told to them besides, where the ports are forwarded to us
    ice_servers: list[IceServer] = []
    candidates: Literal["all", "relay"] = "all"  # relay: nothing but TURN, both ways
    connect_seconds: float = Field(default=15.0, gt=0, le=120)
    calls_per_minute: int = Field(default=30, ge=1)  # of one address

    @field_validator("codecs")
    @classmethod
    def _known(cls, codecs: list[str]) -> list[str]:
        if not codecs:
            raise ValueError("an empty list cannot be offered; write such as opus and PCMU")
        return known_codecs(codecs)

    @field_validator("external_ips")
    @classmethod
    def _are_addresses(cls, external_ips: list[str]) -> list[str]:
        for one in external_ips:
            try:
                ipaddress.ip_address(one)
            except ValueError:
                raise ValueError(f"{one!r} is no address; write such as 203.0.113.7") from None
        return external_ips

    @model_validator(mode="after")
    def _is_reachable(self) -> "WebRtcSettings":
        if self.candidates == "relay" and not any(one.is_relay for one in self.ice_servers):
            raise ValueError('candidates = "relay" needs a turn: server in [[webrtc.ice_servers]]')
        return self
