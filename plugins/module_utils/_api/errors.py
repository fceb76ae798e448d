# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of a cloud, and the one sentence that a user reads about each."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.libraries import keystone_errors
from ansible_collections.manila.migration.plugins.module_utils._model.wording import readable

_DENIALS = (
    "Access was denied",
    "Forbidden",
    "Not authorized",
    "Policy doesn't allow",
    "User does not have admin privileges",
)
"""How answers with 403 begin that are about the user (exception.py, webob); others are not."""


class CloudError(Exception):
    """An error as one sentence for the user.  ``status_code`` where HTTP said it."""

    def __init__(self, message: str, status_code: int | None = None) -> None:
        super().__init__(readable(message))
        self.status_code = status_code


class NotFound(CloudError):
    """What was asked for doesn't exist, or is hidden from this user."""


class Refused(CloudError):
    """Manila answered that it won't do it: nothing has happened."""


class Unknown(CloudError):
    """No answer, or a server error: it may have been done, or may be done later."""


def drop_retry_after(response: Any, **_more: Any) -> None:
    """Take a header away that python-manilaclient can't cope with.

    Of an answer of 429 or 503 with it no exception can be made (common/apiclient/exceptions.py,
    from_response): that ends in a TypeError, which says neither what was answered nor to what.
    """
    response.headers.pop("Retry-After", None)


def http_status(error: Exception) -> int | None:
    for name in ("http_status", "code"):
        status = getattr(error, name, None)
        if isinstance(status, int) and status:
            return status
    return None


def is_transient(error: Exception) -> bool:
    status = http_status(error)
    if status is not None:
        return status == 429 or status >= 500
    return isinstance(error, keystone_errors.ConnectionError)


def auth_url(config: Any) -> str:
    return str((config.get_auth_args() or {}).get("auth_url") or "")


def error_sentence(error: Exception, where: str = "") -> str:
    """Describe an error in words for a user who doesn't know the libraries."""
    status = http_status(error)
    at = f" at {where}" if where else ""
    if status == 401:
        return f"Keystone rejects the credentials{at}."
    text = " ".join(str(error).split()).rstrip(".")
    if status == 403 and (not text or text.startswith(_DENIALS)):
        rule = re.search(r"Policy doesn't allow (\S+) to be performed", text)
        named = f" ({rule[1]})" if rule else ""
        return (
            "this user may not do that; it takes the admin role, or one that Manila's policy "
            f"allows it{named}."
        )
    if status is None and isinstance(error, keystone_errors.ConnectionError):
        # What follows is the name of a class and an address in memory.
        return f"no answer: {text.split(': HTTP', 1)[0]}."
    return f"{text}{at if where not in text else ''}."
