"""The SFTP account's private key and the server's pinned host key, as settings hold them."""

from __future__ import annotations

from pathlib import Path

import asyncssh


def read_private_key(text_or_path: str) -> asyncssh.SSHKey:
    """From the key's text (PEM or OpenSSH, without passphrase) or the path of its file. Raises ValueError."""
    try:
        if text_or_path.lstrip().startswith("-----BEGIN"):
            # Where a setting must be one line, the line ends are written as two characters.
            return asyncssh.import_private_key(text_or_path.replace("\\n", "\n"))
        return asyncssh.read_private_key(Path(text_or_path))
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise ValueError("the SFTP key is not a private key without passphrase") from None
    except OSError as error:
        raise ValueError(f"the SFTP key's file cannot be read: {error.strerror}") from None


def read_host_key(line_or_path: str) -> asyncssh.SSHKey:
    """From `HOST TYPE KEY` (the host may be left out), or the path of a file with such a line. Raises ValueError."""
    words = _host_key_line(line_or_path).split()
    for position in range(len(words) - 1):
        try:
            return asyncssh.import_public_key(" ".join(words[position : position + 2]))
        except asyncssh.KeyImportError:
            continue
    raise ValueError("the SFTP host key is not a known_hosts line (HOST ssh-ed25519 AAAA…)")


def _host_key_line(line_or_path: str) -> str:
    if len(line_or_path.split()) > 1:
        return line_or_path
    try:
        return Path(line_or_path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"the SFTP host key is neither a line nor a readable file: {error.strerror}") from None
