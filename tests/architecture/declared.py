"""The app's triggers as it declares them, read in a process of its own with an empty environment."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import function_app
functions = function_app.app.get_functions()
print(json.dumps({f.get_function_name(): [json.loads(b) for b in f.get_raw_bindings()] for f in functions}))
"""


@cache
def functions() -> dict[str, list[dict[str, Any]]]:
    """Bindings by function name. A process of its own: the library lets one app be listed only once."""
    done = subprocess.run([sys.executable, "-P", "-c", SCRIPT, str(ROOT)], capture_output=True, text=True, env={})
    assert done.returncode == 0, done.stderr
    found: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return found


def triggers(kind: str) -> dict[str, dict[str, Any]]:
    """The bindings of that type, by function name."""
    return {name: binding for name, bindings in functions().items() for binding in bindings if binding["type"] == kind}
