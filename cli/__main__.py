"""`python -m cli` is the `bridge` command."""

from __future__ import annotations

from cli.main import main

main()
