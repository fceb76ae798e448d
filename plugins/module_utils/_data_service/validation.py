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
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.manila.migration.plugins.module_utils._data_service.options import (
    ACCESS_OPTIONS,
    CANT_COPY,
    DEFAULT_MAPPING,
    HARDENABLE,
    HARDENED,
    NEEDS_VENDOR,
    OPTIONS,
    PROTOCOLS,
    SECRET,
    SHARED_PLACES,
)

_NO_SHELL = re.compile(r"[|;&<>`\"'\\\n]")


_PLACEHOLDER = re.compile(r"%(?:\((\w*)\)(\w?))?")


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
        elif "," in separate(text):
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
    if SECRET.search(text):
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


def separate(text: str) -> str:
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


def is_hardened(by_protocol: Mapping[str, str], protocols: Sequence[str]) -> dict[str, str]:
    result = dict(by_protocol)
    keys = {key.upper(): key for key in result}
    for protocol in protocols:
        if protocol not in HARDENABLE:
            continue
        key = keys.get(protocol, protocol.lower())
        words = separate(result.get(key, "")).split()
        words += [word for one in HARDENED if one not in words for word in ("-o", one)]
        result[key] = " ".join(words)
    return result
