"""The settings of the opt-out files: where they are, what they look like, when they are complete, refused or late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AnyUrl, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from shared.domain.optout_file import ExportForm, FilePolicy

Address = Annotated[str, BeforeValidator(lambda value: str(AnyUrl(value)).rstrip("/"))]
NonEmpty = Annotated[str, Field(min_length=1)]


class OptOutFileSettings(BaseModel):
    """Part of `shared.settings.Settings`, with the same rules."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, allow_inf_nan=False)

    optout_files_url: Address = Field(
        description="Where Campaign exports its opt-outs: sftp://USER@HOST:PORT/FOLDER, s3://BUCKET/PREFIX or "
        "https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX"
    )
    optout_sftp_key: SecretStr | None = Field(
        None, description="SFTP: the private key (OpenSSH PEM), or the path of its file."
    )
    optout_sftp_host_key: str | None = Field(
        None, description="SFTP: the server's public key as a known_hosts line, or the path of its file."
    )
    optout_s3_key_id: str | None = Field(None, description="S3: the access key's id.")
    optout_s3_secret: SecretStr | None = Field(None, description="S3: the access key's secret.")
    optout_s3_region: str | None = Field(None, description="S3: the bucket's region.")
    optout_s3_endpoint: str | None = Field(None, description="S3: another server than Amazon's that speaks S3.")
    optout_blob_connection: SecretStr | None = Field(
        None, description="Blob: the account's connection string, where the managed identity has no role there."
    )
    optout_file_pattern: NonEmpty = Field(
        "*", description="Names of the files that are exports; * and ? stand for any characters."
    )
    optout_file_marker: str | None = Field(
        None, description="A file is complete when another of its name and this suffix exists, e.g. .done"
    )
    optout_file_settle_seconds: float = Field(
        600, ge=0, description="Without a marker: a file is complete when its size and time rest this long."
    )
    optout_file_key: NonEmpty = Field("externalId", description="The header of the column with the contact's id.")
    optout_file_columns: str | None = Field(
        None, description="HEADER=ATTRIBUTE, comma-separated, where the headers are not the attributes' own names."
    )
    optout_file_delimiter: NonEmpty = Field(";", description="One character between cells, or \\t for a tab.")
    optout_file_encoding: NonEmpty = Field("utf-8", description="The files' encoding, by its usual name.")
    optout_file_true: NonEmpty = Field("true,1,yes", description="Words for opted out, comma-separated.")
    optout_file_false: NonEmpty = Field("false,0,no", description="Words for not opted out, comma-separated.")
    optout_file_time_column: str | None = Field(
        None, description="The header of a column with times, which are then checked and reported."
    )
    optout_file_time_format: str | None = Field(
        None, description="Its format in the letters of strptime, e.g. %d/%m/%Y %H:%M:%S; none: ISO 8601."
    )
    optout_file_most_bad_percent: float = Field(
        5, ge=0, le=100, description="A file with more bad rows than this, and more than ten, goes to quarantine."
    )
    optout_file_keep_days: float = Field(30, ge=0, description="Archived files are removed after this; 0: never.")
    optout_file_quota_bytes: int = Field(0, ge=0, description="The account's room; alarm from 80 % on; 0: not watched.")
    optout_file_late_hours: float = Field(26, ge=0, description="Alarm when no file was finished for longer; 0: never.")
    optout_file_unusual_factor: float = Field(
        10, ge=0, description="Alarm when a file has so many times more or fewer rows than usual; 0: never."
    )

    @field_validator("optout_file_delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        value = value.replace("\\t", "\t")
        if len(value) != 1 or value in '"\r\n':
            raise ValueError("one character, not a quote")
        return value

    @field_validator("optout_file_encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError("no encoding of text that is known") from None
        return value

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        form = self.export_form()
        if form.true & form.false:
            raise ValueError("OPTOUT_FILE_TRUE and OPTOUT_FILE_FALSE have a word in common")
        if form.time_format and not form.time_column:
            raise ValueError("OPTOUT_FILE_TIME_FORMAT is of no use without OPTOUT_FILE_TIME_COLUMN")
        return self

    def export_form(self) -> ExportForm:
        """What a file looks like."""
        return ExportForm(
            key=self.optout_file_key,
            columns=columns(self.optout_file_columns),
            delimiter=self.optout_file_delimiter,
            encoding=self.optout_file_encoding,
            true=words(self.optout_file_true),
            false=words(self.optout_file_false),
            time_column=self.optout_file_time_column or "",
            time_format=self.optout_file_time_format or "",
        )

    def file_policy(self) -> FilePolicy:
        """When a file is complete, refused, late, and how long it is kept."""
        return FilePolicy(
            settle_s=self.optout_file_settle_seconds,
            pattern=self.optout_file_pattern,
            marker=self.optout_file_marker or "",
            most_bad_percent=self.optout_file_most_bad_percent,
            keep_days=self.optout_file_keep_days,
            quota_bytes=self.optout_file_quota_bytes,
            late_hours=self.optout_file_late_hours,
            unusual_factor=self.optout_file_unusual_factor,
        )


def lacking(given: Mapping[str, str]) -> list[str]:
    """Fields that an SFTP folder needs besides its address; an address of another kind needs none."""
    if not given.get("optout_files_url", "sftp:").startswith("sftp:"):
        return []
    return [name for name in ("optout_sftp_key", "optout_sftp_host_key") if not given.get(name)]


def words(text: str) -> frozenset[str]:
    """Lower case, without the spaces around them."""
    return frozenset(word.strip().lower() for word in text.split(",") if word.strip())


def columns(text: str | None) -> dict[str, str]:
    """`HEADER=ATTRIBUTE, …` → attribute by header. Raises ValueError."""
    found = dict[str, str]()
    for pair in (text or "").split(","):
        header, equals, attribute = (part.strip() for part in pair.rpartition("="))
        if not pair.strip():
            continue
        if not equals or not header or not attribute.isidentifier():
            raise ValueError("OPTOUT_FILE_COLUMNS must look like HEADER=ATTRIBUTE, comma-separated")
        found[header] = attribute
    return found
