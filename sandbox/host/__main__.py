"""Lets `python -m sandbox.host` run the command."""

from __future__ import annotations

import sys

from sandbox.host.command import main

if __name__ == "__main__":
    sys.exit(main())
