"""Plays the story and sums it up."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from sandbox.people import People
from sandbox.story.book import Book
from sandbox.story.chapters import CHAPTERS
from sandbox.world import World


async def play(world: World, people: People, tell: Callable[[str], None]) -> Book:
    """Every chapter, in order; a chapter that fails does not keep the next from being tried."""
    book = Book(world, people, tell)
    for chapter in CHAPTERS:
        await chapter(book)
    return book


async def summary(book: Book, console: Console) -> bool:
    """Print what happened; whether every expectation held."""
    table = Table(title="The story's summary", show_header=False)
    for name, number in (book.numbers | book.costs).items():
        table.add_row(name, str(number))
    for kind, calls in sorted((await book.people.engine_calls()).items()):
        table.add_row(f"engine calls: {kind}", str(calls))
    for name, value in _lag(list(book.world.host.heard.lags_s)).items():
        table.add_row(name, value)
    console.print(table)
    failed = [e for e in book.expectations if not e.held]
    for expectation in failed:
        console.print(f"[red]✗ {expectation.chapter}: {expectation.what}[/red]")
    console.print(f"{len(book.expectations) - len(failed)} of {len(book.expectations)} expectations held")
    return not failed


def _lag(lags_s: list[float]) -> dict[str, str]:
    """Seconds from the change's announcement to its settlement; waiting in an outage included."""
    if len(lags_s) < 2:
        return {}
    parts = statistics.quantiles(lags_s, n=20)
    return {"lag p50": f"{statistics.median(lags_s):.2f} s", "lag p95": f"{parts[18]:.2f} s"}
