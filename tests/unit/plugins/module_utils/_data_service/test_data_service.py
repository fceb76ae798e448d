# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the Data Service: what is refused, and what oslo.config reads of what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oslo_config import cfg, types

from ansible_collections.manila.migration.plugins.module_utils._data_service.options import (
    DATA,
    OPTIONS,
    PROTOCOLS,
    SHARE_MANAGER,
    mask,
    secrets,
)
from ansible_collections.manila.migration.plugins.module_utils._data_service.oslo_config_file import (
    entries,
    merge,
    removed_options,
    sections,
    values,
)
from ansible_collections.manila.migration.plugins.module_utils._data_service.rendering import render
from ansible_collections.manila.migration.plugins.module_utils._data_service.validation import (
    notes,
    problems,
)

BOTH = (DATA, SHARE_MANAGER)

GOOD: dict[str, Any] = {
    "data_node_access_ips": ["192.0.2.10", "2001:db8::10"],
    "data_node_access_cert": "data-node.example",
    "data_node_access_admin_user": "manila",
    "data_node_mount_options": {
        "nfs": "-o nfsvers=4.1,proto=tcp",
        "CIFS": "-o username=foo,password=b:$r",
    },
    "data_access_wait_access_rules_timeout": 200,
    "mount_tmp_location": "/var/lib/manila/migration",
    "check_hash": True,
    "migration_wait_access_rules_timeout": 201,
    "migration_create_delete_share_timeout": 202,
}
BACKENDS: dict[str, Any] = {
    "array7": {
        "migration_ignore_files": ["lost+found", ".snapshot"],
        "share_mount_template": "mount -vt %(proto)s %(options)s %(export)s %(path)s",
        "share_unmount_template": "umount -v %(path)s",
        "protocol_access_mapping": {"ip": ["nfs"], "user": ["CIFS"], "cert": ["glusterfs"]},
    }
}
IN_USE = ["NFS", "CIFS", "GLUSTERFS"]


def read_back(text: str, folder: Path) -> cfg.ConfigOpts:
    """Read a file as Manila 23.0.1 does: manila/data/{helper,manager}.py, manila/share/driver.py."""
    file = folder / "manila.conf"
    file.write_text(text, encoding="utf-8")
    conf = cfg.ConfigOpts()
    conf.register_opts(
        [
            cfg.ListOpt("data_node_access_ips", default=[]),
            cfg.StrOpt("data_node_access_cert"),
            cfg.StrOpt("data_node_access_admin_user"),
            cfg.DictOpt("data_node_mount_options", default={}),
            cfg.IntOpt("data_access_wait_access_rules_timeout", default=180),
            cfg.StrOpt("mount_tmp_location", default="/tmp/"),
            cfg.BoolOpt("check_hash", default=False),
            cfg.IntOpt("migration_wait_access_rules_timeout", default=180),
            cfg.IntOpt("migration_create_delete_share_timeout", default=300),
        ]
    )
    conf.register_opts(
        [
            cfg.ListOpt("migration_ignore_files", default=["lost+found"]),
            cfg.StrOpt("share_mount_template"),
            cfg.StrOpt("share_unmount_template"),
            cfg.Opt(
                "protocol_access_mapping", type=types.Dict(types.List(types.String(), bounds=True))
            ),
        ],
        group="array7",
    )
    conf(["--config-file", str(file)], project="manila", default_config_dirs=[])
    return conf


def test_good_options_are_read_back_as_they_were_meant(tmp_path: Path) -> None:
    assert problems(GOOD, BACKENDS, IN_USE) == []
    conf = read_back(merge("", render(GOOD, BACKENDS, BOTH)), tmp_path)
    for name, value in GOOD.items():
        if name != "data_node_mount_options":
            assert conf[name] == value
    # A comma would end the value: there is a switch for each option instead.
    assert conf.data_node_mount_options == {
        "nfs": "-o nfsvers=4.1 -o proto=tcp",
        "cifs": "-o username=foo -o password=b:$r",
    }
    array = conf["array7"]
    assert array.migration_ignore_files == ["lost+found", ".snapshot"]
    assert array.protocol_access_mapping == {"ip": ["nfs"], "user": ["cifs"], "cert": ["glusterfs"]}
    assert (
        array.share_mount_template
        % {
            "proto": "nfs",
            "options": "%(options)s",
            "export": "x:/y",
            "path": "%(path)s",
        }
        == "mount -vt nfs %(options)s x:/y %(path)s"
    )
    assert array.share_unmount_template % {"path": "/m"} == "umount -v /m"


def test_each_service_gets_what_it_reads() -> None:
    data = render(GOOD, BACKENDS, [DATA])
    share = render(GOOD, BACKENDS, [SHARE_MANAGER])
    assert set(data) == {"DEFAULT"}
    assert set(share) == {"DEFAULT", "array7"}
    for option in OPTIONS:
        group = "array7" if option.per_backend else "DEFAULT"
        assert (option.name in data.get(group, {})) == (option.service == DATA)
        assert (option.name in share.get(group, {})) == (option.service == SHARE_MANAGER)


def test_what_is_not_set_is_left_alone() -> None:
    assert render({"check_hash": None}, {"array7": {}}, BOTH) == {}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("data_node_access_ips", ["192.0.2.300"], "is no IP address"),
        ("data_node_access_ips", ["data1.example"], "is no IP address"),
        ("data_node_access_ips", ["10"], "is no IP address"),
        ("data_node_access_ips", ["192.0.2.0/24"], "is a network"),
        ("data_node_access_ips", ["0.0.0.0"], "is the address of no node"),
        ("data_node_access_ips", ["192.0.2.1", "192.0.2.1"], "is there twice"),
        ("data_node_access_ips", [], "is needed"),
        ("data_node_access_cert", "a b", "one word"),
        ("data_node_access_admin_user", "a b", "one word"),
        ("data_node_access_admin_user", None, "is needed, as backends[array7]"),
        ("data_node_access_cert", None, "is needed, as backends[array7]"),
        ("data_node_mount_options", {"afs": "-o ro"}, "there is no such protocol"),
        ("data_node_mount_options", {"nfs": "nfsvers=3"}, "begin with a switch"),
        ("data_node_mount_options", {"nfs": ""}, "write options of mount"),
        ("data_node_mount_options", {"nfs": 3}, "write options of mount"),
        ("data_node_mount_options", {"nfs": "-o ro", "NFS": "-o rw"}, "is there twice"),
        ("data_node_mount_options", {"nfs": "-o a; rm -r /"}, "no shell reads it"),
        ("data_node_mount_options", {"cifs": '-o password="x"'}, "no shell reads it"),
        ("data_node_mount_options", {"nfs": "--options a,b"}, "takes a comma as the end"),
        ("mount_tmp_location", "mnt", "absolute path"),
        ("mount_tmp_location", "/", "absolute path"),
        ("mount_tmp_location", "/var/../tmp", "absolute path"),
        ("mount_tmp_location", "/var/my mounts", "has a blank"),
        ("mount_tmp_location", "/tmp/", "which all users share"),
        ("mount_tmp_location", "/var/tmp/manila", "which all users share"),
        ("data_access_wait_access_rules_timeout", 0, "is no time"),
        ("migration_wait_access_rules_timeout", -1, "is no time"),
        ("migration_create_delete_share_timeout", 0, "is no time"),
    ],
)
def test_bad_options_are_refused(name: str, value: object, words: str) -> None:
    (found,) = problems({**GOOD, name: value}, BACKENDS, IN_USE)
    assert found.startswith(name) and words in found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"share_mount_template": "mount %(export)s"}, "has to contain %(path)s"),
        (
            {"share_mount_template": "mount %(export)s %(path)s %(user)s"},
            "%(user)s, which Manila can't",
        ),
        (
            {"share_mount_template": "mount %(export)s %(path)s 50%"},
            "%, which Manila can't fill in",
        ),
        ({"share_mount_template": "mount %(export)s %(path)s %%"}, "%, which Manila can't fill in"),
        ({"share_mount_template": "mount %(export)s %(path)s | tee"}, "no shell reads it"),
        (
            {"share_mount_template": "mount -o password=hunter2 %(export)s %(path)s"},
            "has a password in it",
        ),
        ({"share_mount_template": "%(proto)s %(export)s %(path)s"}, "begin with a command"),
        ({"share_unmount_template": "umount -v"}, "has to contain %(path)s"),
        ({"share_unmount_template": "umount %(path)s %(proto)s"}, "%(proto)s, which Manila can't"),
        ({"migration_ignore_files": ["a/b"]}, "is no name"),
        ({"migration_ignore_files": ["a,b"]}, "is no name"),
        ({"migration_ignore_files": [""]}, "is no name"),
        ({"migration_ignore_files": "lost+found"}, "write a list"),
        ({"protocol_access_mapping": {}}, "is empty"),
        (
            {"protocol_access_mapping": {"cephx": ["cephfs"]}},
            "can't ask for access of type 'cephx'",
        ),
        ({"protocol_access_mapping": {"ip": "nfs"}}, "write a list of protocols"),
        ({"protocol_access_mapping": {"ip": ["afs"]}}, "'afs' is no protocol"),
        ({"protocol_access_mapping": "ip:nfs"}, "write access types"),
        ({"data_node_access_ips": ["192.0.2.1"]}, "a back end has no such option"),
        (None, "write its options"),
    ],
)
def test_bad_options_of_back_ends_are_refused(options: Any, words: str) -> None:
    found = problems(GOOD, {"array7": options}, ["NFS"])
    assert len(found) == 1
    assert found[0].startswith("backends[array7].") and words in found[0]
    assert "hunter2" not in found[0]


def test_bad_names_of_back_ends_are_refused() -> None:
    for name in ("DEFAULT", "a]b", "", "a b"):
        assert "no name of a section" in problems(GOOD, {name: {}}, ["NFS"])[0]


def test_all_mistakes_are_told_at_once() -> None:
    bad = {"data_node_access_ips": ["x"], "mount_tmp_location": "y", "check_hash": None}
    assert len(problems(bad, {"a": {"share_unmount_template": "umount"}}, ["NFS"])) == 3


def test_a_shared_mount_location_can_be_allowed() -> None:
    assert problems({**GOOD, "mount_tmp_location": "/tmp/"}, {}, ["NFS"], True) == []


def test_every_protocol_in_use_needs_its_access() -> None:
    only_ip = {"data_node_access_ips": ["192.0.2.10"]}
    assert problems(only_ip, {}, ["NFS"]) == []
    (found,) = problems(only_ip, {}, ["CIFS"])
    assert found.startswith("data_node_access_admin_user: is needed")
    (found,) = problems(only_ip, {}, ["GLUSTERFS"])
    assert "no access type is mapped to GLUSTERFS" in found
    assert (
        problems(only_ip, {"g": {"protocol_access_mapping": {"ip": ["glusterfs"]}}}, ["GLUSTERFS"])
        == []
    )
    # It can't be copied whatever is configured: that is told, and nothing is asked for.
    assert problems(only_ip, {}, ["CEPHFS"]) == []
    assert "Manila can't copy native CephFS" in notes(only_ip, {}, ["CEPHFS"])[0]
    for protocol in ("HDFS", "MAPRFS"):
        assert "install the client of its vendor" in notes(only_ip, {}, [protocol])[0]


def test_worth_a_warning() -> None:
    backends = {
        "a": {
            "share_mount_template": "mount --bind %(export)s %(path)s",
            "protocol_access_mapping": {"ip": ["nfs"]},
        }
    }
    options = {"data_node_access_ips": ["127.0.0.1"], "data_node_mount_options": {"nfs": "-o ro"}}
    found = notes(options, backends, ["NFS"])
    assert ["%(options)s" in found[0], "Manila 15" in found[1], "loopback" in found[2]] == [
        True
    ] * 3


def test_hardening() -> None:
    written = render(GOOD, {}, [DATA], IN_USE, harden_mounts=True)["DEFAULT"]
    assert written["data_node_mount_options"] == (
        "cifs:-o username=foo -o password=b:$$r -o nosuid -o nodev -o noexec,"
        "nfs:-o nfsvers=4.1 -o proto=tcp -o nosuid -o nodev -o noexec"
    )
    assert render({}, {}, [DATA], ["NFS"], True)["DEFAULT"]["data_node_mount_options"] == (
        "nfs:-o nosuid -o nodev -o noexec"
    )
    assert render({}, {}, [DATA], ["GLUSTERFS"], True) == {}


def test_passwords() -> None:
    assert secrets([GOOD, BACKENDS]) == {"b:$r"}
    assert mask("-o user=a -o pass=x -o password2=y,sec=z") == (
        "-o user=a -o pass=*** -o password2=***,sec=z"
    )
    assert mask("-o credentials=/etc/x") == "-o credentials=/etc/x"


# -- files -----------------------------------------------------------------------------------

SAMPLE = """\
# Manila
[DEFAULT]
# Where to mount
#mount_tmp_location = /tmp/
transport_url = rabbit://a:b@c
  ,rabbit://d
check_hash = False

# The array in the cellar
[array7]
share_driver = x
"""


def test_a_file_keeps_what_is_not_ours() -> None:
    wanted = {
        "DEFAULT": {"mount_tmp_location": "/m", "check_hash": "True", "data_node_access_ips": "1"},
        "array7": {"migration_ignore_files": "a,b"},
        "new": {"share_unmount_template": "umount %(path)s"},
    }
    assert (
        merge(SAMPLE, wanted)
        == """\
# Manila
[DEFAULT]
# Where to mount
#mount_tmp_location = /tmp/
mount_tmp_location = /m
transport_url = rabbit://a:b@c
  ,rabbit://d
check_hash = True
data_node_access_ips = 1

# The array in the cellar
[array7]
share_driver = x
migration_ignore_files = a,b

[new]
share_unmount_template = umount %(path)s
"""
    )
    assert merge(merge(SAMPLE, wanted), wanted) == merge(SAMPLE, wanted)
    assert merge(SAMPLE, {}) == SAMPLE


def test_continuation_lines_belong_to_the_value() -> None:
    text = "[DEFAULT]\ndata_node_access_ips = 1,\n  2,\n  3\ncheck_hash = True\n"
    assert values(text)["DEFAULT"]["data_node_access_ips"] == "1,\n2,\n3"
    assert merge(text, {"DEFAULT": {"data_node_access_ips": "4"}}) == (
        "[DEFAULT]\ndata_node_access_ips = 4\ncheck_hash = True\n"
    )


def test_of_several_assignments_one_is_left() -> None:
    text = "[a]\nx = 1\n[b]\n[a]\nx: 2\n"
    assert values(text)["a"]["x"] == "2"
    assert merge(text, {"a": {"x": "3"}}) == "[a]\n[b]\n[a]\nx = 3\n"
    assert merge(text, {"a": {"x": "2"}}) == text
    assert sections(text) == ["a", "b"]


def test_removed_options_are_found() -> None:
    text = (
        "[DEFAULT]\n# data_node_access_ip = 1\nmigration_tmp_location=/x\ndata_node_access_ip: 1\n"
    )
    first, second = removed_options(text)
    assert first.startswith("line 3: migration_tmp_location") and "use mount_tmp_location" in first
    assert second.startswith("line 4: data_node_access_ip in [DEFAULT]")


names = st.sampled_from(["a", "b_c", "data_node_access_ips"])
texts = st.lists(
    st.one_of(
        st.builds("[{}]".format, st.sampled_from(["DEFAULT", "x", "y"])),
        st.builds(
            "{}{}{}".format,
            names,
            st.sampled_from([" = ", "=", ": "]),
            st.sampled_from(["", "1", "'q'", "a:b=c"]),
        ),
        st.builds("#{} = 1".format, names),
        st.sampled_from(["", "; comment", "# comment"]),
    ),
    max_size=12,
).map("\n".join)
wanted_values = st.dictionaries(
    st.sampled_from(["DEFAULT", "x", "z"]),
    st.dictionaries(names, st.sampled_from(["7", "a,b", "p %(q)s"])),
)


@given(texts, wanted_values)
def test_oslo_reads_what_was_merged_and_the_rest_as_before(
    text: str, wanted: dict[str, dict[str, str]]
) -> None:
    merged = merge(text, wanted)
    expected = values(text)
    for group, given_values in wanted.items():
        expected.setdefault(group, {}).update(given_values)
    assert {group: had for group, had in oslo(merged).items() if had} == {
        group: had for group, had in expected.items() if had
    }
    assert merge(merged, wanted) == merged
    assert set(comments(text)) <= set(comments(merged))


def oslo(text: str) -> dict[str, dict[str, str]]:
    read: dict[str, dict[str, list[str]]] = {}

    class Parser(cfg.iniparser.BaseParser):
        section = "DEFAULT"

        def new_section(self, section: str) -> None:
            self.section = section

        def assignment(self, key: str, value: list[str]) -> None:
            read.setdefault(self.section, {})[key] = value

    Parser().parse(text.splitlines())
    return {
        group: {name: "\n".join(value) for name, value in given_values.items()}
        for group, given_values in read.items()
    }


def comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line[:1] in ("#", ";")]


def test_protocols_are_those_of_manila() -> None:
    assert len(PROTOCOLS) == 8
    assert not entries("")
