"""Airbyte's Dataverse source reads the stand-in's contacts; run by bench.resync in an environment of its own.

The source is its own, but for two things: the address of the token service, which is fixed in its code, and the local
authority's certificate, as its requests pass by the variables that would name it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import requests.adapters
import source_microsoft_dataverse.dataverse as dataverse
import source_microsoft_dataverse.source as source_module
from airbyte_cdk.models import ConfiguredAirbyteCatalog

PAGE_ROWS = 5000  # its own default


def _local(settings: dict[str, str]) -> Any:  # noqa: ANN401 - the source's own kind
    def get_auth(config: dict[str, Any]) -> Any:  # noqa: ANN401
        return dataverse.MicrosoftOauth2Authenticator(
            token_refresh_endpoint=f"{settings['DYNAMICS_AUTHORITY']}/oauth2/v2.0/token",
            client_id=config["client_id"],
            client_secret=config["client_secret_value"],
            scopes=[f"{config['url']}/.default"],
            refresh_token="",
        )

    return get_auth


def main(file: str) -> None:
    """Prints how many records there were and how long it took."""
    settings: dict[str, str] = json.loads(Path(file).read_text(encoding="utf-8"))
    vars(requests.adapters)["DEFAULT_CA_BUNDLE_PATH"] = os.environ["REQUESTS_CA_BUNDLE"]
    dataverse.get_auth = source_module.get_auth = _local(settings)
    config = {
        "url": settings["DYNAMICS_URL"],
        "tenant_id": "local",
        "client_id": settings["DYNAMICS_CLIENT_ID"],
        "client_secret_value": settings["DYNAMICS_CLIENT_SECRET"],
        "odata_maxpagesize": PAGE_ROWS,
    }
    stream: dict[str, Any] = {
        "name": "contact",
        "json_schema": {"properties": {}},
        "supported_sync_modes": ["full_refresh"],
    }
    chosen: dict[str, Any] = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    chosen["primary_key"] = [["contactid"]]
    catalog = ConfiguredAirbyteCatalog.parse_obj({"streams": [chosen]})
    logging.disable(logging.CRITICAL)
    began, cpu = time.perf_counter(), time.process_time()
    records = 0
    for message in source_module.SourceMicrosoftDataverse().read(logging.getLogger("bench"), config, catalog):
        records += message.type.value == "RECORD"
    took = {"rows": records, "took_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    sys.stdout.write(json.dumps(took) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
