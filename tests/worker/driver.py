"""A process of its own that loads a function app with Azure's worker library and calls its functions as the host does.

Arguments: the library's folder, the message classes' folder, the app's folder. Input: a JSON list of calls
`{"function", "argument", "kind", "payload"}`; the kinds are `http`, `service_bus` and `timer`. Output: one JSON line
`{"loaded", "functions", "answers"}`. What anybody logs goes to standard error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import asdict, dataclass
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any


@dataclass(frozen=True)
class Answer:
    """`error` empty: the worker calls it a success. `status` and `body` of an HTTP answer."""

    error: str
    status: str = ""
    body: str = ""


class Worker:
    """The library's four requests, in the order in which a host makes them."""

    def __init__(self, library: Any, messages: Any, app: str) -> None:
        self.library = library
        self.messages = messages
        self.app = app
        self.ids: dict[str, str] = {}

    async def load(self) -> str:
        """Empty, or why the app was refused."""
        self.library.start_threadpool_executor()
        request = self.messages.WorkerInitRequest(function_app_directory=self.app)
        answer = await self.library.worker_init_request(self._request(worker_init_request=request))
        return _error(answer)

    async def functions(self) -> dict[str, list[Any]]:
        """Each function's bindings as the worker reports them to the host."""
        request = self.messages.FunctionsMetadataRequest(function_app_directory=self.app)
        answer = await self.library.functions_metadata_request(self._request(functions_metadata_request=request))
        self.ids = {found.name: found.function_id for found in answer.function_metadata_results}
        return {
            found.name: [json.loads(binding) for binding in found.raw_bindings]
            for found in answer.function_metadata_results
        }

    async def call(self, call: dict[str, Any]) -> Answer:
        """One invocation, with the data and the metadata that the host sends for this kind of trigger."""
        data, metadata = getattr(self, f"_{call['kind']}")(call["payload"])
        request = self.messages.InvocationRequest(
            invocation_id="1",
            function_id=self.ids[call["function"]],
            trigger_metadata=metadata,
            input_data=[self.messages.ParameterBinding(name=call["argument"], data=data)],
        )
        answer = await self.library.invocation_request(self._request(invocation_request=request))
        http = answer.return_value.http
        return Answer(_error(answer), http.status_code, http.body.bytes.decode() or http.body.string)

    def _request(self, **content: Any) -> SimpleNamespace:
        message = self.messages.StreamingMessage(**content)
        return SimpleNamespace(request=message, properties={"host": "127.0.0.1", "protos": self.messages})

    def _http(self, payload: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The host sends header names in lower case and bodies as bytes."""
        http = self.messages.RpcHttp(
            method="POST",
            url="http://127.0.0.1/api/dataverse",
            headers=payload["headers"],
            body=self._data(bytes=payload["body"].encode()),
        )
        return self._data(http=http), {}

    def _service_bus(self, payload: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Numbers travel as JSON. Without `UserProperties` the library cannot convert the message."""
        metadata = {
            "UserProperties": self._data(json="{}"),
            "ApplicationProperties": self._data(json="{}"),
            "MessageId": self._data(string=payload["message_id"]),
            "DeliveryCount": self._data(json="1"),
        }
        return self._data(bytes=payload["body"].encode()), metadata

    def _timer(self, payload: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return self._data(json=json.dumps({"IsPastDue": False, "Schedule": {}, "ScheduleStatus": None} | payload)), {}

    def _data(self, **content: Any) -> Any:
        return self.messages.TypedData(**content)


def _error(answer: Any) -> str:
    if answer.result.status == 1:  # StatusResult.Success
        return ""
    return str(answer.result.exception.message) or "failed without a message"


def _worker(library: str, messages: str, app: str) -> Worker:
    """Named at run time only: these packages are on nobody else's path, and one of them is called `tests`."""
    sys.path[:0] = [library, messages, app]
    sys.modules.setdefault("grpc", ModuleType("grpc"))  # the message classes import it and use nothing of it
    return Worker(import_module("azure_functions_runtime"), import_module("tests.protos"), app)


async def main(library: str, messages: str, app: str) -> None:
    """Calls run one after the other."""
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    worker = _worker(library, messages, app)
    loaded = await worker.load()
    functions = await worker.functions()
    answers = [asdict(await worker.call(call)) for call in json.load(sys.stdin)]
    sys.stdout.write(json.dumps({"loaded": loaded, "functions": functions, "answers": answers}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
