"""The opt-out folder on SFTP, S3 or Azure Blob Storage; each module implements `shared.ports.Files`."""

from __future__ import annotations

from shared.stores.files.unavailable import FilesUnavailableError

__all__ = ["FilesUnavailableError"]
