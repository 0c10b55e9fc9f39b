"""The one error of the file stores, and what they all check of names and files."""

from __future__ import annotations

from shared.domain.optout_file import RemoteFile
from shared.errors import Reason, Retry

CHUNK_BYTES = 256 * 1024
CHANGED = "the file is not the one that was listed any more: somebody writes to it"


class FilesUnavailableError(Retry):
    """The server, the folder or a file could not be reached or read. The text names place and remedy, no content."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(Reason.FILES_UNREACHABLE, f"{place}: {problem}")
        self.place = place


def checked_name(name: str) -> str:
    """Raises ValueError for a name that would lead out of its folder."""
    if name in ("", ".", "..") or "/" in name:
        raise ValueError(f"not a file name: {name!r}")
    return name


def check_same(place: str, listed: RemoteFile, found: RemoteFile) -> None:
    """Raises FilesUnavailableError."""
    if (found.size, found.modified_at) != (listed.size, listed.modified_at):
        raise FilesUnavailableError(place, CHANGED)
