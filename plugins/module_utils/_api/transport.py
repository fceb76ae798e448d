# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send requests to Manila and turn failures into errors.

Reads are raw GETs through python-manilaclient's session client (its Resource objects fetch
missing attributes one by one, and its list of share instances ignores filters).  Actions go
through its managers, which know how each microversion wants them.  Reads are retried, actions
never: a lost answer does not say whether Manila did the action (class Unknown).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from ansible_collections.manila.migration.plugins.module_utils._api.errors import (
    CloudError,
    NotFound,
    Refused,
    Unknown,
    error_sentence,
    http_status,
    is_transient,
)
from ansible_collections.manila.migration.plugins.module_utils._api.libraries import (
    api_versions,
    keystone_errors,
    manila_errors,
)
from ansible_collections.manila.migration.plugins.module_utils._model.kinds import SHARE_SERVER

T = TypeVar("T")


class Transport:
    """Requests to the Manila of one cloud: retries, the server's clock, counts of what was sent."""

    def __init__(
        self,
        client: Any,
        skew: float = 0.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``skew`` is how many seconds the server's clock is ahead of ``clock``."""
        self._client = client
        self._skew = skew
        self._clock = clock
        self._sleep = sleep
        self.retry_seconds = 90.0
        self.requests = 0
        self.effects = 0
        """How many actions may have had an effect: those accepted, and those with no clear answer."""

    @property
    def api_version(self) -> str:
        """Return the microversion in use."""
        return str(self._client.api_version.get_string())

    @property
    def keeps_disabled_reason(self) -> bool:
        """Say whether Manila stores why a service is disabled: from API 2.83 on."""
        return bool(self._client.api_version >= api_versions.APIVersion("2.83"))

    @property
    def counts_new_types(self) -> bool:
        """Say whether quotas count a migration to a new share type: from Manila 16 (2023.1) on.

        The API doesn't say; 15 is the only release supported whose newest API is 2.73.
        """
        return bool(self._client.api_version > api_versions.APIVersion("2.73"))

    @property
    def frees_addresses(self) -> bool:
        """Say whether Manila frees the addresses of a share server moved without disruption.

        It did before Manila 20 (2025.1), whose newest API is 2.89; that of 19 is 2.87.
        """
        return bool(self._client.api_version < api_versions.APIVersion("2.88"))

    def now(self) -> float:
        """Return the time by the server's clock, in seconds since the epoch."""
        return self._clock() + self._skew

    def _read(self, call: Callable[[], T], what: str, where: str = "") -> T:
        """Do a read, again with growing pauses while the error is transient.

        Raises NotFound where Manila answers 404, or else CloudError.
        """
        pause = 0.5
        deadline = self._clock() + self.retry_seconds
        while True:
            self.requests += 1
            try:
                return call()
            except (manila_errors.ClientException, keystone_errors.ClientException) as error:
                if not is_transient(error) or self._clock() + pause > deadline:
                    kind = NotFound if http_status(error) == 404 else CloudError
                    raise kind(
                        f"Could not read {what}: {error_sentence(error, where)}", http_status(error)
                    ) from None
            self._sleep(pause)
            pause = min(pause * 2, 15.0)

    def _get(self, path: str, key: str, what: str, **query: str) -> Any:
        """Return what a GET answers under ``key``.  Raises CloudError."""
        url = path + (f"?{urlencode(query)}" if query else "")
        _response, body = self._read(lambda: self._client.client.get(url), what)
        if not isinstance(body, dict) or key not in body:
            raise NotFound(
                f"Could not read {what}: the answer has no {key!r}; what answers at {path} is not "
                "what was expected of Manila."
            )
        return body[key]

    def _act(self, call: Callable[[], Any]) -> None:
        """Send an action once.  Raises Refused or Unknown."""
        self.requests += 1
        try:
            call()
        except (manila_errors.ClientException, keystone_errors.ClientException) as error:
            status = http_status(error)
            # 429 comes from a proxy in front of Manila, which let nothing through.
            if status is not None and 400 <= status < 500:
                raise Refused(error_sentence(error), status) from None
            self.effects += 1
            raise Unknown(error_sentence(error), status) from None
        except (KeyError, TypeError):  # python-manilaclient takes answers apart
            self.effects += 1
            raise Unknown("the answer is not what was expected of Manila.") from None
        self.effects += 1

    def _manager(self, kind: str) -> Any:
        """Return python-manilaclient's manager of share servers or of shares."""
        return self._client.share_servers if kind == SHARE_SERVER else self._client.shares
