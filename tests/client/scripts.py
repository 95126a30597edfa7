"""The scripts of ``tests/data/client``, which the Python client and the browser's both have to follow.

A step does something and says what must come of it: ``sends`` and ``settles`` (nothing, where it does not say),
``told`` (types handed on), ``items``, ``running``, ``asks`` (the query of a connection) and ``retry_after_s``, each
where it is given.
"""

import json
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent.parent / "data" / "client"

NAMES: Final = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "backoff")

Script = dict[str, Any]


def script(name: str) -> Script:
    """One script."""
    found: Script = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found
