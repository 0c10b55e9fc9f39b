"""Route templates of HTTP triggers, matched as ASP.NET Core does for the subset that functions use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

_CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "guid": r"[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}",
    "alpha": r"[A-Za-z]+",
    "bool": r"[Tt]rue|TRUE|[Ff]alse|FALSE",
}
_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>[A-Za-z_]\w*)(?::(?P<constraint>\w+))?(?P<optional>\?)?\}")
_LITERAL, _CONSTRAINED, _FREE, _REST = range(4)


class RouteError(ValueError):
    """The template uses something that this host does not read."""


@dataclass(frozen=True)
class Route:
    """A compiled template; `methods` empty means every method, `rank` sorts specific templates first."""

    template: str
    path: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    rank: tuple[int, ...]

    def accepts(self, method: str) -> bool:
        return not self.methods or method in self.methods

    def parameters(self, path: str) -> dict[str, str] | None:
        """Return the decoded route parameters of a raw path, or None if it does not match; absent ones are left out."""
        match = self.pattern.fullmatch(path)
        if match is None:
            return None
        return {name: unquote(value) for name, value in match.groupdict().items() if value}

    def clashes_with(self, other: Route) -> bool:
        """Say whether some request could mean either route: same shape and a method in common."""
        overlap = not self.methods or not other.methods or bool(self.methods & other.methods)
        return overlap and _shape(self.template) == _shape(other.template)


def compile_route(template: str, methods: Iterable[str], prefix: str) -> Route:
    """Compile `prefix`/`template`.

    A segment is literal text, `{name}`, `{name?}`, `{name:int}` (also long, guid, alpha, bool) or, at the end,
    `{*name}`. Raises RouteError for anything else.
    """
    pattern, ranks = "", []
    for segment in filter(None, f"{prefix}/{template}".split("/")):
        text, rank = _segment(segment, template)
        pattern += text
        ranks.append(rank)
    return Route(
        template=template.strip("/"),
        path="/" + "/".join(filter(None, f"{prefix}/{template}".split("/"))),
        methods=frozenset(method.upper() for method in methods),
        pattern=re.compile(pattern + "/?", re.IGNORECASE),
        rank=tuple(ranks),
    )


def _segment(segment: str, template: str) -> tuple[str, int]:
    if "{" not in segment and "}" not in segment:
        return "/" + re.escape(segment), _LITERAL
    match = _PARAMETER.fullmatch(segment)
    if match is None or (match["constraint"] and match["constraint"] not in _CONSTRAINTS):
        raise RouteError(f"route {template!r}: segment {segment!r} is not offered by the local host")
    if match["rest"]:
        return rf"(?:/(?P<{match['name']}>.*))?", _REST
    value = f"/(?P<{match['name']}>{_CONSTRAINTS.get(match['constraint'], '[^/]+')})"
    return (f"(?:{value})?" if match["optional"] else value), _CONSTRAINED if match["constraint"] else _FREE


def _shape(template: str) -> str:
    return re.sub(r"\{(\*{0,2})\w+(:\w+)?\??\}", r"{\1\2}", template.lower())
