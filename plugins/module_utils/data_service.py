# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of host-assisted migration: which there are, what is wrong with them, how to write them.

Pure: what a file or a node has is told to these functions.  Manila finds most mistakes only in
the middle of a copy, when it mounts or asks for access.  Sources are those of release 23.0.1; the
syntax of values is that of oslo.config (``oslo_config/types.py``), which has no quoting.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DATA = "manila-data"
SHARE_MANAGER = "manila-share"


@dataclass(frozen=True)
class Option:
    """One option: the service that reads it, its group, Manila's default, and where that is said."""

    name: str
    service: str
    default: str
    source: str
    per_backend: bool = False
    in_sample: bool = True
    """Whether every release lists it in its sample configuration, which oslo's validator goes by."""

    @property
    def group(self) -> str:
        """The group of the file that it belongs to."""
        return "the back end" if self.per_backend else "DEFAULT"


OPTIONS: tuple[Option, ...] = (
    Option("data_node_access_ips", DATA, "", "manila/data/helper.py"),
    Option("data_node_access_cert", DATA, "", "manila/data/helper.py"),
    Option("data_node_access_admin_user", DATA, "", "manila/data/helper.py"),
    Option("data_node_mount_options", DATA, "", "manila/data/helper.py"),
    Option("data_access_wait_access_rules_timeout", DATA, "180", "manila/data/helper.py"),
    Option("mount_tmp_location", DATA, "/tmp/", "manila/data/manager.py", in_sample=False),
    Option("check_hash", DATA, "False", "manila/data/manager.py", in_sample=False),
    Option(
        "migration_wait_access_rules_timeout",
        SHARE_MANAGER,
        "180",
        "manila/share/migration.py",
        in_sample=False,
    ),
    Option(
        "migration_create_delete_share_timeout",
        SHARE_MANAGER,
        "300",
        "manila/share/migration.py",
        in_sample=False,
    ),
    Option("migration_ignore_files", SHARE_MANAGER, "lost+found", "manila/share/driver.py", True),
    Option(
        "share_mount_template",
        SHARE_MANAGER,
        "mount -vt %(proto)s %(options)s %(export)s %(path)s",
        "manila/share/driver.py",
        True,
    ),
    Option(
        "share_unmount_template",
        SHARE_MANAGER,
        "umount -v %(path)s",
        "manila/share/driver.py",
        True,
    ),
    Option(
        "protocol_access_mapping",
        SHARE_MANAGER,
        "ip:[nfs],user:[cifs]",
        "manila/share/driver.py",
        True,
    ),
)

REMOVED: dict[str, str] = {
    "data_node_access_ip": "data_node_access_ips",
    "migration_data_node_ip": "data_node_access_ips",
    "migration_tmp_location": "mount_tmp_location",
}
"""Options of older releases, which Manila now ignores without a word, and what took their place."""

DEFAULT_MAPPING: dict[str, list[str]] = {"ip": ["nfs"], "user": ["cifs"]}

# common/constants.py, SUPPORTED_SHARE_PROTOCOLS.
PROTOCOLS = ("NFS", "CIFS", "GLUSTERFS", "HDFS", "CEPHFS", "MAPRFS", "LUSTRE", "WEKAFS")

# What data/helper.py, _get_access_entries_according_to_mapping, takes the value of a rule from.
ACCESS_OPTIONS: dict[str, str] = {
    "ip": "data_node_access_ips",
    "user": "data_node_access_admin_user",
    "cert": "data_node_access_cert",
}

CANT_COPY: dict[str, str] = {
    "CEPHFS": "Manila can't copy native CephFS: the Data Service knows no access type cephx "
    "(manila/data/helper.py), and the kernel knows no file system type 'cephfs'; move such shares with "
    "their driver, or export them through NFS",
}
"""Protocols that host-assisted migration can't work for, whatever is configured."""

NEEDS_VENDOR: dict[str, str] = {
    "HDFS": "no distribution has a package that mounts HDFS; install the client of its vendor on the "
    "manila-data node, and give its back ends a share_mount_template and a protocol_access_mapping",
    "MAPRFS": "no distribution has a package that mounts MapRFS; install the client of its vendor on the "
    "manila-data node, and give its back ends a share_mount_template and a protocol_access_mapping",
}
"""Protocols whose mount helper comes from a vendor."""

SHARED_PLACES = ("/tmp", "/var/tmp", "/dev/shm")

HARDENED = ("nosuid", "nodev", "noexec")

_HARDENABLE = ("NFS", "CIFS")

_SECRET = re.compile(r"(?i)\b(pass(?:word|wd)?2?|secret)=([^\s,]+)")

_SECRET_NAME = re.compile(
    r"(?i)(^|_)(pass(word|wd|phrase)?2?|pwd|secret|token|(api|private)_?key)(_|$)"
)
"""Names of options, of drivers also, whose values are secrets."""

_NO_SHELL = re.compile(r"[|;&<>`\"'\\\n]")

_PLACEHOLDER = re.compile(r"%(?:\((\w*)\)(\w?))?")


def secrets(values: Iterable[object]) -> set[str]:
    """The passwords in mount options or templates, and of options that are named so, however nested."""
    found: set[str] = set()
    for value in values:
        if isinstance(value, Mapping):
            found |= secrets(value.values())
            found |= _texts(one for name, one in value.items() if _SECRET_NAME.search(str(name)))
        elif isinstance(value, (list, tuple)):
            found |= secrets(value)
        elif isinstance(value, str):
            found |= {match[2] for match in _SECRET.finditer(value)}
    return found


def _texts(values: Iterable[object]) -> set[str]:
    """All that is written in some values."""
    texts: set[str] = set()
    for value in values:
        if isinstance(value, Mapping):
            texts |= _texts(value.values())
        elif isinstance(value, (list, tuple)):
            texts |= _texts(value)
        elif value not in (None, "", True, False):
            texts.add(str(value))
    return texts


def mask(text: str) -> str:
    """The text with its passwords made unreadable."""
    return _SECRET.sub(r"\1=***", text)


# -- what is wrong ---------------------------------------------------------------------------


def problems(
    options: Mapping[str, Any],
    backends: Mapping[str, Mapping[str, Any]],
    protocols: Sequence[str],
    allow_shared_mount_location: bool = False,
) -> list[str]:
    """Everything that is wrong, each a sentence that begins with the name of the option.

    ``options`` are those of DEFAULT by name, ``backends`` the others by back end; None stands for
    an option that is left as it is.  ``protocols`` are those of the shares that shall be copied.
    """
    found = [
        *_addresses(options.get("data_node_access_ips")),
        *_words(options),
        *_mount_options(options.get("data_node_mount_options")),
        *_location(options.get("mount_tmp_location"), allow_shared_mount_location),
        *_timeouts(options),
    ]
    in_backends = [
        f"backends[{name}].{sentence}"
        for name, backend in backends.items()
        for sentence in _backend(name, backend)
    ]
    # What a back end is mapped to can be told only from what has the right form.
    return found + (in_backends or _access(options, backends, protocols))


def notes(
    options: Mapping[str, Any], backends: Mapping[str, Mapping[str, Any]], protocols: Sequence[str]
) -> list[str]:
    """What is allowed and worth a warning."""
    found = [
        f"{protocol}: {text}."
        for protocol in protocols
        for text in (CANT_COPY.get(protocol), NEEDS_VENDOR.get(protocol))
        if text
    ]
    for name, backend in backends.items():
        template = backend.get("share_mount_template")
        if template and "%(options)s" not in template and options.get("data_node_mount_options"):
            found.append(
                f"backends[{name}].share_mount_template has no %(options)s: "
                "data_node_mount_options don't reach this back end."
            )
        if backend.get("protocol_access_mapping") is not None:
            found.append(
                f"backends[{name}].protocol_access_mapping: Manila 15 (Zed) can't read this option from "
                "a file and would copy nothing of this back end; Manila 23 can."
            )
    for address in options.get("data_node_access_ips") or ():
        if _parsed(address) and ipaddress.ip_address(address).is_loopback:
            found.append(
                f"data_node_access_ips: {address} is a loopback address, of use only to shares on this node."
            )
    return found


def _parsed(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _addresses(addresses: Sequence[str] | None) -> list[str]:
    found = []
    for address in addresses or ():
        if "/" in address:
            found.append(
                f"data_node_access_ips: {address!r} is a network; a rule for it would let all of it in, "
                "write the address of the manila-data node."
            )
        elif not _parsed(address):
            found.append(
                f"data_node_access_ips: {address!r} is no IP address; write those of the manila-data "
                "node in the administrators' network, such as 192.0.2.10 or 2001:db8::10."
            )
        elif (
            ipaddress.ip_address(address).is_unspecified
            or ipaddress.ip_address(address).is_multicast
        ):
            found.append(
                f"data_node_access_ips: {address} is the address of no node; write those of the "
                "manila-data node in the administrators' network."
            )
    for address in sorted({one for one in addresses or () if list(addresses or ()).count(one) > 1}):
        found.append(f"data_node_access_ips: {address} is there twice; write it once.")
    return found


def _words(options: Mapping[str, Any]) -> list[str]:
    found = []
    for name in ("data_node_access_cert", "data_node_access_admin_user"):
        value = options.get(name)
        if value is not None and (not value or value != "".join(value.split())):
            found.append(f"{name}: {value!r} has to be one word, without blanks.")
    return found


def _mount_options(by_protocol: Mapping[str, str] | None) -> list[str]:
    found = []
    seen = set()
    for protocol, text in (by_protocol or {}).items():
        where = f"data_node_mount_options[{protocol}]"
        if protocol.upper() not in PROTOCOLS:
            found.append(f"{where}: there is no such protocol; there are {', '.join(PROTOCOLS)}.")
        if protocol.upper() in seen:
            found.append(f"{where}: the protocol is there twice; Manila doesn't tell cases apart.")
        seen.add(protocol.upper())
        if not isinstance(text, str) or not text.strip():
            found.append(f"{where}: write options of mount, such as '-o nfsvers=4.1'.")
            continue
        # The command is split at blanks and run without a shell: quotes would be part of a value.
        if _NO_SHELL.search(text):
            found.append(
                f"{where}: quotes, backslashes and characters of the shell don't work here, no shell "
                "reads it; keep a password with such characters in a file (credentials=…)."
            )
        elif not text.strip().startswith("-"):
            found.append(f"{where}: has to begin with a switch of mount, such as '-o nfsvers=4.1'.")
        elif "," in _separate(text):
            found.append(
                f"{where}: oslo.config takes a comma as the end of the value; commas are possible only "
                "between the options after -o."
            )
    return found


def _location(path: str | None, allow_shared: bool) -> list[str]:
    if path is None:
        return []
    if not path.startswith("/") or path.strip("/") == "" or ".." in path.split("/"):
        return [
            f"mount_tmp_location: {path!r} is no place of its own; write an absolute path, such as "
            "/var/lib/manila/migration."
        ]
    if re.search(r"[\s%$]", path):
        return [
            f"mount_tmp_location: {path!r} has a blank, a % or a $, which Manila's commands can't take."
        ]
    shared = next(
        (one for one in SHARED_PLACES if f"{path.rstrip('/')}/".startswith(f"{one}/")), None
    )
    if shared and not allow_shared:
        return [
            f"mount_tmp_location: {path!r} is in {shared}, which all users share, and which is cleaned "
            "by time; write a private folder, such as /var/lib/manila/migration."
        ]
    return []


def _timeouts(options: Mapping[str, Any]) -> list[str]:
    return [
        f"{option.name}: {options[option.name]} is no time; write seconds above 0."
        for option in OPTIONS
        if option.name.endswith("_timeout")
        and options.get(option.name) is not None
        and options[option.name] <= 0
    ]


_TYPES: dict[str, tuple[type, str]] = {
    "migration_ignore_files": (list, "a list of names"),
    "share_mount_template": (str, "a command"),
    "share_unmount_template": (str, "a command"),
    "protocol_access_mapping": (dict, "access types with their lists of protocols"),
}


def _backend(name: str, options: Any) -> list[str]:
    if not isinstance(options, Mapping):
        return [f"write its options, of {', '.join(_TYPES)}."]
    found = [
        f"{option}: a back end has no such option here; there are {', '.join(_TYPES)}."
        for option in options
        if option not in _TYPES
    ]
    found += [
        f"{option}: write {word}."
        for option, (kind, word) in _TYPES.items()
        if options.get(option) is not None and not isinstance(options[option], kind)
    ]
    if found:
        return found
    if not re.fullmatch(r"[\w.@:-]+", name) or name in ("DEFAULT", ""):
        found.append("is no name of a section; write the back end's name in manila.conf.")
    for entry in options.get("migration_ignore_files") or ():
        if not entry.strip() or re.search(r"[/,\n]", entry):
            found.append(
                f"migration_ignore_files: {entry!r} is no name; write names of files or folders, without "
                "a path and without commas."
            )
    found += _template("share_mount_template", options, ("export", "path"), ("proto", "options"))
    found += _template("share_unmount_template", options, ("path",), ())
    return found + _mapping(options.get("protocol_access_mapping"))


def _template(
    name: str, options: Mapping[str, Any], needed: Sequence[str], allowed: Sequence[str]
) -> list[str]:
    text = options.get(name)
    if text is None:
        return []
    found = []
    known = [f"%({one})s" for one in (*allowed, *needed)]
    missing = [f"%({one})s" for one in needed if f"%({one})s" not in text]
    if missing:
        found.append(f"{name}: has to contain {' and '.join(missing)}.")
    strange = [match[0] for match in _PLACEHOLDER.finditer(text) if match[0] not in known]
    if strange:
        found.append(
            f"{name}: has {', '.join(dict.fromkeys(strange))}, which Manila can't fill in; there are "
            f"{', '.join(known)}."
        )
    if _NO_SHELL.search(text):
        found.append(
            f"{name}: no shell reads it; leave out quotes, backslashes, pipes and the like."
        )
    if _SECRET.search(text):
        found.append(
            f"{name}: has a password in it; passwords belong into data_node_mount_options, better into a "
            "file that is named there (credentials=…)."
        )
    if text.strip().startswith("%"):
        found.append(f"{name}: has to begin with a command, such as mount.")
    return found


def _mapping(mapping: Mapping[str, Any] | None) -> list[str]:
    found = []
    name = "protocol_access_mapping"
    for access_type, protocols in (mapping or {}).items():
        if access_type not in ACCESS_OPTIONS:
            found.append(
                f"{name}: the Data Service can't ask for access of type {access_type!r}, only for "
                f"{', '.join(ACCESS_OPTIONS)}."
            )
        if not isinstance(protocols, list) or not protocols:
            found.append(f"{name}[{access_type}]: write a list of protocols, such as [nfs].")
            continue
        found += [
            f"{name}[{access_type}]: {one!r} is no protocol; there are {', '.join(PROTOCOLS)}."
            for one in protocols
            if str(one).upper() not in PROTOCOLS
        ]
    if mapping is not None and not mapping:
        found.append(
            f"{name}: is empty; write access types with their protocols, such as ip: [nfs]."
        )
    return found


def _access(
    options: Mapping[str, Any], backends: Mapping[str, Mapping[str, Any]], protocols: Sequence[str]
) -> list[str]:
    """Each protocol in use needs a type of access, and each of these the value that it grants to."""
    found = [
        f"protocols: {one!r} is no protocol; there are {', '.join(PROTOCOLS)}."
        for one in protocols
        if one not in PROTOCOLS
    ]
    mappings = {
        f"backends[{name}].protocol_access_mapping": backend["protocol_access_mapping"]
        for name, backend in backends.items()
        if backend.get("protocol_access_mapping")
    } or {"protocol_access_mapping (Manila's default)": DEFAULT_MAPPING}
    needed: dict[str, str] = {}
    for protocol in protocols:
        if protocol in CANT_COPY or protocol not in PROTOCOLS:
            continue
        served = False
        for where, mapping in mappings.items():
            for access_type, mapped in mapping.items():
                if isinstance(mapped, list) and protocol in [str(one).upper() for one in mapped]:
                    served = True
                    needed.setdefault(access_type, f"{where} grants {protocol} by {access_type}")
        if not served:
            found.append(
                f"protocols: no access type is mapped to {protocol}; name it in a back end's "
                "protocol_access_mapping, such as cert: [glusterfs]."
            )
    for access_type, why in needed.items():
        option = ACCESS_OPTIONS.get(access_type)
        if option and not options.get(option):
            found.append(f"{option}: is needed, as {why}, and isn't set.")
    return found


# -- how to write it -------------------------------------------------------------------------


def _separate(text: str) -> str:
    """Mount options with a switch for each: ``-o a,b`` as ``-o a -o b``.

    oslo.config splits a dictionary at every comma and knows no quotes, so that the form that
    Manila's own help shows (``-o user=foo,pass=bar``) can't be read back.
    """
    words = iter(text.split())
    separated: list[str] = []
    for word in words:
        if word == "-o":
            given = next(words, "")
        elif word.startswith("-o") and not word.startswith("--"):
            given = word[2:]
        else:
            separated.append(word)
            continue
        for one in given.split(","):
            separated += ["-o", one]
    return " ".join(separated)


def _hardened(by_protocol: Mapping[str, str], protocols: Sequence[str]) -> dict[str, str]:
    result = dict(by_protocol)
    keys = {key.upper(): key for key in result}
    for protocol in protocols:
        if protocol not in _HARDENABLE:
            continue
        key = keys.get(protocol, protocol.lower())
        words = _separate(result.get(key, "")).split()
        words += [word for one in HARDENED if one not in words for word in ("-o", one)]
        result[key] = " ".join(words)
    return result


def render(
    options: Mapping[str, Any],
    backends: Mapping[str, Mapping[str, Any]],
    services: Sequence[str],
    protocols: Sequence[str] = (),
    harden_mounts: bool = False,
) -> dict[str, dict[str, str]]:
    """What to write, by group and option, as text that oslo.config reads back as it was meant.

    Only what one of ``services`` reads.  ``harden_mounts`` adds ``HARDENED`` to the mount options
    of the protocols in use for which they mean something.
    """
    values = dict(options)
    if harden_mounts:
        by_protocol = values.get("data_node_mount_options") or {}
        values["data_node_mount_options"] = _hardened(by_protocol, protocols) or None
    groups: dict[str, dict[str, str]] = {}
    for group, given in {"DEFAULT": values, **backends}.items():
        for option in OPTIONS:
            if option.service not in services or option.per_backend == (group == "DEFAULT"):
                continue
            value = given.get(option.name)
            if value is not None:
                groups.setdefault(group, {})[option.name] = _text(option.name, value)
    return groups


def _text(name: str, value: Any) -> str:
    if name == "data_node_mount_options":
        text = ",".join(f"{key.lower()}:{_separate(one)}" for key, one in sorted(value.items()))
    elif name == "protocol_access_mapping":
        text = ",".join(
            f"{key}:[{','.join(str(one).lower() for one in listed)}]"
            for key, listed in sorted(value.items())
        )
    elif isinstance(value, list):
        text = ",".join(value)
    else:
        text = str(value)
    # oslo.config replaces $name by the option of that name.
    return text.replace("$", "$$")


# -- files in the format of oslo.config ------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """An assignment in a file: lines ``first`` to ``last`` (from 0), continuation lines included."""

    group: str
    name: str
    value: str
    first: int
    last: int


def entries(text: str) -> list[Entry]:
    """The assignments of a file, by the rules of ``oslo_config/iniparser.py``."""
    found: list[Entry] = []
    group = "DEFAULT"
    open_entry = False
    for number, line in enumerate(text.splitlines()):
        if not line.strip():
            open_entry = False
        elif line[0] in " \t":
            if open_entry:
                had = found[-1]
                value = f"{had.value}\n{line.strip()}"
                found[-1] = Entry(had.group, had.name, value, had.first, number)
        elif line.startswith("["):
            group, open_entry = line.strip()[1:].split("]", 1)[0], False
        elif line[0] not in "#;":
            match = re.match(r"([^=:]+)[=:](.*)", line)
            open_entry = match is not None
            if match:
                value = match[2].strip()
                if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                    value = value[1:-1]
                found.append(Entry(group, match[1].strip(), value, number, number))
        else:
            open_entry = False
    return found


def values(text: str) -> dict[str, dict[str, str]]:
    """What a file says, by group and option; of several assignments the last one counts."""
    found: dict[str, dict[str, str]] = {}
    for entry in entries(text):
        found.setdefault(entry.group, {})[entry.name] = entry.value
    return found


def sections(text: str) -> list[str]:
    """The sections of a file in their order."""
    return list(dict.fromkeys(re.findall(r"^\[([^\]\n]+)\]", text, re.MULTILINE)))


def removed_options(text: str) -> list[str]:
    """A sentence for each option of a file that Manila doesn't know any more."""
    return [
        f"line {entry.first + 1}: {entry.name} in [{entry.group}] is ignored by Manila; use "
        f"{REMOVED[entry.name]} instead, and take this line out."
        for entry in entries(text)
        if entry.name in REMOVED
    ]


def merge(text: str, wanted: Mapping[str, Mapping[str, str]]) -> str:
    """The text of a file with options set; everything else in it, comments too, stays.

    An option that is there is set where it is.  A new one goes below its commented-out sample, or
    else to the end of its section, which is made if it is missing.
    """
    for group, options in wanted.items():
        for name, value in options.items():
            text = _set(text, group, name, value)
    return text


def _set(text: str, group: str, name: str, value: str) -> str:
    lines = text.splitlines()
    there = [one for one in entries(text) if (one.group, one.name) == (group, name)]
    if there and there[-1].value == value:
        return text
    line = f"{name} = {value}"
    if there:
        lines[there[-1].first : there[-1].last + 1] = [line]
        for one in reversed(there[:-1]):
            del lines[one.first : one.last + 1]
        return "\n".join(lines) + "\n"
    start = next((n for n, one in enumerate(lines) if one.startswith(f"[{group}]")), None)
    if start is None:
        lines += ["", f"[{group}]", line] if lines else [f"[{group}]", line]
        return "\n".join(lines) + "\n"
    end = next((n for n in range(start + 1, len(lines)) if lines[n].startswith("[")), len(lines))
    sample = re.compile(rf"[#;]\s?{re.escape(name)}\s*=")
    place = next((n + 1 for n in range(start + 1, end) if sample.match(lines[n])), None)
    if place is None:
        place = _last(lines, start, end, lambda one: bool(one.strip()) and one[0] not in "#;")
        # Comments at the end belong to what follows; those that fill a section do not.
        if place == start + 1:
            place = _last(lines, start, end, lambda one: bool(one.strip()))
    lines.insert(place, line)
    return "\n".join(lines) + "\n"


def _last(lines: Sequence[str], start: int, end: int, says: Callable[[str], bool]) -> int:
    """The place behind the last line of a section that says something."""
    return next((n + 1 for n in range(end - 1, start, -1) if says(lines[n])), start + 1)
