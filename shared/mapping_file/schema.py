"""The JSON Schema that editors use: `python -m shared.mapping_file.schema > docs/mapping.schema.json`."""

from __future__ import annotations

import json
import sys
from typing import Any

from shared.mapping_file.file_models import File


def schema() -> dict[str, Any]:
    """Of the whole file. Rules between rows are not in it; `bridge mapping check` knows them."""
    made = File.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | made | {"title": "mapping.yaml"}


def text() -> str:
    """As it is published."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
