"""The checks that Azure's Python worker makes on a function's parameters and annotations, with its messages.

One refused function makes the real worker index none of the app's functions, so the errors here name the function.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import azure.functions as func

from sandbox.host.errors import FunctionRefusedError

Bindings = tuple[dict[str, Any], ...]


def check_signature(name: str, call: Callable[..., Any], bindings: Bindings) -> bool:
    """Check `call` against its bindings and return whether it wants a `context`.

    Raises FunctionRefusedError for a parameter without binding or the reverse, for an annotation that is not a type
    (`list[...]` and `X | None` are not, to the worker) and for one that does not fit the binding.
    """
    parameters = dict(inspect.signature(call).parameters)
    annotations = _annotations(name, call)
    bound = {str(binding["name"]): binding for binding in bindings if binding["name"] != "$return"}
    wants_context = "context" in parameters and "context" not in bound
    if wants_context:
        del parameters["context"]
        _check_context(name, annotations)
    _check_names(name, set(parameters), set(bound))
    for parameter, binding in bound.items():
        if parameter in annotations:
            _check_input(name, parameter, annotations[parameter], str(binding["type"]))
    _check_return(name, annotations, bindings)
    return wants_context


def _annotations(name: str, call: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(call)
    except (NameError, TypeError, AttributeError) as error:
        raise FunctionRefusedError(name, f"its annotations cannot be evaluated: {error}") from error


def _check_context(name: str, annotations: Mapping[str, Any]) -> None:
    annotation = annotations.get("context", func.Context)
    if not isinstance(annotation, type) or annotation.__name__ != "Context":
        raise FunctionRefusedError(
            name, f'the "context" parameter is expected to be of type azure.functions.Context, got {annotation!r}'
        )


def _check_names(name: str, declared: set[str], bound: set[str]) -> None:
    if declared - bound:
        raise FunctionRefusedError(
            name,
            "the following parameters are declared in Python but not in the function definition "
            f"(function.json or function decorators): {declared - bound!r}",
        )
    if bound - declared:
        raise FunctionRefusedError(
            name,
            "the following parameters are declared in the function definition (function.json or function decorators) "
            f"but not in Python: {bound - declared!r}",
        )


def _check_input(name: str, parameter: str, annotation: object, binding_type: str) -> None:
    if not isinstance(annotation, type) and not _is_typing_generic(annotation):
        raise FunctionRefusedError(name, f"binding {parameter} has invalid non-type annotation {annotation!r}")
    converter = _converter(binding_type)
    if converter is None or not _fits(converter.check_input_type_annotation, annotation):
        raise FunctionRefusedError(
            name,
            f'type of {parameter} binding in the function definition "{binding_type}" does not match its Python '
            f'annotation "{getattr(annotation, "__name__", annotation)}"',
        )


def _check_return(name: str, annotations: Mapping[str, Any], bindings: Bindings) -> None:
    returned = next((binding for binding in bindings if binding["name"] == "$return"), None)
    if returned is None or "return" not in annotations:
        return
    annotation = annotations["return"]
    if not isinstance(annotation, type):
        raise FunctionRefusedError(name, f"has invalid non-type return annotation {annotation!r}")
    converter = _converter(str(returned["type"]))
    if converter is None or not _fits(converter.check_output_type_annotation, annotation):
        raise FunctionRefusedError(
            name,
            f'Python return annotation "{annotation.__name__}" does not match binding type "{returned["type"]}"',
        )


def _converter(binding_type: str) -> Any:  # noqa: ANN401 - the library's converters share no checked interface
    return func.get_binding_registry().get(binding_type)  # type: ignore[no-untyped-call]


def _is_typing_generic(annotation: object) -> bool:
    # The worker predates list[...]: it knows typing.List[...] as a generic type, and the built-in form not at all.
    origin = typing.get_origin(annotation)
    return isinstance(origin, type) and not isinstance(annotation, types.GenericAlias | types.UnionType)


def _fits(check: Callable[[Any], bool], annotation: object) -> bool:
    try:
        return bool(check(annotation))
    except TypeError:  # issubclass() of a typing generic, which the converter then does not accept
        return False
