"""Apps that Azure would not index, or that would misbehave there, are refused with the reason."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sandbox.host import ConfigurationRefusedError, FunctionRefusedError, SettingsMissingError, start
from tests.contract.host.conftest import AppFolder, StartHost

QUEUE = 'arg_name="msg", queue_name="q", connection="ServiceBus"'
BINARY = QUEUE + ", data_type=func.DataType.BINARY"


async def refusal(app_folder: AppFolder, source: str) -> str:
    app_folder.write(source)
    with pytest.raises(ConfigurationRefusedError) as caught:
        await start(app_folder.path, {"ServiceBus": "Endpoint=sb://localhost;SharedAccessKeyName=a;SharedAccessKey=b"})
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param(
            f"@app.service_bus_queue_trigger({BINARY})\ndef fun(msg: list[func.ServiceBusMessage]): ...",
            "cannot load the fun function: binding msg has invalid non-type annotation "
            "list[azure.functions._servicebus.ServiceBusMessage]",
            id="list",
        ),
        pytest.param(
            "@app.route()\ndef fun(req: func.HttpRequest | None): ...",
            "cannot load the fun function: binding req has invalid non-type annotation",
            id="union",
        ),
        pytest.param(
            "@app.route()\ndef fun(req: func.TimerRequest): ...",
            'type of req binding in the function definition "httpTrigger" does not match its Python annotation '
            '"TimerRequest"',
            id="wrong type",
        ),
        pytest.param("@app.route()\ndef fun(req: Nowhere): ...", "cannot be evaluated", id="unknown name"),
        pytest.param(
            "@app.route()\ndef fun(req: func.HttpRequest, extra: int): ...",
            "declared in Python but not in the function definition (function.json or function decorators): {'extra'}",
            id="extra parameter",
        ),
        pytest.param("@app.route()\ndef fun(): ...", "but not in Python: {'req'}", id="missing parameter"),
        pytest.param(
            "@app.route()\ndef fun(req, context: int): ...",
            'the "context" parameter is expected to be of type azure.functions.Context',
            id="context",
        ),
        pytest.param(
            "@app.route()\ndef fun(req) -> dict: ...",
            'Python return annotation "dict" does not match binding type "http"',
            id="return",
        ),
        pytest.param(
            f"@app.service_bus_queue_trigger({QUEUE})\ndef fun(msg): ...",
            "the app must set data_type=BINARY",
            id="text",
        ),
        pytest.param(
            f'@app.service_bus_queue_trigger({BINARY}, cardinality="many")\ndef fun(msg): ...',
            "cardinality MANY is not offered",
            id="many",
        ),
        pytest.param(
            f"@app.service_bus_queue_trigger({BINARY}, is_sessions_enabled=True)\ndef fun(msg): ...",
            "sessions are not offered",
            id="sessions",
        ),
        pytest.param(
            f"@app.service_bus_queue_trigger({BINARY}, auto_complete_messages=False)\ndef fun(msg): ...",
            "explicit settlement",
            id="settlement",
        ),
        pytest.param(
            '@app.service_bus_topic_trigger(arg_name="msg", topic_name="t", subscription_name="s", '
            'connection="ServiceBus")\ndef fun(msg): ...',
            "topics are not offered",
            id="topic",
        ),
        pytest.param(
            '@app.blob_trigger(arg_name="b", path="c/n", connection="S")\ndef fun(b): ...',
            "does not offer the binding 'blobTrigger'",
            id="blob",
        ),
        pytest.param(
            f'@app.service_bus_queue_trigger({BINARY})\n@app.retry(strategy="fixed_delay", max_retry_count="3", '
            'delay_interval="00:00:01")\ndef fun(msg): ...',
            "does not offer @retry",
            id="retry",
        ),
        pytest.param(
            '@app.timer_trigger(arg_name="t", schedule="0 0 25 * * *")\ndef fun(t): ...',
            "cannot load the fun function: '25' is outside the hour field",
            id="schedule",
        ),
        pytest.param(
            '@app.route(route="a/{x:regex(b)}")\ndef fun(req): ...', "is not offered by the local host", id="route"
        ),
        pytest.param(
            '@app.route(route="a/{x}", methods=["GET"])\ndef one(req): ...\n'
            '@app.route(route="A/{y}", methods=["GET", "PUT"])\ndef fun(req): ...',
            "cannot load the fun function: its route 'A/{y}' is taken by the function one",
            id="same route",
        ),
        pytest.param(
            '@app.route()\ndef fun(req): ...\n@app.function_name("fun")\n@app.route(route="x")\ndef two(req): ...',
            "fun",
            id="same name",
        ),
        pytest.param(
            '@app.route()\ndef fun(req): ...\n@app.function_name("FUN")\n@app.route(route="x")\ndef two(req): ...',
            "names must be unique",
            id="same name but for case",
        ),
        pytest.param("", "registers no function", id="empty"),
        pytest.param("other = func.FunctionApp()", "More than one FunctionApp", id="two apps"),
        pytest.param("del app", "Could not find top level function app instances", id="no app"),
    ],
)
async def test_refused(app_folder: AppFolder, source: str, reason: str) -> None:
    assert reason in await refusal(app_folder, source)


async def test_typing_list_is_a_type_for_the_worker_but_a_batch_all_the_same(app_folder: AppFolder) -> None:
    source = (
        "from typing import List\n"
        f'@app.service_bus_queue_trigger({BINARY}, cardinality="many")\ndef fun(msg: List[func.ServiceBusMessage]): ...'
    )
    assert "cardinality MANY" in await refusal(app_folder, source)


async def test_same_route_with_other_methods_is_allowed(start_host: StartHost) -> None:
    host = await start_host(
        '@app.route(route="a", methods=["GET"])\ndef one(req): ...\n'
        '@app.route(route="a", methods=["PUT"])\ndef two(req): ...'
    )
    assert [function.name for function in host.functions] == ["one", "two"]


async def test_all_missing_settings_are_named_at_once(app_folder: AppFolder) -> None:
    app_folder.write("""
        @app.service_bus_queue_trigger(arg_name="msg", queue_name="%QUEUE%", connection="Bus",
                                       data_type=func.DataType.BINARY)
        async def one(msg: func.ServiceBusMessage): ...
        @app.timer_trigger(arg_name="t", schedule="%WHEN%")
        async def two(t: func.TimerRequest): ...
    """)
    with pytest.raises(SettingsMissingError) as caught:
        await start(app_folder.path, {})
    message = str(caught.value)
    assert "QUEUE  (queue of one)" in message
    assert "Bus or Bus__fullyQualifiedNamespace  (connection of one)" in message
    assert "WHEN  (schedule of two)" in message
    assert "--set NAME=VALUE" in message


async def test_a_namespace_serves_as_connection(start_host: StartHost) -> None:
    host = await start_host(
        f"""
        @app.service_bus_queue_trigger({BINARY.replace('"q"', '"pre-%Q%"')})
        async def one(msg: func.ServiceBusMessage): ...
        """,
        {"ServiceBus__fullyQualifiedNamespace": "127.0.0.1", "ServiceBus__clientId": "id", "Q": "x"},
    )
    trigger = host.functions[0].trigger
    assert getattr(trigger, "queue", None) == "pre-x"
    assert getattr(trigger, "connection", None) is not None
    assert trigger.connection.namespace == "127.0.0.1"  # type: ignore[union-attr]
    assert trigger.connection.client_id == "id"  # type: ignore[union-attr]


async def test_malformed_connection_string(app_folder: AppFolder) -> None:
    app_folder.write(f"@app.service_bus_queue_trigger({BINARY})\nasync def one(msg): ...")
    with pytest.raises(ConfigurationRefusedError, match="connection string is malformed"):
        await start(app_folder.path, {"ServiceBus": "nonsense"})


async def test_settings_are_in_the_environment_before_the_import_and_gone_afterwards(start_host: StartHost) -> None:
    os.environ.pop("HOST_TEST_SETTING", None)
    host = await start_host(
        "import os\nseen = os.environ['HOST_TEST_SETTING']\n@app.route()\ndef one(req): ...",
        {"HOST_TEST_SETTING": "here"},
    )
    assert host.app_module.seen == "here"
    await host.stop()
    assert "HOST_TEST_SETTING" not in os.environ


async def test_the_app_leaves_the_process_with_its_own_packages(start_host: StartHost, app_folder: AppFolder) -> None:
    package = app_folder.path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "blueprint.py").write_text(
        "import azure.functions as func\nbp = func.Blueprint()\n@bp.route()\ndef one(req: func.HttpRequest): ...\n"
    )
    path_before = list(sys.path)
    host = await start_host("from own_package.blueprint import bp\napp.register_functions(bp)")
    assert [function.name for function in host.functions] == ["one"]
    assert sys.path[0] == str(app_folder.path)
    await host.stop()
    assert sys.path == path_before
    assert not {"function_app", "own_package", "own_package.blueprint"} & set(sys.modules)


async def test_what_fails_on_import_passes_through_and_leaves_nothing(app_folder: AppFolder) -> None:
    app_folder.write("raise ZeroDivisionError('at import')")
    with pytest.raises(ZeroDivisionError, match="at import"):
        await start(app_folder.path, {"HOST_TEST_SETTING": "x"})
    assert "HOST_TEST_SETTING" not in os.environ
    assert str(app_folder.path) not in sys.path


async def test_a_second_host_in_the_process_is_refused(start_host: StartHost, app_folder: AppFolder) -> None:
    await start_host("@app.route()\ndef one(req): ...")
    with pytest.raises(RuntimeError, match="already hosts"):
        await start(app_folder.path, {})


async def test_folder_without_app(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    with pytest.raises(ConfigurationRefusedError, match=r"has no function_app\.py"):
        await start(tmp_path, {})


def test_refusal_names_the_function() -> None:
    assert FunctionRefusedError("fun", "why").function_name == "fun"
