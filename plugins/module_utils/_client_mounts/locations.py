# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Export locations and sources of mounts: which are the same, and what to mount instead.

Pure: names are looked up by a function that the caller gives.  Imports ``options``.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Callable
from urllib.parse import unquote

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.options import (
    family,
    option_values,
)

# Name of a server -> its addresses in canonical form; none if it can't be told.
Resolve = Callable[[str], Collection[str]]

BEFORE = "before"
AFTER = "after"

# ``user@fsid.filesystem=/path``: mount.ceph(8), since Linux 5.17.  The monitors are in ``mon_addr``.
_CEPH_DEVICE = re.compile(r"[^@/:]*@[^@/:=]*\.[^@/:=]+=(/.*)")


@dataclass(frozen=True)
class Location:
    """What is mounted: an export location of Manila, or the source of a mount or of a line in fstab.

    ``unc`` is for ``//host/share``, otherwise it is ``host:/path``; ``hosts`` are canonical: more
    than one with CephFS only, none where the options alone say the server; ``path`` begins with a
    slash and ends with none.
    """

    unc: bool
    hosts: tuple[str, ...]
    path: str


# ``nfs://host:port/path``, which newer mount.nfs(8) take, with escapes of URLs; RFC 2224.
_NFS_URL = re.compile(r"nfs://([^/]+)(/.*)")


def parse_location(text: str) -> Location | None:
    """Read a source of a mount, in any of its forms.

    Args:
        text: ``host:/path``, ``[address]:/path``, ``//host/share``, that with backslashes,
            ``nfs://host/path``, ``:/path`` (a container engine that mounts NFS itself), or CephFS'
            ``user@fsid.name=/path``.

    Returns:
        The location, or None where it has another form.
    """
    if text.startswith(("//", "\\\\")):
        host, _slash, path = text.replace("\\", "/").lstrip("/").partition("/")
        return Location(True, (canonical_host(host),), _clean(path)) if host else None
    url = _NFS_URL.fullmatch(text)
    if url:
        return Location(False, (canonical_host(url.group(1)),), _clean(unquote(url.group(2))))
    device = _CEPH_DEVICE.fullmatch(text)
    if device:
        return Location(False, (), _clean(device.group(1)))
    hosts, colon, path = text.partition(":/")
    if not colon or "/" in hosts:
        return None
    named = tuple(canonical_host(host) for host in hosts.split(",")) if hosts else ()
    return Location(False, named, _clean(path))


def is_ceph_device(text: str) -> bool:
    """Return whether a source has CephFS' form with a file system's ID in place of the monitors."""
    return bool(_CEPH_DEVICE.fullmatch(text))


def _clean(path: str) -> str:
    return posixpath.normpath(f"/{path.lstrip('/')}")


def canonical_host(host: str) -> str:
    """Write a name or an address as all its other forms are written: no brackets, no port, no zone."""
    bracketed = re.fullmatch(r"\[([^]]*)\](?::\d+)?", host)
    if bracketed:
        host = bracketed.group(1)
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    host = host.partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().rstrip(".")
    return str(getattr(address, "ipv4_mapped", None) or address)


def form_of(host: str) -> str:
    """Tell a ``name`` from an address, ``4`` or ``6``."""
    try:
        return str(ipaddress.ip_address(host).version)
    except ValueError:
        return "name"


@dataclass(frozen=True)
class Share:
    """A share with its export locations before and after."""

    id: str
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def locations(self, side: str) -> tuple[str, ...]:
        """Give the export locations of a side."""
        return self.before if side == BEFORE else self.after

    def label(self) -> str:
        """Name it in a message."""
        return f"{self.name} ({self.id})" if self.name else self.id


@dataclass(frozen=True)
class Match:
    """A source that is an export of a share, or lies below one.

    ``number`` is the place of the location in its list; ``certain`` is False where only the path
    agrees, and the server is none that is known.
    """

    share: Share
    number: int
    subdirectory: str
    certain: bool


@dataclass(frozen=True)
class Doubt:
    """A share that a mount may be of; ``code`` is `unidentified` or `parent`, see ``codes``.

    ``similar`` is True where the path is that of the export, or lies below it.
    """

    share: Share
    location: str
    code: str
    similar: bool


def match(
    source: str, options: str, shares: Iterable[Share], side: str, resolve: Resolve
) -> Match | None:
    """Find the share that a source is of; the deepest export, where one lies in another.

    Args:
        source: What is mounted.
        options: The options of the mount, which say the address that a name had (``addr=``).
        shares: Where to look.
        side: Which of their export locations count.
        resolve: Looks up names of servers.
    """
    location = parse_location(source)
    if location is None:
        return None
    mounted = _mounted_addresses(options)
    best: tuple[bool, int, Match] | None = None
    for share, number, _text, export in _exports(shares, side):
        subdirectory = _below(location.path, export) if export.unc == location.unc else None
        if subdirectory is None:
            continue
        certain = _same_server(location.hosts, mounted, export.hosts, resolve)
        if not certain and export.path == "/" and subdirectory:
            continue  # every path lies below that one
        rank = (certain, len(export.path))
        if best is None or rank > best[:2]:
            best = (*rank, Match(share, number, subdirectory, certain))
    return best[2] if best else None


def doubts(
    source: str, fstype: str, options: str, shares: Iterable[Share], side: str, resolve: Resolve
) -> list[Doubt]:
    """List the shares that a source may be of, for one that is certainly of none.

    A server has more addresses and names than Manila lists, and no answer of a name server proves
    that two of them are two servers.  So every share counts, the path of which agrees:

    - with the export, or with a folder in it (the root of a server only with the root itself);
    - with the end of the export's path, on the same server: a pseudo root abbreviates it;
    - with a folder above the export.

    Where no address is known of one of the two servers, as no name server answers, the root of a
    server and the end of the export's path count as if it was the same.

    A source that cannot be read may be every share of its protocol, as CephFS by FUSE, which has no
    path in it.
    """
    location = parse_location(source)
    mounted = _mounted_addresses(options)
    told: dict[str, Doubt] = {}
    for share, _number, text, export in _exports(shares, side):
        if location is None:
            protocol = family(fstype)
            if _is_ceph_export(text):
                fits = protocol == "ceph"
            else:
                fits = protocol == "cifs" if export.unc else protocol in {"nfs", "glusterfs"}
                fits = fits and (
                    bool(mounted & _addresses(export.hosts, resolve))
                    or not _can_tell_apart((), mounted, export.hosts, resolve)
                )
            if fits:
                told.setdefault(share.id, Doubt(share, text, "unidentified", False))
            continue
        if export.unc != location.unc:
            continue
        rest = _below(location.path, export)
        if rest is not None and (export.path != "/" or not rest):
            # Takes the place of one that was told of by another location.
            told[share.id] = Doubt(share, text, "unidentified", True)
        elif share.id in told or export.unc:
            continue
        elif _same_server(location.hosts, mounted, export.hosts, resolve):
            if _below(export.path, location) is not None:
                told[share.id] = Doubt(share, text, "parent", False)
            elif family(fstype) == "nfs" and _abbreviates(location.path, export.path):
                told[share.id] = Doubt(share, text, "unidentified", False)
        elif (location.path != "/" and _below(export.path, location) is not None) or (
            (
                location.path == "/"
                or (family(fstype) == "nfs" and _abbreviates(location.path, export.path))
            )
            and not _can_tell_apart(location.hosts, mounted, export.hosts, resolve)
        ):
            told[share.id] = Doubt(share, text, "unidentified", False)
    return list(told.values())


def overlaps(
    source: str, options: str, shares: Iterable[Share], side: str, resolve: Resolve
) -> list[Doubt]:
    """List the shares that can be used through a mount, as one lies in the other on the same server.

    ``similar`` is True where the mount lies in the export.
    """
    location = parse_location(source)
    mounted = _mounted_addresses(options)
    told: dict[str, Doubt] = {}
    for share, _number, text, export in _exports(shares, side):
        if location is None or export.unc != location.unc or share.id in told:
            continue
        inside = _below(location.path, export) is not None
        if not inside and _below(export.path, location) is None:
            continue
        if _same_server(location.hosts, mounted, export.hosts, resolve):
            told[share.id] = Doubt(share, text, "parent", inside)
    return list(told.values())


def _exports(shares: Iterable[Share], side: str) -> Iterator[tuple[Share, int, str, Location]]:
    for share in shares:
        for number, text in enumerate(share.locations(side)):
            export = parse_location(text)
            if export is not None:
                yield share, number, text, export


def _is_ceph_export(text: str) -> bool:
    """Tell an export of native CephFS: Manila names its monitors, with their ports."""
    return bool(re.search(r":\d+(,|:/)|^[^/]*,", text))


def _abbreviates(path: str, export: str) -> bool:
    """Return whether a path is the end of an export's path, or lies below that."""
    parts = export.strip("/").split("/")
    ends = ["/" + "/".join(parts[number:]) for number in range(1, len(parts))]
    return any(path == end or path.startswith(f"{end}/") for end in ends)


def _below(path: str, export: Location) -> str | None:
    """Return the rest of a path that lies in an export, "" for its root, None for what lies elsewhere."""
    root = export.path.rstrip("/")
    # Names of shares of CIFS know no case, what lies in them may.
    head = path[: len(root)]
    same = head.lower() == root.lower() if export.unc else head == root
    rest = path[len(root) :].rstrip("/")
    return rest if same and (not rest or rest.startswith("/")) else None


def _mounted_addresses(options: str) -> set[str]:
    """Return what the kernel says of the server: ``addr=`` of NFS and CIFS, ``mon_addr=`` of CephFS."""
    texts = option_values(options, "addr")
    for text in option_values(options, "mon_addr"):
        texts += text.split("/")
    return {canonical_host(text) for text in texts if text}


def _same_server(
    hosts: Collection[str], mounted: Collection[str], others: Collection[str], resolve: Resolve
) -> bool:
    if set(hosts) & set(others) or set(mounted) & set(others):
        return True
    known = {*mounted, *_addresses(hosts, resolve)}
    return bool(known and known & _addresses(others, resolve))


def _can_tell_apart(
    hosts: Collection[str], mounted: Collection[str], others: Collection[str], resolve: Resolve
) -> bool:
    """Return whether the addresses of both servers are known."""
    return bool((mounted or _addresses(hosts, resolve)) and _addresses(others, resolve))


def _addresses(hosts: Iterable[str], resolve: Resolve) -> set[str]:
    addresses: set[str] = set()
    for host in hosts:
        addresses |= {host} if form_of(host) != "name" else set(resolve(host))
    return addresses


def replacement(source: str, matched: Match, side: str) -> str | None:
    """Choose what to mount instead: an export location of ``side``, with the same subdirectory.

    Of the same protocol; of those, of the same form of address, in the same place of the list.
    None if there is none of the protocol.
    """
    old = parse_location(source)
    if old is None or is_ceph_device(source):
        return None
    other = matched.share.locations(BEFORE if side == AFTER else AFTER)
    locations = [old, parse_location(other[matched.number]) or old]
    forms = [form_of(location.hosts[0]) for location in locations if location.hosts]
    chosen = _of_form(matched.share.locations(side), old.unc, None)[:1]
    for form in forms:
        peers = _of_form(matched.share.locations(side), old.unc, form)
        if peers:
            olds = _of_form(other, old.unc, form)
            place = olds.index(other[matched.number]) if other[matched.number] in olds else 0
            chosen = [peers[place if place < len(peers) else 0]]
            break
    return joined(chosen[0], matched.subdirectory) if chosen else None


def _of_form(locations: Sequence[str], unc: bool, form: str | None) -> list[str]:
    parsed = [(text, parse_location(text)) for text in locations]
    return [
        text
        for text, location in parsed
        if location
        and location.unc == unc
        and location.hosts
        and (form is None or form_of(location.hosts[0]) == form)
    ]


def joined(location: str, subdirectory: str) -> str:
    """Write an export location, and a folder in it, as mount takes it."""
    if location.startswith("\\"):
        location = location.replace("\\", "/")
    hosts, colon, path = location.partition(":/")
    if colon and not location.startswith("//"):
        # mount takes an IPv6 address in brackets only; some drivers of Manila give none.
        if form_of(hosts) == "6":
            location = f"[{hosts}]:/{path}"
        if not path.strip("/"):
            return f"{location.rstrip('/')}{subdirectory or '/'}"
    return location.rstrip("/") + subdirectory


def same_source(source: str, other: str) -> bool:
    """Return whether two sources are the same, however written; names are not looked up."""
    first, second = parse_location(source), parse_location(other)
    return first == second if first and second else source == other


def wanted_types(types: Iterable[str]) -> set[str]:
    """Return the protocols of types that a user named."""
    return {family(fstype.lower()) for fstype in types}
