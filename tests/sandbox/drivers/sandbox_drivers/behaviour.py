# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches that are read from a small JSON file at every call, so they act while all runs.

``copy_seconds``, ``complete_seconds`` and ``call_seconds`` set the speed. ``fail`` maps the
name of a driver method to a list of back ends, share ids or share server ids (or ``*``) for
which that method raises.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from manila import exception

_DEFAULTS: Mapping[str, Any] = {
    "copy_seconds": 3.0,
    "complete_seconds": 0.5,
    "call_seconds": 0.1,
    "fail": {},
}


def switches() -> dict[str, Any]:
    """Return the switches as they are now; an unreadable file means the defaults."""
    try:
        chosen = json.loads(Path(os.environ["MANILA_SANDBOX_BEHAVIOUR"]).read_text("utf-8"))
    except (KeyError, OSError, ValueError):
        chosen = {}
    return {**_DEFAULTS, **chosen}


def _names(arguments: tuple[Any, ...], backend: str) -> set[str]:
    names = {"*", backend}
    for argument in arguments:
        for key in ("id", "share_id"):
            try:
                names.add(str(argument[key]))
            except (TypeError, KeyError, AttributeError, IndexError, ValueError):
                continue
    return names


def steered(seconds: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a driver method obey: wait for as long as a switch says, or raise."""

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        name = method.__name__

        @wraps(method)
        def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            now = switches()
            if seconds is not None:
                time.sleep(float(now[seconds]))
            victims = set(now["fail"].get(name, ()))
            if victims & _names((*args, *kwargs.values()), self.configuration.config_group):
                raise exception.ShareBackendException(msg=f"{name} was told to fail")
            return method(self, *args, **kwargs)

        return wrapped

    return decorate
