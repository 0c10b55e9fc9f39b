"""Claims-based security: which shared access signatures are valid, and what they open."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from sandbox.service_bus.addresses import path_of


class TokenError(Exception):
    """A token that is not accepted; the text says why and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Access to a path and everything below it until `expires_s` (seconds since 1970 UTC)."""

    path: str
    expires_s: int

    def covers(self, path: str) -> bool:
        """Whether the path is the granted one or lies below it; an empty grant opens the whole namespace."""
        return not self.path or path == self.path or path.startswith(self.path + "/")


class Authority:
    """Knows the shared keys by name.

    Clients sign with the wall clock, so expiry is judged by the wall clock too, whatever clock the queues follow.
    """

    def __init__(self, keys: Mapping[str, str], wall_clock: Callable[[], float] = time.time) -> None:
        self._keys = dict(keys)
        self._wall_clock = wall_clock

    def verify(self, token: str) -> Grant:
        """What the token opens. Raises TokenError.

        The signature is the base64 of HMAC-SHA256 over the resource as it is written in the token, a line feed and
        the expiry.
        """
        scheme, _, parameters = token.partition(" ")
        if scheme != "SharedAccessSignature":
            raise TokenError("only shared access signatures are offered, no tokens of Microsoft Entra ID")
        fields = dict(part.partition("=")[::2] for part in parameters.split("&"))
        if not {"sr", "sig", "se", "skn"} <= fields.keys() or not fields["se"].isdecimal():
            raise TokenError("a shared access signature has the fields sr, sig, se and skn")
        key = self._keys.get(unquote(fields["skn"]))
        if key is None:
            raise TokenError("no shared access policy has this key name")
        signed = hmac.digest(key.encode(), f"{fields['sr']}\n{fields['se']}".encode(), hashlib.sha256)
        if not hmac.compare_digest(base64.b64encode(signed), unquote(fields["sig"]).encode()):
            raise TokenError("the signature is not that of the shared key")
        grant = Grant(path_of(unquote(fields["sr"])), int(fields["se"]))
        if self.has_expired(grant):
            raise TokenError("the token has expired")
        return grant

    def has_expired(self, grant: Grant) -> bool:
        """Whether the grant's time is over."""
        return grant.expires_s <= self._wall_clock()
