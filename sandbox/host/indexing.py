"""From a loaded function app to indexed functions, with every reason for which Azure would index none of them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

from azure.functions.decorators.function_app import Function as DeclaredFunction
from azure.functions.decorators.function_app import FunctionRegister

from sandbox.host.errors import ConfigurationRefusedError, FunctionRefusedError, SettingsMissingError
from sandbox.host.functions import Function, HttpTrigger, QueueTrigger, TimerTrigger, Trigger
from sandbox.host.ncrontab import ScheduleError, parse
from sandbox.host.routes import RouteError, compile_route
from sandbox.host.settings import Connection, Resolver
from sandbox.host.signatures import check_signature


def index(app: FunctionRegister, settings: Mapping[str, str], route_prefix: str) -> tuple[Function, ...]:
    """Read the app's functions through azure-functions' own API.

    Raises FunctionRefusedError for the first function that Azure's worker or this host would not run, and
    SettingsMissingError once for all settings and connections that the bindings name and `settings` lacks.
    """
    resolver = Resolver(settings)
    functions = tuple(_function(declared, resolver, route_prefix) for declared in _declared(app))
    if resolver.missing:
        raise SettingsMissingError(dict.fromkeys(resolver.missing))
    _refuse_doubles(functions)
    return functions


def _declared(app: FunctionRegister) -> Sequence[DeclaredFunction]:
    try:
        declared: Sequence[DeclaredFunction] = app.get_functions()
    except ValueError as error:  # the library's own checks: no trigger, two triggers, one name twice
        raise ConfigurationRefusedError(str(error)) from error
    if not declared:
        raise ConfigurationRefusedError("function_app.py registers no function")
    return declared


def _function(declared: DeclaredFunction, resolver: Resolver, route_prefix: str) -> Function:
    name = str(declared.get_function_name())
    bindings = tuple(json.loads(raw) for raw in declared.get_raw_bindings())
    call = declared.get_user_function()
    _refuse_unoffered(name, declared, bindings)
    binding = next(item for item in bindings if str(item["type"]).endswith("Trigger"))
    trigger = _trigger(name, binding, resolver, route_prefix)
    return Function(
        name=name,
        trigger=trigger,
        call=call,
        parameter=str(binding["name"]),
        wants_context=check_signature(name, call, bindings),
        is_async=inspect.iscoroutinefunction(call),
        bindings=bindings,
    )


def _refuse_unoffered(name: str, declared: DeclaredFunction, bindings: Sequence[Mapping[str, Any]]) -> None:
    offered = {"httpTrigger", "serviceBusTrigger", "timerTrigger", "http"}
    for binding in bindings:
        if binding["type"] not in offered:
            raise FunctionRefusedError(name, f"the local host does not offer the binding {binding['type']!r}")
    if declared.get_settings_dict("retry_policy") is not None:
        raise FunctionRefusedError(
            name,
            "the local host does not offer @retry; on a Service Bus trigger Azure does not document it either: raise "
            "for a redelivery, or schedule the message again",
        )


def _trigger(name: str, binding: Mapping[str, Any], resolver: Resolver, route_prefix: str) -> Trigger:
    if binding["type"] == "httpTrigger":
        return _http(name, binding, route_prefix)
    if binding["type"] == "timerTrigger":
        return _timer(name, binding, resolver)
    return _queue(name, binding, resolver)


def _http(name: str, binding: Mapping[str, Any], route_prefix: str) -> HttpTrigger:
    template = str(binding.get("route", name))
    if not route_prefix and template.lower().strip("/").split("/")[0] == "admin":
        raise FunctionRefusedError(name, f"route {template!r}: /admin belongs to the host")
    try:
        route = compile_route(template, binding.get("methods", ()), route_prefix)
    except RouteError as error:
        raise FunctionRefusedError(name, str(error)) from error
    return HttpTrigger(route=route, keyed=str(binding.get("authLevel", "FUNCTION")).upper() != "ANONYMOUS")


def _timer(name: str, binding: Mapping[str, Any], resolver: Resolver) -> TimerTrigger:
    missing_before = len(resolver.missing)
    expression = resolver.text(str(binding["schedule"]), f"schedule of {name}")
    if len(resolver.missing) > missing_before:
        expression = "* * * * * *"  # never run: the missing setting is reported with the others
    try:
        schedule = parse(expression)
    except ScheduleError as error:
        raise FunctionRefusedError(name, str(error)) from error
    return TimerTrigger(
        expression=expression,
        schedule=schedule,
        run_on_startup=bool(binding.get("runOnStartup", False)),
        use_monitor=bool(binding.get("useMonitor", True)),
    )


def _queue(name: str, binding: Mapping[str, Any], resolver: Resolver) -> QueueTrigger:
    _refuse_queue_options(name, binding)
    return QueueTrigger(
        queue=resolver.text(str(binding["queueName"]), f"queue of {name}"),
        connection=_connection(name, binding, resolver),
    )


def _connection(name: str, binding: Mapping[str, Any], resolver: Resolver) -> Connection:
    return resolver.connection(str(binding["connection"]), f"connection of {name}")


def _refuse_queue_options(name: str, binding: Mapping[str, Any]) -> None:
    if "queueName" not in binding:
        raise FunctionRefusedError(name, "topics are not offered by the local host, only queues")
    if str(binding.get("cardinality", "ONE")).upper() == "MANY":
        raise FunctionRefusedError(
            name,
            "cardinality MANY is not offered: on Azure a batch settles as a whole, its locks are not renewed, and its "
            "metadata arrays lose empty entries, so that one message can show another's properties",
        )
    if str(binding.get("dataType", "")).upper() != "BINARY":
        raise FunctionRefusedError(
            name,
            "the app must set data_type=BINARY (func.DataType.BINARY): otherwise Azure lets top-level properties of a "
            "JSON body overwrite the message's metadata, such as CorrelationId or DeliveryCount",
        )
    if binding.get("isSessionsEnabled"):
        raise FunctionRefusedError(name, "sessions are not offered by the local host")
    if binding.get("autoCompleteMessages", True) is not True:
        raise FunctionRefusedError(
            name, "auto_complete_messages=False needs explicit settlement, absent in Python 3.11"
        )


def _refuse_doubles(functions: Sequence[Function]) -> None:
    seen: dict[str, Function] = {}
    for function in functions:
        other = seen.setdefault(function.name.lower(), function)
        if other is not function:
            raise FunctionRefusedError(function.name, f"another function is called {other.name}; names must be unique")
    routed = [(function, function.trigger.route) for function in functions if isinstance(function.trigger, HttpTrigger)]
    for position, (function, route) in enumerate(routed):
        for other, other_route in routed[:position]:
            if route.clashes_with(other_route):
                raise FunctionRefusedError(
                    function.name, f"its route {route.template!r} is taken by the function {other.name}"
                )
