# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect to a cloud.  ``Cloud`` is the one class that callers see, with all that its bases can do.

``transport`` sends requests, ``records`` reads what Manila has, ``reader`` reads how migrations
stand, ``actions`` changes something.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._api.actions import Actions
from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    auth_url,
    drop_retry_after,
    error_sentence,
    http_status,
)
from ansible_collections.manila.migration.plugins.module_utils._api.libraries import (
    MISSING,
    api_versions,
    constants,
    manila_client,
)
from ansible_collections.manila.migration.plugins.module_utils._api.reader import Reader

OLDEST_API = "2.73"
"""The newest API of Manila 15 (Zed), the oldest release this collection is tested with."""


class Cloud(Reader, Actions):
    """One cloud's Manila, as one administrator."""

    @classmethod
    def connect(cls, connection: Any) -> Cloud:
        """Connect through an openstacksdk connection.

        Finds the endpoint by the cloud's own configuration and chooses the microversion: the
        lower of what the server and python-manilaclient know.  Raises CloudError.
        """
        if MISSING:
            raise CloudError(
                f"python-manilaclient 6.3.0 or newer is needed on the host that runs the module: "
                f"{MISSING}."
            )
        config = connection.config
        try:
            endpoint = config.get_session_client("shared-file-system").get_endpoint()
        except Exception as error:  # plugins of keystoneauth raise bare ones for what is missing
            raise CloudError(error_sentence(error, auth_url(config)), http_status(error)) from None
        if not endpoint:
            raise CloudError(
                "The cloud's catalogue has no shared file system service (sharev2) for region "
                f"{config.get_region_name() or 'any'} and interface "
                f"{config.get_interface('shared-file-system') or 'public'}."
            )

        connection.session.session.hooks["response"].append(drop_retry_after)

        def client(version: str) -> Any:
            manila = manila_client.Client(
                api_version=api_versions.APIVersion(version),
                session=connection.session,
                service_catalog_url=endpoint,
                region_name=config.get_region_name(),
                timeout=60,
            )
            if not hasattr(manila.client, "endpoint_override"):
                # An older client's bare token ends in the middle of a long run.
                raise CloudError("python-manilaclient 6.3.0 or newer is needed; this one is older.")
            # Below 2.96 migrations are experimental; above, the header does no harm.
            manila.client.default_headers[constants.EXPERIMENTAL_HTTP_HEADER] = "true"
            return manila

        door = cls(client(OLDEST_API))
        door.retry_seconds = 0.0  # a wrong address shall be reported at once
        response, body = door._read(
            lambda: door._client.client.get_with_base_url(""), "the versions of the API", endpoint
        )
        version = _negotiate(body or {}, endpoint)
        local = time.time()
        return cls(client(version), skew=_skew(response, local))


def _negotiate(body: Mapping[str, Any], endpoint: str) -> str:
    """Return the newest microversion that both sides know.  Raises CloudError."""
    offered = [one for one in body.get("versions") or [] if one.get("version")]
    if not offered:
        raise CloudError(f"What answers at {endpoint} is no Manila with microversions.")
    newest = max(api_versions.APIVersion(one["version"]) for one in offered)
    known = api_versions.APIVersion(api_versions.MAX_VERSION)
    version = min(newest, known)
    if version < api_versions.APIVersion(OLDEST_API):
        raise CloudError(
            f"Manila at {endpoint} offers API {newest.get_string()}, python-manilaclient knows up "
            f"to {known.get_string()}; at least {OLDEST_API} (Manila 15, Zed) is needed."
        )
    return str(version.get_string())


def _skew(response: Any, local: float) -> float:
    """Return how many seconds the server's clock is ahead, from its Date header; 0 without one."""
    try:
        ahead = parsedate_to_datetime(response.headers["Date"]).timestamp() - local
    except (KeyError, TypeError, ValueError):
        return 0.0
    # The header counts whole seconds.
    return ahead if abs(ahead) > timedelta(seconds=2).total_seconds() else 0.0
