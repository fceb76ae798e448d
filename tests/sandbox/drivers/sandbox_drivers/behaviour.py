# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches that are read from a small JSON file at every call, so they act while all runs.

``copy_seconds``, ``complete_seconds``, ``cancel_seconds`` and ``call_seconds`` set the speed, ``pool_factor`` how many
times larger than configured the pools are. ``fail`` maps the
name of a driver method to a list of back ends, share ids or share server ids (or ``*``) for
which that method raises; ``refuse`` and ``offer`` map capabilities, which the checks of
compatibility then deny or affirm. A back end stands for what happens at either end: which one
carries out a method of a migration differs between shares and share servers.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from manila import exception

_DEFAULTS: Mapping[str, Any] = {
    "copy_seconds": 3.0,
    "complete_seconds": 0.5,
    "cancel_seconds": 0.1,
    "call_seconds": 0.1,
    "pool_factor": 1.0,
    "fail": {},
    "refuse": {},
    "offer": {},
}


def switches() -> dict[str, Any]:
    """Return the switches as they are now; an unreadable file means the defaults."""
    try:
        chosen = json.loads(Path(os.environ["MANILA_SANDBOX_BEHAVIOUR"]).read_text("utf-8"))
    except (KeyError, OSError, ValueError):
        chosen = {}
    return {**_DEFAULTS, **chosen}


def _backend(text: str) -> str:
    """Return the back end of a ``host@backend#pool``, and an id as it is."""
    return text.rpartition("@")[2].partition("#")[0]


def _names(driver: Any, arguments: Iterable[Any]) -> set[str]:
    """Return what a call can be meant by: back ends, shares and share servers."""
    names = {"*", driver.configuration.config_group}
    for argument in arguments:
        if isinstance(argument, str):  # the host a share server is to go to
            names.add(_backend(argument))
            continue
        for key in ("id", "share_id", "host"):
            try:
                names.add(_backend(str(argument[key])))
            except (TypeError, KeyError, AttributeError, IndexError, ValueError):
                continue
    return names


def _last(switch: str) -> None:
    """Wait for as long as a switch says; it may be changed meanwhile."""
    begin = time.monotonic()
    while (left := begin + float(switches()[switch]) - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))


def steered(seconds: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a driver method obey: wait for as long as a switch says, or raise."""

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        name = method.__name__

        @wraps(method)
        def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            if seconds is not None:
                _last(seconds)
            victims = set(switches()["fail"].get(name, ()))
            if victims & _names(self, (*args, *kwargs.values())):
                raise exception.ShareBackendException(msg=f"{name} was told to fail")
            return method(self, *args, **kwargs)

        return wrapped

    return decorate


def answering(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make a check of compatibility obey: affirm what is offered, deny what is refused."""

    @wraps(method)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        answer = dict(method(self, *args, **kwargs))
        names = _names(self, (*args, *kwargs.values()))
        now = switches()
        for switch, value in (("offer", True), ("refuse", False)):
            for capability, victims in now[switch].items():
                if capability in answer and names & set(victims):
                    answer[capability] = value
        return answer

    return wrapped
