"""The invocation context that a function receives, and the mark that log lines carry."""

from __future__ import annotations

import contextvars
import logging
import secrets
import threading
from typing import cast

import azure.functions as func
from azure.functions import _abc as func_abc

_NO_INVOCATION = ("-", "-")
current_invocation: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar(
    "current_invocation", default=_NO_INVOCATION
)
_thread_local = threading.local()


class TraceContext(func_abc.TraceContext):
    """W3C trace context of one invocation; each starts a trace of its own."""

    def __init__(self) -> None:
        self._trace_parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"

    @property
    def trace_parent(self) -> str:
        return self._trace_parent

    @property
    def trace_state(self) -> str:
        return ""

    @property
    def attributes(self) -> dict[str, str]:
        return {}


class RetryContext(func_abc.RetryContext):
    """Always the first attempt: this host offers no retry policies."""

    @property
    def retry_count(self) -> int:
        return 0

    @property
    def max_retry_count(self) -> int:
        return 0

    @property
    def exception(self) -> func_abc.RpcException:
        return cast(func_abc.RpcException, None)  # as Azure's worker has it on a first attempt


class Context(func.Context):
    """What Azure's worker passes as `context`."""

    def __init__(self, *, function_name: str, function_directory: str, invocation_id: str) -> None:
        self._function_name = function_name
        self._function_directory = function_directory
        self._invocation_id = invocation_id
        self._trace_context = TraceContext()
        self._retry_context = RetryContext()

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def function_name(self) -> str:
        return self._function_name

    @property
    def function_directory(self) -> str:
        return self._function_directory

    @property
    def thread_local_storage(self) -> type[threading.local]:
        return cast(type[threading.local], _thread_local)  # the interface says type and means object

    @property
    def trace_context(self) -> func_abc.TraceContext:
        return self._trace_context

    @property
    def retry_context(self) -> func_abc.RetryContext:
        return self._retry_context


class InvocationMark(logging.Filter):
    """Adds `function` and `invocation` to every log record, "-" outside of a call.

    A thread that the app starts by itself is marked once it sets `context.thread_local_storage.invocation_id`, as on
    Azure.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        function, invocation = current_invocation.get()
        if (function, invocation) == _NO_INVOCATION:
            invocation = getattr(_thread_local, "invocation_id", invocation)
        record.function, record.invocation = function, invocation
        return True
