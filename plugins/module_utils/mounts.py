# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients' mounts: which of them are of a share, what to mount instead, and fstab as text.  Pure.

Lines of ``/proc/self/mountinfo`` and of fstab come in as text; names are looked up by a function
that the caller gives.  Nothing here looks at a file system: one whose server is gone would hang.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Callable

# Name of a server -> its addresses in canonical form; none if it can't be told.
Resolve = Callable[[str], Collection[str]]

BEFORE = "before"
AFTER = "after"

# Types of /proc/mounts that are one protocol.  `fuse.x` counts as `x`.
_FAMILIES = {"nfs4": "nfs", "smb3": "cifs", "smbfs": "cifs", "ceph-fuse": "ceph"}

CODES = {
    "busy": "processes hold the mount, or umount said so",
    "below": "something else is mounted below it, or over it",
    "autofs": "autofs, or an automount unit of systemd, mounts it",
    "credentials": "its password is nowhere that it could be mounted again with",
    "namespace": "it is mounted in another mount namespace, such as a container's, too",
    "taken": "something else is mounted where it was",
    "no_export": "the share has no export location that could be mounted instead",
    "failed": "mount or umount failed, or did not do what they said",
}


# -- export locations ------------------------------------------------------------------------


@dataclass(frozen=True)
class Location:
    """What is mounted: an export location of Manila, or the source of a mount or of a line in fstab.

    ``unc`` is for ``//host/share``, otherwise it is ``host:/path``; ``hosts`` are canonical, more
    than one with CephFS only; ``path`` begins with a slash and ends with none.
    """

    unc: bool
    hosts: tuple[str, ...]
    path: str


def parse_location(text: str) -> Location | None:
    """Read ``host:/path``, ``[address]:/path``, ``//host/share`` or that with backslashes; None: another form."""
    if text.startswith(("//", "\\\\")):
        host, _slash, path = text.replace("\\", "/").lstrip("/").partition("/")
        return Location(True, (canonical_host(host),), _clean(path)) if host else None
    hosts, colon, path = text.partition(":/")
    if not hosts or not colon or "/" in hosts:
        return None
    return Location(False, tuple(canonical_host(one) for one in hosts.split(",")), _clean(path))


def _clean(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part)


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


def family(fstype: str) -> str:
    """Name the protocol of a type of file system."""
    fstype = fstype[len("fuse.") :] if fstype.startswith("fuse.") else fstype
    return _FAMILIES.get(fstype, fstype)


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


def match(
    source: str, options: str, shares: Iterable[Share], side: str, resolve: Resolve
) -> Match | None:
    """Find the share that a source is of; the deepest export, where one lies in another.

    In: the options of the mount, which say the address that a name had (``addr=``).
    """
    location = parse_location(source)
    if location is None:
        return None
    mounted = {canonical_host(one) for one in _values(options, "addr")}
    best: tuple[bool, int, Match] | None = None
    for share in shares:
        for number, text in enumerate(share.locations(side)):
            export = parse_location(text)
            if export is None or export.unc != location.unc:
                continue
            subdirectory = _below(location.path, export)
            if subdirectory is None:
                continue
            certain = _same_server(location.hosts, mounted, export.hosts, resolve)
            if not certain and export.path == "/":
                continue  # every path lies below that one
            rank = (certain, len(export.path))
            if best is None or rank > best[:2]:
                best = (*rank, Match(share, number, subdirectory, certain))
    return best[2] if best else None


def _below(path: str, export: Location) -> str | None:
    """Return the rest of a path that lies in an export, "" for its root, None for what lies elsewhere."""
    root = export.path.rstrip("/")
    # Names of shares of CIFS know no case, what lies in them may.
    head = path[: len(root)]
    same = head.lower() == root.lower() if export.unc else head == root
    rest = path[len(root) :].rstrip("/")
    return rest if same and (not rest or rest.startswith("/")) else None


def _same_server(
    hosts: Collection[str], mounted: Collection[str], others: Collection[str], resolve: Resolve
) -> bool:
    if set(hosts) & set(others) or set(mounted) & set(others):
        return True
    known = {*mounted, *_addresses(hosts, resolve)}
    return bool(known and known & _addresses(others, resolve))


def _addresses(hosts: Iterable[str], resolve: Resolve) -> set[str]:
    found: set[str] = set()
    for host in hosts:
        found |= {host} if form_of(host) != "name" else set(resolve(host))
    return found


def replacement(source: str, found: Match, side: str) -> str | None:
    """Choose what to mount instead: an export location of ``side``, with the same subdirectory.

    Of the same protocol; of those, of the same form of address, in the same place of the list.
    None if there is none of the protocol.
    """
    old = parse_location(source)
    if old is None:
        return None
    other = found.share.locations(BEFORE if side == AFTER else AFTER)
    matched = parse_location(other[found.number]) or old
    forms = [form_of(one.hosts[0]) for one in (old, matched)]
    chosen = _of_form(found.share.locations(side), old.unc, None)[:1]
    for form in forms:
        peers = _of_form(found.share.locations(side), old.unc, form)
        if peers:
            olds = _of_form(other, old.unc, form)
            place = olds.index(other[found.number]) if other[found.number] in olds else 0
            chosen = [peers[place if place < len(peers) else 0]]
            break
    return _joined(chosen[0], found.subdirectory) if chosen else None


def _of_form(locations: Sequence[str], unc: bool, form: str | None) -> list[str]:
    parsed = [(text, parse_location(text)) for text in locations]
    return [
        text
        for text, one in parsed
        if one and one.unc == unc and (form is None or form_of(one.hosts[0]) == form)
    ]


def _joined(location: str, subdirectory: str) -> str:
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


def same_source(one: str, other: str) -> bool:
    """Tell whether two sources are the same, however written; names are not looked up."""
    first, second = parse_location(one), parse_location(other)
    return first == second if first and second else one == other


# -- /proc/self/mountinfo --------------------------------------------------------------------


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo; see proc_pid_mountinfo(5) for the fields."""

    id: int
    parent: int
    device: str
    root: str
    target: str
    flags: str
    propagation: tuple[str, ...]
    type: str
    source: str
    super_flags: str

    @property
    def options(self) -> str:
        """All options, as /proc/mounts has them."""
        return ",".join([self.flags, self.super_flags])


def parse_mountinfo(text: str) -> list[Mount]:
    """Read the lines; one that is no such line is left out."""
    found = []
    for line in text.split("\n"):
        head, separator, tail = line.partition(" - ")
        fields, rest = head.split(" "), tail.split(" ")
        if not separator or len(fields) < 6 or len(rest) < 3:
            continue
        found.append(
            Mount(
                int(fields[0]),
                int(fields[1]),
                fields[2],
                unescape(fields[3]),
                unescape(fields[4]),
                fields[5],
                tuple(fields[6:]),
                unescape(rest[0]),
                unescape(rest[1]),
                unescape(rest[2]),
            )
        )
    return found


def unescape(text: str) -> str:
    r"""Replace the octal escapes of /proc/mounts and fstab, such as ``\040``."""
    raw = text.encode("utf-8", "surrogateescape")
    plain = re.sub(rb"\\([0-3][0-7]{2})", lambda one: bytes([int(one.group(1), 8)]), raw)
    return plain.decode("utf-8", "surrogateescape")


def escape(text: str) -> str:
    """Write blanks, backslashes and number signs as fstab wants them."""
    return re.sub(r"[ \t\n\\#]", lambda one: f"\\{ord(one.group()):03o}", text)


def mount_of(path: str, mounts: Iterable[Mount]) -> Mount | None:
    """Return what a path lies on: the mount with the longest target, of several there the last."""
    best = None
    for one in mounts:
        if is_below(path, one.target) and (best is None or len(one.target) >= len(best.target)):
            best = one
    return best


def is_below(path: str, folder: str) -> bool:
    """Tell whether a path is a folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def below(mount: Mount, mounts: Sequence[Mount]) -> list[Mount]:
    """Return what is mounted on a mount, at any depth."""
    found = [one for one in mounts if one.parent == mount.id and one.id != mount.id]
    return [*found, *(deeper for one in found for deeper in below(one, mounts))]


def split_options(text: str) -> list[str]:
    """Split at commas, but for those between double quotes, as in ``context="a:s0:c1,c2"``."""
    return re.findall(r'(?:[^,"]|"[^"]*"?)+', text)


def _values(options: str, name: str) -> list[str]:
    parts = (one.partition("=") for one in split_options(options))
    return [value for key, _equals, value in parts if key == name]


# Said of a mount by the kernel, and not, or not to the new server, to be said to mount.
# What is so anyway is left out: mount.glusterfs mounts nothing if it is told relatime.
_NOT_OPTIONS = {
    "rw",
    "relatime",
    "addr",
    "clientaddr",
    "mountaddr",
    "mounthost",
    "mountport",
    "seclabel",
}
_NOT_FUSE_OPTIONS = {"user_id", "group_id", "rootmode", "fd", "max_read", "blksize", "blkdev"}
_NOT_GLUSTERFS_OPTIONS = {"allow_other", "default_permissions"}


def present_options(mount: Mount) -> str:
    """Return the options with which to mount it again as it is."""
    without = set(_NOT_OPTIONS)
    if mount.type.startswith("fuse"):
        without |= _NOT_FUSE_OPTIONS
    if family(mount.type) == "glusterfs":
        without |= _NOT_GLUSTERFS_OPTIONS
    given = dict.fromkeys(split_options(mount.options))
    return ",".join(one for one in given if one.partition("=")[0] not in without)


def lacks_password(fstype: str, options: str) -> bool:
    """Tell whether a mount could not be made again: the kernel doesn't say what its password is."""
    given = {one.partition("=")[0]: one.partition("=")[2] for one in split_options(options)}
    if family(fstype) != "cifs" or {"credentials", "cred", "password", "pass", "guest"} & set(
        given
    ):
        return False
    return given.get("sec", "").rstrip("i") not in {"krb5", "none"}


def mask(text: str) -> str:
    """Make passwords among options unreadable."""
    return re.sub(r"(?i)\b(pass|password2?|passwd|secret)=[^,\s\"']*", r"\1=***", text)


# -- fstab -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A line of fstab that names a file system; ``number`` counts from 0."""

    number: int
    source: str
    target: str
    type: str
    options: str

    @property
    def is_bind(self) -> bool:
        """Whether it mounts a folder a second time."""
        return bool({"bind", "rbind"} & set(split_options(self.options)))


_FIELD = re.compile(r"[^ \t]+")


def parse_fstab(text: str) -> list[Line]:
    """Read the lines that name file systems."""
    found = []
    for number, line in enumerate(text.split("\n")):
        fields = _FIELD.findall(line.rstrip("\r"))
        if len(fields) >= 3 and not fields[0].startswith("#"):
            options = fields[3] if len(fields) > 3 else "defaults"
            plain = [unescape(one) for one in fields[:3]]
            plain[1] = plain[1].rstrip("/") or "/"
            found.append(Line(number, plain[0], plain[1], plain[2], unescape(options)))
    return found


def with_sources(text: str, sources: Mapping[int, str]) -> str:
    """Give lines other sources; every other character of the text stays."""
    lines = text.split("\n")
    for number, source in sources.items():
        first = _FIELD.search(lines[number])
        if first:
            line = lines[number]
            lines[number] = line[: first.start()] + escape(source) + line[first.end() :]
    return "\n".join(lines)


def moved_lines(
    lines: Iterable[Line], shares: Sequence[Share], side: str, resolve: Resolve
) -> dict[int, str]:
    """Return the new sources of the lines that name exports of the other side, by number of line."""
    other = BEFORE if side == AFTER else AFTER
    found = {}
    for line in lines:
        old = match(line.source, line.options, shares, other, resolve)
        if old is None or not old.certain:
            continue
        now = match(line.source, line.options, [old.share], side, resolve)
        new = replacement(line.source, old, side)
        if new is not None and not (now and now.certain):
            found[line.number] = new
    return found


def unit_name(target: str) -> str:
    """Return the name of systemd's mount unit for a target, as ``systemd-escape --path`` does."""
    text = target.strip("/") or "-"
    if text == "-":
        return "-.mount"
    escaped = re.sub(
        rb"[^A-Za-z0-9:_./]",
        lambda one: b"\\x%02x" % one.group()[0],
        re.sub("/+", "/", text).encode("utf-8", "surrogateescape"),
    ).decode("ascii")
    if escaped.startswith("."):
        escaped = "\\x2e" + escaped[1:]
    return escaped.replace("/", "-") + ".mount"


# -- what is mounted of the shares -----------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """How to mount something as it was; what the record on the client holds, in the order of mounting.

    ``export`` and ``subdirectory`` say which part of the share it is; ``bind`` is True where the
    source is a folder; ``fstab`` is True where fstab has a line for it.
    """

    share_id: str
    export: str
    subdirectory: str
    target: str
    source: str
    type: str
    options: str
    bind: bool
    fstab: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it for a file."""
        return asdict(self)


@dataclass(frozen=True)
class Found:
    """A mount of a share, and how to mount it again."""

    mount: Mount
    match: Match
    entry: Entry


def wanted_types(types: Iterable[str]) -> set[str]:
    """Return the protocols of types that a user named."""
    return {family(one.lower()) for one in types}


def find(
    mounts: Sequence[Mount],
    lines: Sequence[Line],
    shares: Sequence[Share],
    side: str,
    types: Collection[str],
    resolve: Resolve,
) -> tuple[list[Found], list[Found]]:
    """Find the mounts of shares, in the order in which they were mounted.

    Out: those that are certain; and those of which only the path agrees, by another server.
    """
    by_target = {one.target: one for one in lines}
    certain: list[Found] = []
    similar: list[Found] = []
    for one in mounts:
        if family(one.type) not in types:
            continue
        found = match(one.source, one.super_flags, shares, side, resolve)
        if found:
            base = _base(one, [other.mount for other in certain])
            entry = _entry(one, found, side, by_target.get(one.target), base)
            (certain if found.certain else similar).append(Found(one, found, entry))
    return certain, similar


def _base(mount: Mount, earlier: Iterable[Mount]) -> Mount | None:
    """Return the mount that this one shows a part of, or all of, a second time (``mount --bind``).

    NFS says nothing of it: there, the source has the subdirectory, and mounting that is the same.
    """
    for one in earlier:
        deeper = mount.root != one.root and is_below(mount.root, one.root)
        # Two mounts of one export of NFS or CIFS may share a device; those of FUSE never do.
        same = mount.root == one.root and mount.type.startswith("fuse")
        if mount.device == one.device and (deeper or same):
            return one
    return None


def _entry(mount: Mount, found: Match, side: str, line: Line | None, base: Mount | None) -> Entry:
    # The root of NFS says nothing: it is in the source.
    deeper = mount.root.rstrip("/")
    part = (found.share.id, found.share.locations(side)[found.number], found.subdirectory + deeper)
    if line and line.is_bind:
        return Entry(*part, mount.target, line.source, line.type, line.options, True, True)
    if base:
        rest = mount.root[len(base.root.rstrip("/")) :].rstrip("/")
        source = base.target.rstrip("/") + rest or "/"
        options = ",".join(["bind", *(one for one in mount.flags.split(",") if one == "ro")])
        return Entry(*part, mount.target, source, "none", options, True, False)
    # The original is gone, and only a part of it is still mounted somewhere.
    source = mount.source.rstrip("/") + deeper if deeper else mount.source
    if line and family(line.type) == family(mount.type):
        return Entry(*part, mount.target, source, line.type, line.options, False, True)
    return Entry(*part, mount.target, source, mount.type, present_options(mount), False, False)


def new_source(entry: Entry, share: Share, resolve: Resolve) -> str | None:
    """Return what to mount for an entry after the cutover; None if the share has nothing of its kind."""
    if entry.bind:
        return entry.source
    if entry.export in share.before:
        found: Match | None = Match(
            share, share.before.index(entry.export), entry.subdirectory, True
        )
    else:
        found = match(entry.source, entry.options, [share], BEFORE, resolve)
    return replacement(entry.source, found, AFTER) if found else None


def imagined(entry: Entry, source: str, mounts: Sequence[Mount]) -> Mount:
    """Return the mount that mounting a source would make, for check mode."""
    base = mount_of(source, mounts) if entry.bind else None
    if base is None:
        return Mount(0, 0, "", "/", entry.target, "", (), entry.type, source, entry.options)
    rest = source[len(base.target.rstrip("/")) :].rstrip("/")
    if family(base.type) == "nfs":
        source, root = base.source.rstrip("/") + rest, "/"
    else:
        source, root = base.source, base.root.rstrip("/") + rest or "/"
    return replace(base, id=0, parent=0, target=entry.target, source=source, root=root)


def top(target: str, mounts: Iterable[Mount]) -> Mount | None:
    """Return what is seen at a target: the last that was mounted there."""
    return next((one for one in reversed(list(mounts)) if one.target == target), None)


def tied(mount: Mount, table: Sequence[Mount], other: Mount, mounts: Sequence[Mount]) -> bool:
    """Tell whether a mount of another namespace goes away together with one of this.

    Unmounting propagates from where something is mounted on (mount_namespaces(7)).
    """
    above = next((one for one in mounts if one.id == other.parent), None)
    copy = next((one for one in table if one.id == mount.parent), None)
    if above is None or copy is None or mount.device != other.device:
        return False
    groups = {_group(one) for one in above.propagation if one.startswith("shared:")}
    return any(
        _group(one) in groups for one in copy.propagation if one.startswith(("shared:", "master:"))
    )


def _group(tag: str) -> str:
    return tag.partition(":")[2]


# -- who holds a mount -----------------------------------------------------------------------


def mapped_files(maps: str) -> list[tuple[str, str]]:
    """Read /proc/PID/maps: the devices, as mountinfo writes them, and paths of mapped files."""
    found = []
    for line in maps.split("\n"):
        fields = line.split(None, 5)
        device = re.fullmatch("([0-9a-f]+):([0-9a-f]+)", fields[3]) if len(fields) == 6 else None
        if device and fields[4] != "0":
            numbers = ":".join(str(int(one, 16)) for one in device.groups())
            found.append((numbers, unescape(fields[5])))
    return found


def holders_text(holders: Sequence[Mapping[str, Any]]) -> str:
    """Name processes in a message, ten at most."""
    named = [f"{one['command']} (pid {one['pid']}, user {one['user']})" for one in holders[:10]]
    more = len(holders) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
