"""Opaque keys: PKeys and page positions, as encrypted-looking text that begins with @.

A key is bound to the instance (a secret in its database) and to what it names, so a key of another instance, of
another resource, or one made up by a client is recognised as garbage, as the real server does.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

_TAG_BYTES = 16


class KeyRing:
    """Seals text into keys and opens them again, with one secret for the instance's life."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, scope: str, text: str) -> str:
        """Return the key for `text`; the same text in the same scope always gives the same key."""
        plain = text.encode()
        tag = self._tag(scope, plain)
        return "@" + urlsafe_b64encode(tag + self._mask(tag, plain)).decode().rstrip("=")

    def unseal(self, scope: str, key: str) -> str | None:
        """Return the text inside a key, or None for anything that this instance did not seal in this scope."""
        body = key.removeprefix("@")
        try:
            raw = urlsafe_b64decode(body + "=" * (-len(body) % 4))
        except (Base64Error, ValueError):
            return None
        tag, masked = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        plain = self._mask(tag, masked)
        if self._tag(scope, plain) != tag:
            return None
        text = plain.decode()
        return text if self.seal(scope, text) == key else None

    def _tag(self, scope: str, plain: bytes) -> bytes:
        return hashlib.blake2b(scope.encode() + b"\0" + plain, key=self._secret, digest_size=_TAG_BYTES).digest()

    def _mask(self, tag: bytes, text: bytes) -> bytes:
        stream = hashlib.shake_256(self._secret + tag).digest(len(text))
        return bytes(left ^ right for left, right in zip(text, stream, strict=True))
