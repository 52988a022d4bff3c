"""The tables about SIP: where it is listened for, who our neighbours are, who is kept out."""

import functools
import ipaddress
import re
from typing import Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from .sections import Table, Words, known_codecs

__all__ = [
    "LOOPBACK",
    "GuardSettings",
    "NumberSettings",
    "SipSettings",
    "TlsSettings",
    "TrunkSettings",
]

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")

_LOCAL: Final = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)

_BIND: Final = re.compile(r"(udp|tcp|tls|ws|wss):(\[[0-9A-Fa-f:]+\]|[^:\s]+):(\d{1,5})")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_COUNTRY: Final = re.compile(r"[1-9][0-9]{0,2}")
_NAMESERVER: Final = re.compile(r"(\[[0-9A-Fa-f:]+\]|[0-9.]+)(?::(\d{1,5}))?")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]+", re.IGNORECASE)
_STUN: Final = re.compile(r"stun:(\[[0-9A-Fa-f:]+\]|[^:\s]+)(:\d{1,5})?")
_DIGESTS: Final = frozenset({"SHA-512-256", "SHA-256", "MD5"})
_CALLER: Final = re.compile(r"(sip:[^@\s<>]+@[^@\s<>]+|[^@:\s<>]+)")
_SERVER: Final = re.compile(r"sip:(\[[0-9A-Fa-f:.]+\]|[^@:;?\s\[\]]+)(?::(\d+))?((?:;\S*)?)")
_TRANSPORT: Final = re.compile(r";transport=([^;]*)", re.IGNORECASE)
_CALLED_BY: Final = frozenset({"udp", "tcp", "tls"})


def _known_networks(hosts: list[str]) -> list[str]:
    """Return addresses and networks if they are well written."""
    for host in hosts:
        try:
            ipaddress.ip_network(host, strict=False)
        except ValueError:
            raise ValueError(
                f"{host!r} is not an IP address or network; write 10.0.0.5 or 10.0.0.0/24"
            ) from None
    return hosts


class TlsSettings(Table):
    """``[sip.tls]``: who we are to those who speak TLS with us, and whom we believe."""

    certificate: str = ""  # PEM file: our certificate, then those that lead to its authority
    key: str = ""  # PEM file of its key; empty: it stands in the certificate's file
    authorities: str = ""  # PEM file of those we believe; empty: the system's
    host: str = ""  # ours in Via and Contact over TLS
    clients: Literal["ignore", "ask", "require"] = "ask"  # the certificates of who connects

    @field_validator("host")
    @classmethod
    def _named(cls, host: str) -> str:
        if host and _HOST.fullmatch(host) is None:
            raise ValueError(f"{host!r} is no host name; write one such as sbc.example.com")
        return host


class SipSettings(Table):
    """``[sip]``: where calls come in, and how long a silent one is believed to live."""

    bind: Words = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
    external_ip: str = ""  # told to peers where it differs from ours; stun:HOST[:PORT] asks there
    local_networks: Words = list(_LOCAL)  # of peers that are told our own address all the same
    origins: Words = []  # of pages that connect by ws or wss; empty: any
    nameservers: Words = []  # IP[:PORT] of those asked for names; none: the system's
    tls: TlsSettings = TlsSettings()
    session_expires: int = Field(default=1800, ge=0, le=86_400)  # RFC 4028; 0: no session timer
    min_se: int = Field(default=90, ge=90, le=86_400)

    @field_validator("bind")
    @classmethod
    def _reachable(cls, binds: list[str]) -> list[str]:
        if not binds:
            raise ValueError("no address to listen on; name one, such as udp:127.0.0.1:5060")
        for bind in binds:
            match = _BIND.fullmatch(bind)
            if match is None or int(match[3]) > 65535:
                raise ValueError(
                    f"{bind!r} is not an address; write udp:HOST:PORT, or tcp, tls, ws, wss"
                )
        return binds

    @field_validator("nameservers")
    @classmethod
    def _askable(cls, servers: list[str]) -> list[str]:
        for server in servers:
            match = _NAMESERVER.fullmatch(server)
            try:
                ipaddress.ip_address(match[1].strip("[]") if match else "")
                if match and not _is_port(match[2]):
                    raise ValueError
            except ValueError:
                raise ValueError(
                    f"{server!r} is no name server; write 10.0.0.2 or 10.0.0.2:5353"
                ) from None
        return servers

    @field_validator("local_networks")
    @classmethod
    def _networks(cls, networks: list[str]) -> list[str]:
        return _known_networks(networks)

    @field_validator("external_ip")
    @classmethod
    def _numeric(cls, address: str) -> str:
        if not address or _STUN.fullmatch(address) is not None:
            return address
        try:
            is_somewhere = not ipaddress.ip_address(address).is_unspecified
        except ValueError:
            is_somewhere = False
        if not is_somewhere:
            raise ValueError(
                f"{address!r} is no address that others reach; write an IP address,"
                " such as 203.0.113.5, or stun:HOST to ask for it"
            )
        return address

    @field_validator("origins")
    @classmethod
    def _whole(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if _ORIGIN.fullmatch(origin) is None:
                raise ValueError(f"{origin!r} is no origin; write https://HOST, without a path")
        return origins

    @model_validator(mode="after")
    def _is_of_a_family_of_ours(self) -> "SipSettings":
        try:
            version = ipaddress.ip_address(self.external_ip).version
            families = {ipaddress.ip_address(host).version for host in self._hosts}
        except ValueError:  # none, or a name, which may be of both
            return self
        if version not in families:
            raise ValueError(
                f"sip.external_ip: {self.external_ip} is IPv{version}, and no address in"
                " sip.bind is; bind one, or write another"
            )
        return self

    @model_validator(mode="after")
    def _can_prove_itself(self) -> "SipSettings":
        secure = next((bind for bind in self.bind if bind.startswith(("tls:", "wss:"))), "")
        if secure and not self.tls.certificate:
            raise ValueError(f"{secure} needs a certificate; name its file in [sip.tls]")
        return self

    @model_validator(mode="after")
    def _can_ask(self) -> "SipSettings":
        is_asked_for = _STUN.fullmatch(self.external_ip) is not None
        if is_asked_for and not any(bind.startswith("udp:") for bind in self.bind):
            raise ValueError(f"{self.external_ip} is asked by UDP; add udp:HOST:PORT to bind")
        return self

    @model_validator(mode="after")
    def _lasts_long_enough(self) -> "SipSettings":
        if 0 < self.session_expires < self.min_se:
            raise ValueError(
                f"session_expires = {self.session_expires} is shorter than min_se = {self.min_se};"
                " write more, or 0 for no limit"
            )
        return self

    @property
    def host(self) -> str:
        """The host part of the first address listened on, without brackets."""
        return self._hosts[0]

    @property
    def _hosts(self) -> list[str]:
        matches = (_BIND.fullmatch(bind) for bind in self.bind)
        return [match[2].strip("[]") for match in matches if match] or ["127.0.0.1"]


class NumberSettings(Table):
    """``[trunks.numbers]``: how a neighbour writes telephone numbers, to make them E.164."""

    country: str = ""  # its own code; empty: left as they are
    international_prefix: str = "00"
    national_prefix: str = "0"

    @field_validator("country")
    @classmethod
    def _coded(cls, country: str) -> str:
        if country and _COUNTRY.fullmatch(country) is None:
            raise ValueError(f"{country!r} is no country's code; write its digits alone, as in 49")
        return country


class TrunkSettings(Table):
    """``[[trunks]]``: a SIP neighbour that may call us; everybody else is refused."""

    name: str = Field(min_length=1)
    hosts: Words = []  # its addresses and networks
    tls_names: Words = []  # or what its certificate calls it
    users: Words = ["*"]  # called numbers it may reach, shell patterns; others get 404
    server: str = ""  # sip:HOST[:PORT][;transport=…]: where calls to it go, and registrations
    register_: bool = Field(default=False, alias="register")
    register_seconds: int = Field(default=600, ge=60, le=86_400)
    username: str = ""
    password_env: str = ""
    password: SecretStr | None = None  # what that variable holds
    authenticate: Literal["address", "digest"] = "address"  # how it proves itself to us
    digests: Words = ["SHA-256", "MD5"]  # what it may prove its password by, the first preferred
    caller: str = ""  # the address our calls to it come from
    options_seconds: int = Field(default=0, ge=0, le=3600)  # it is asked so often whether it lives
    srtp: Literal["off", "optional", "required"] = "optional"
    srtp_keys: Literal["sdes", "dtls"] = "sdes"  # in our own offers
    ice: bool = False  # in our own offers: ICE-lite; one that is offered is always answered
    codecs: Words = []  # in place of [media] codecs
    ptime: int = Field(default=20, ge=10, le=60, multiple_of=10)  # of our own offers
    prack: Literal["off", "supported", "required"] = "supported"
    accepts_transfer: bool = False  # it may have us call elsewhere, by REFER and Replaces
    trusted: bool = False  # its P-Asserted-Identity is believed, and ours is told to it
    headers: Words = []  # of its INVITE, shell patterns: what a call's metadata holds
    numbers: NumberSettings = NumberSettings()
    max_calls: int = Field(default=0, ge=0)  # at a time; 0: as many as there is room for
    calls_per_second: float = Field(default=0, ge=0)  # 0: no limit of its own

    @field_validator("hosts")
    @classmethod
    def _networks(cls, hosts: list[str]) -> list[str]:
        if not hosts:
            raise ValueError("no host may call; list addresses or networks, such as 10.0.0.5")
        return _known_networks(hosts)

    @field_validator("server")
    @classmethod
    def _callable(cls, server: str) -> str:
        if not server:
            return server
        match = _SERVER.fullmatch(server)
        if match is None:
            raise ValueError(f"{server!r} is no server; write sip:HOST, sip:HOST;transport=tls")
        if not _is_port(match[2]):
            raise ValueError(f"{server!r} names a port that is none; write one from 1 to 65535")
        transport = _TRANSPORT.search(match[3])
        if transport and transport[1].lower() not in _CALLED_BY:
            raise ValueError(f"{server!r} cannot be called so; write ;transport=udp, tcp or tls")
        return server

    @field_validator("codecs")
    @classmethod
    def _known(cls, codecs: list[str]) -> list[str]:
        return known_codecs(codecs)

    @field_validator("digests")
    @classmethod
    def _digests(cls, digests: list[str]) -> list[str]:
        if not digests or not _DIGESTS.issuperset(digests):
            raise ValueError(f"write some of {', '.join(sorted(_DIGESTS, reverse=True))}")
        return digests

    @field_validator("username")
    @classmethod
    def _quotable(cls, username: str) -> str:
        if any(letter in '"\\' or not letter.isprintable() for letter in username):
            raise ValueError("holds quotes, backslashes or control characters; choose another")
        return username

    @field_validator("caller")
    @classmethod
    def _address(cls, caller: str) -> str:
        if caller and _CALLER.fullmatch(caller) is None:
            raise ValueError(f"{caller!r} is no address; write +15550100 or sip:USER@HOST")
        return caller

    @model_validator(mode="after")
    def _is_somebody(self) -> "TrunkSettings":
        if not (self.hosts or self.tls_names or self.server or self.authenticate == "digest"):
            raise ValueError(
                "nobody may call; write hosts = [ADDRESSES], tls_names, or authenticate"
            )
        if self.register_ and not self.server:
            raise ValueError('register = true needs to know where; write server = "sip:HOST"')
        if self.register_ and not self.username:
            raise ValueError('register = true needs to know as whom; write username = "NAME"')
        if self.authenticate == "digest" and not (self.username and self.password_env):
            raise ValueError('authenticate = "digest" needs username and password_env')
        if self.password_env and not self.username:
            raise ValueError('password_env is the password of somebody; write username = "NAME"')
        if self.caller and not (self.server or self.caller.startswith("sip:")):
            raise ValueError(f"caller needs a host; write sip:{self.caller}@HOST")
        if not (self.users or self.server):
            raise ValueError('users = [] lets it reach nobody; write users = ["*"], or remove it')
        if self.srtp == "off" and self.srtp_keys == "dtls":
            raise ValueError(
                'srtp = "off" needs no srtp_keys; remove them, or write srtp = "optional"'
            )
        if self.options_seconds and not self.probed:
            raise ValueError('options_seconds needs to know whom to ask; write server = "sip:HOST"')
        return self

    @property
    def probed(self) -> str:
        """The address that is asked whether the neighbour lives; empty where there is none."""
        if self.server:
            return self.server
        networks = (ipaddress.ip_network(host, strict=False) for host in self.hosts)
        alone = next((net.network_address for net in networks if net.num_addresses == 1), None)
        if alone is None:
            return ""
        return f"sip:[{alone}]" if alone.version == 6 else f"sip:{alone}"

    def is_from(self, address: str) -> bool:
        """Tell whether ``address`` (an IP address as text) belongs to this neighbour."""
        try:
            source = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(source, ipaddress.IPv6Address) and source.ipv4_mapped is not None:
            source = source.ipv4_mapped  # came by a socket of both kinds
        return any(source in _network(host) for host in self.hosts)


def _is_port(digits: str | None) -> bool:
    return digits is None or (len(digits) <= 5 and 0 < int(digits) <= 65535)


@functools.lru_cache(1024)
def _network(host: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(host, strict=False)


class GuardSettings(Table):
    """``[guard]``: what is done about those who are no neighbours of ours."""

    stealth: bool = False  # they are not answered at all
    requests_per_second: float = Field(default=10, gt=0)  # of one source that is no trunk
    trunk_requests_per_second: float = Field(default=1000, gt=0)
    ban_after: int = Field(default=10, ge=1)  # refusals within a minute
    ban_seconds: float = Field(default=600, ge=0)  # 0: nobody is banned
    scanners: Words = []  # more User-Agents that are dropped without an answer, shell patterns
