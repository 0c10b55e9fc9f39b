"""HTTP triggers: what a function sees of a request, and what the caller sees of the answer."""

from __future__ import annotations

import asyncio
import gzip
import logging
import threading
import time
from datetime import timedelta

import aiohttp
import pytest
from yarl import URL

from sandbox.host.context import InvocationMark
from tests.contract.host.conftest import StartHost

ECHO = """
import json
@app.route(route="echo/{kind}/{id:int?}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    seen = {"method": req.method, "url": req.url, "headers": dict(req.headers.items()), "params": dict(req.params),
            "route": dict(req.route_params), "body": req.get_body().hex(), "name": context.function_name,
            "directory": context.function_directory, "id": context.invocation_id, "type": type(req).__module__}
    return func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json",
                             headers={"X-Answer": "yes", "Set-Cookie": "a=1; Path=/"})
"""


async def test_round_trip_of_bytes_headers_query_and_route(start_host: StartHost, http: aiohttp.ClientSession) -> None:
    host = await start_host(ECHO)
    body = bytes(range(256))
    url = f"{host.url}/api/echo/Gr%C3%BCn%2Fx/7?a=1&empty=&b=x%20y&a=2"
    async with http.post(URL(url, encoded=True), data=body, headers={"X-Mixed-Case": "Ä"}) as answer:
        assert answer.status == 201
        assert answer.headers["X-Answer"] == "yes"
        assert answer.headers.getall("Content-Type") == ["application/json"]
        assert answer.headers["Set-Cookie"] == "a=1; Path=/"
        seen = await answer.json()
    assert seen["method"] == "POST"
    assert seen["url"] == url
    assert seen["headers"]["x-mixed-case"] == "Ä"
    assert all(name == name.lower() for name in seen["headers"])
    assert seen["params"] == {"a": "1,2", "b": "x y"}
    assert seen["route"] == {"kind": "Grün/x", "id": "7"}
    assert bytes.fromhex(seen["body"]) == body
    assert seen["name"] == "echo"
    assert seen["type"] == "azure.functions.http"
    assert len(seen["id"]) == 36


async def test_compressed_body_arrives_as_sent(start_host: StartHost, http: aiohttp.ClientSession) -> None:
    host = await start_host(ECHO)
    packed = gzip.compress(b"{}")
    async with http.post(f"{host.url}/api/echo/x", data=packed, headers={"Content-Encoding": "gzip"}) as answer:
        seen = await answer.json()
    assert bytes.fromhex(seen["body"]) == packed
    assert seen["route"] == {"kind": "x"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/echo/x"), ("POST", "/api/echo"), ("POST", "/api/echo/x/notanumber"), ("POST", "/echo/x")],
)
async def test_unknown_route_or_method_is_404(
    start_host: StartHost, http: aiohttp.ClientSession, method: str, path: str
) -> None:
    host = await start_host(ECHO)
    async with http.request(method, host.url + path) as answer:
        assert answer.status == 404


async def test_what_a_function_may_return(start_host: StartHost, http: aiohttp.ClientSession) -> None:
    host = await start_host("""
        @app.route()
        def text(req: func.HttpRequest): return "grün"
        @app.route()
        def nothing(req: func.HttpRequest): return None
        @app.route()
        def number(req: func.HttpRequest): return 7
        @app.route()
        async def fails(req: func.HttpRequest): raise ValueError("the message stays in the log")
    """)
    async with http.get(f"{host.url}/api/text") as answer:
        assert (answer.status, await answer.text()) == (200, "grün")
    for name, status in (("nothing", 204), ("number", 500), ("fails", 500)):
        async with http.get(f"{host.url}/api/{name}") as answer:
            assert (answer.status, await answer.read()) == (status, b""), name
    assert host.invoker.statistics["fails"].failures == 1
    assert host.invoker.statistics["number"].failures == 1


async def test_synchronous_functions_run_in_threads(start_host: StartHost, http: aiohttp.ClientSession) -> None:
    host = await start_host(
        """
        import threading, time
        @app.route()
        def slow(req: func.HttpRequest) -> str:
            time.sleep(0.3)
            return threading.current_thread().name
        """,
        {"PYTHON_THREADPOOL_THREAD_COUNT": "4"},
    )
    began = time.monotonic()

    async def name() -> str:
        async with http.get(f"{host.url}/api/slow") as answer:
            return await answer.text()

    names = await asyncio.gather(*(name() for _ in range(4)))
    assert time.monotonic() - began < 0.9
    assert len(set(names)) == 4
    assert threading.main_thread().name not in names


async def test_keys(start_host: StartHost, http: aiohttp.ClientSession) -> None:
    host = await start_host(
        """
        @app.route(auth_level=func.AuthLevel.ANONYMOUS)
        def free(req: func.HttpRequest) -> str: return "in"
        @app.route(auth_level=func.AuthLevel.FUNCTION)
        def keyed(req: func.HttpRequest) -> str: return "in"
        """,
        function_key="k€y",
    )

    async def status(path: str, **headers: str) -> int:
        async with http.get(f"{host.url}/api/{path}", headers=headers) as answer:
            return answer.status

    assert await status("free") == 200
    assert await status("keyed") == 401
    assert await status("keyed?code=wrong") == 401
    assert await status("keyed?code=k%E2%82%ACy") == 200
    assert await status("keyed", **{"x-functions-key": "k€y"}) == 200


async def test_no_key_is_asked_for_by_default(start_host: StartHost, http: aiohttp.ClientSession) -> None:
    host = await start_host(
        "@app.route(auth_level=func.AuthLevel.FUNCTION)\ndef keyed(req: func.HttpRequest) -> str: return 'in'"
    )
    async with http.get(f"{host.url}/api/keyed") as answer:
        assert answer.status == 200


async def test_specific_route_wins_and_prefix_can_be_empty(start_host: StartHost, http: aiohttp.ClientSession) -> None:
    host = await start_host(
        """
        @app.route(route="{*rest}")
        def anything(req: func.HttpRequest) -> str: return "rest:" + req.route_params.get("rest", "-")
        @app.route(route="a/{name}")
        def param(req: func.HttpRequest) -> str: return "param"
        @app.route(route="a/b")
        def literal(req: func.HttpRequest) -> str: return "literal"
        """,
        host_json={"extensions": {"http": {"routePrefix": ""}}},
    )
    for path, expected in (("a/B", "literal"), ("a/c", "param"), ("x/y%20z", "rest:x/y z"), ("", "rest:-")):
        async with http.get(URL(f"{host.url}/{path}", encoded=True)) as answer:
            assert await answer.text() == expected


async def test_function_timeout_cancels_and_answers_500(
    start_host: StartHost, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    source = """
        ended = []
        @app.route()
        async def slow(req: func.HttpRequest) -> str:
            try:
                await asyncio.sleep(30)
            finally:
                ended.append(1)
        @app.route()
        async def own(req: func.HttpRequest) -> str:
            raise TimeoutError("the app's own")
        """
    host = await start_host(source, host_json={"functionTimeout": "00:00:00.2"})
    with caplog.at_level(logging.ERROR):
        for name in ("slow", "own"):
            async with http.get(f"{host.url}/api/{name}") as answer:
                assert answer.status == 500
    assert host.app_module.ended == [1]
    raised = [record.exc_info[0].__name__ for record in caplog.records if record.exc_info and record.exc_info[0]]
    assert raised == ["FunctionTimeoutError", "TimeoutError"]


@pytest.mark.timeout(20)
async def test_caller_gets_504_at_the_limit_and_the_call_runs_on(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    host = await start_host(
        """
        released, done = asyncio.Event(), asyncio.Event()
        @app.route()
        async def slow(req: func.HttpRequest) -> str:
            await released.wait()
            done.set()
            return "late"
        """,
        response_limit=timedelta(seconds=0.1),
    )
    async with http.get(f"{host.url}/api/slow") as answer:
        assert answer.status == 504
    host.app_module.released.set()
    await asyncio.wait_for(host.app_module.done.wait(), 2)


async def test_logs_have_no_body_and_no_header_values(
    start_host: StartHost, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    host = await start_host(ECHO)
    async with http.post(f"{host.url}/api/echo/x?code=s3cret", data=b"person", headers={"X-Secret": "hush"}) as answer:
        invocation = (await answer.json())["id"]
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("sandbox.host"))
    assert invocation in ours
    assert "Functions.echo" in ours
    assert not any(word in caplog.text for word in ("person", "hush", "s3cret"))


async def test_log_lines_are_marked_with_function_and_invocation(
    start_host: StartHost, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(mark := InvocationMark())
    host = await start_host("""
        import logging, threading
        def own_thread(context):
            context.thread_local_storage.invocation_id = context.invocation_id
            logging.getLogger("app").info("thread")
        @app.route()
        def speaks(req: func.HttpRequest, context: func.Context) -> str:
            logging.getLogger("app").info("call")
            thread = threading.Thread(target=own_thread, args=[context])
            thread.start(); thread.join()
            return context.invocation_id
    """)
    async with http.get(f"{host.url}/api/speaks") as answer:
        invocation = await answer.text()
    caplog.handler.removeFilter(mark)
    marks = {r.getMessage(): (vars(r)["function"], vars(r)["invocation"]) for r in caplog.records if r.name == "app"}
    assert marks == {"call": ("speaks", invocation), "thread": ("-", invocation)}
