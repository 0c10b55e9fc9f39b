"""From aiohttp's request to Azure's HttpRequest, and from what a function returns to a reply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import azure.functions as func
from aiohttp import web
from azure.functions.http import HttpRequestConverter, HttpResponseConverter
from azure.functions.meta import Datum


@dataclass(frozen=True)
class HttpReply:
    """Status, headers in order (Set-Cookie may repeat) and body of a reply."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def decode_request(request: web.Request, body: bytes, route_params: Mapping[str, str]) -> func.HttpRequest:
    """Build the request as the real host sends it.

    Header names are lower-case, repeated headers and query values are joined with commas, empty query values are
    dropped, the body is the exact bytes.
    """
    value = {
        "method": Datum(request.method, "string"),
        "url": Datum(f"{request.scheme}://{request.host}{request.raw_path}", "string"),
        "headers": _data(_joined((name.lower(), value) for name, value in request.headers.items())),
        "query": _data(_joined((name, value) for name, value in request.query.items() if value)),
        "params": _data(route_params),
        "body": Datum(body, "bytes"),
    }
    decoded: func.HttpRequest = HttpRequestConverter.decode(Datum(value, "http"), trigger_metadata={})
    return decoded


def encode_response(result: object) -> HttpReply:
    """Encode what an HTTP function returned: an HttpResponse, text (200), or None (204, as on Azure).

    Raises TypeError for anything else.
    """
    if result is None:
        return HttpReply(status=204)
    try:
        datum = HttpResponseConverter.encode(result, expected_type=None)
    except NotImplementedError:
        raise TypeError(
            f"an HTTP function must return azure.functions.HttpResponse or str, not {type(result).__name__}"
        ) from None
    if datum.type == "string":
        return HttpReply(200, (("Content-Type", "text/plain; charset=utf-8"),), str(datum.value).encode())
    parts = datum.value
    headers = [(name, str(value.value)) for name, value in parts["headers"].items()]
    cookies = [morsel.OutputString() for jar in parts["cookies"] or () for morsel in jar.values()]
    return HttpReply(
        status=int(parts["status_code"].value),
        headers=(*headers, *(("Set-Cookie", cookie) for cookie in cookies)),
        body=parts["body"].value,
    )


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _data(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}
