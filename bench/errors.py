"""The one way in which a bench run fails."""

from __future__ import annotations


class BenchError(RuntimeError):
    """The run measured something else than it says it does, or could not go on; the text says what happened."""
