"""Which store holds the opt-out files: chosen by the address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from azure.core.credentials_async import AsyncTokenCredential

from shared.stores.files.blob import BlobFiles

if TYPE_CHECKING:
    from shared.stores.files.s3 import S3Files
    from shared.stores.files.sftp import SftpFiles

FileStore: TypeAlias = "SftpFiles | S3Files | BlobFiles"


@dataclass(frozen=True)
class FileSecrets:
    """What the three stores may need; each uses its own."""

    sftp_key: str | None = None
    sftp_host_key: str | None = None
    s3_key_id: str | None = None
    s3_secret: str | None = None
    s3_region: str | None = None
    s3_endpoint: str | None = None
    blob_connection: str | None = None


def file_store(url: str, secrets: FileSecrets, credential: AsyncTokenCredential) -> FileStore:
    """By `sftp://`, `s3://` or `https://`. The caller closes it.

    The libraries of SFTP and S3 are loaded only by those who use them: together they take an eighth of a start.

    Raises ValueError for an address of another form, or for keys that are missing or wrong.
    """
    match urlsplit(url).scheme:
        case "sftp":
            if not secrets.sftp_key or not secrets.sftp_host_key:
                raise ValueError("an SFTP folder needs OPTOUT_SFTP_KEY and OPTOUT_SFTP_HOST_KEY")
            from shared.stores.files.sftp import SftpFiles

            return SftpFiles.from_settings(url, secrets.sftp_key, secrets.sftp_host_key)
        case "s3":
            from shared.stores.files.s3 import S3Access, S3Files, S3Place

            access = S3Access(secrets.s3_key_id, secrets.s3_secret, secrets.s3_region, secrets.s3_endpoint)
            return S3Files(S3Place.parse(url), access)
        case "https" | "http":
            return BlobFiles.from_settings(url, secrets.blob_connection, credential)
    raise ValueError("OPTOUT_FILES_URL must begin with sftp://, s3:// or https://")
