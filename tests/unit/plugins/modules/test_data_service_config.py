# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the Data Service: what is refused, what is written and how, and that no password shows."""

from __future__ import annotations

import os
import stat

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.manila.migration.plugins.module_utils._data_service import validation
from ansible_collections.manila.migration.plugins.modules import data_service_config
from ansible_collections.manila.migration.tests.unit.plugins.modules import in_process

ADDRESS = {"data_node_access_ips": ["192.0.2.10"]}
PASSWORD = "s3cret-word"
CIFS = {
    **ADDRESS,
    "protocols": ["NFS", "CIFS"],
    "data_node_access_admin_user": "manila",
    "data_node_mount_options": {
        "cifs": f"-o user=manila,password={PASSWORD}",
        "nfs": "-o vers=4.1",
    },
}
MANILA_CONF = """\
# Manila's own
[DEFAULT]
debug = False
#check_hash = false

[array7]
netapp_password = of-the-array
"""


@pytest.fixture
def conf(tmp_path):
    path = tmp_path / "manila.conf"
    path.write_text(MANILA_CONF)
    path.chmod(0o640)
    return path


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run it; without a validator of oslo's, unless a test puts one on the path."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(
        AnsibleModule,
        "get_bin_path",
        lambda _self, name, *_more: (
            str(tmp_path / "bin" / name) if (tmp_path / "bin" / name).exists() else None
        ),
    )

    def call(check=False, **args):
        if "path" in args:
            args["path"] = str(args["path"])
        args["_ansible_tmpdir"] = str(tmp_path / "tmp")
        result = in_process.run(data_service_config, args, check=check)
        assert os.listdir(tmp_path / "tmp") == []
        assert PASSWORD not in str(result)
        return result

    return call


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# -- writing ---------------------------------------------------------------------------------


def test_without_a_file_everything_is_checked_and_nothing_is_written(run, tmp_path):
    result = run(**ADDRESS, check_hash=True, mount_tmp_location="/var/lib/manila/migration")
    assert (result["changed"], result["differs"]) == (False, False)
    assert result["options"] == {
        "DEFAULT": {
            "data_node_access_ips": "192.0.2.10",
            "mount_tmp_location": "/var/lib/manila/migration",
            "check_hash": "True",
        }
    }
    in_process.check_complete(data_service_config, result, without={"problems"})
    assert sorted(os.listdir(tmp_path)) == ["bin", "tmp"]


def test_options_are_written_once_and_all_else_stays(run, conf):
    args = {**ADDRESS, "check_hash": True, "path": conf}
    args["backends"] = {"array7": {"migration_ignore_files": ["lost+found", ".snapshot"]}}
    result = run(**args)
    assert result["changed"] and result["differs"]
    assert (
        conf.read_text()
        == MANILA_CONF.replace(
            "debug = False\n#check_hash = false\n",
            "debug = False\ndata_node_access_ips = 192.0.2.10\n#check_hash = false\ncheck_hash = True\n",
        )
        + "migration_ignore_files = lost+found,.snapshot\n"
    )
    assert mode(conf) == 0o640
    in_process.check_complete(data_service_config, result, without={"problems"})

    written = conf.stat()
    again = run(**args)
    assert (again["changed"], again["differs"]) == (False, False)
    assert again["options"] == result["options"]
    assert conf.stat().st_mtime_ns == written.st_mtime_ns
    assert again["diff"]["before"] == again["diff"]["after"] == result["diff"]["after"]


def test_check_mode_writes_nothing(run, conf, tmp_path):
    assert run(check=True, **ADDRESS, path=conf)["changed"]
    assert conf.read_text() == MANILA_CONF
    new = tmp_path / "new.conf"
    assert run(check=True, **ADDRESS, path=new, create=True)["changed"]
    assert not new.exists()


def test_the_diff_shows_the_options_in_question_and_nothing_else(run, conf):
    conf.write_text(MANILA_CONF.replace("debug = False", "check_hash = True"))
    diff = run(**ADDRESS, check_hash=False, path=conf)["diff"]
    assert diff == {
        "before_header": str(conf),
        "after_header": str(conf),
        "before": "[DEFAULT]\ncheck_hash = True\n",
        "after": "[DEFAULT]\ndata_node_access_ips = 192.0.2.10\ncheck_hash = False\n",
    }


def test_a_file_is_replaced_at_once(run, conf):
    """Whoever has it open goes on reading what was there."""
    with conf.open() as reader:
        run(**ADDRESS, path=conf)
        assert reader.read() == MANILA_CONF
        assert os.fstat(reader.fileno()).st_ino != conf.stat().st_ino
    assert sorted(os.listdir(conf.parent)) == ["bin", "manila.conf", "tmp"]


def test_a_link_stays_one(run, conf, tmp_path):
    link = tmp_path / "link.conf"
    link.symlink_to(conf)
    assert run(**ADDRESS, path=link)["changed"]
    assert link.is_symlink() and "192.0.2.10" in conf.read_text()


def test_a_new_file_is_for_its_owner_alone(run, tmp_path):
    umask = os.umask(0)
    try:
        assert run(**CIFS, path=tmp_path / "new.conf", create=True)["changed"]
    finally:
        os.umask(umask)
    assert mode(tmp_path / "new.conf") == 0o600
    assert PASSWORD in (tmp_path / "new.conf").read_text()


def test_the_mode_is_set_on_request_and_that_alone_is_a_change(run, conf):
    run(**ADDRESS, path=conf)
    result = run(**ADDRESS, path=conf, mode="0600")
    assert (result["changed"], result["differs"], mode(conf)) == (True, False, 0o600)
    assert not run(**ADDRESS, path=conf, mode="0600")["changed"]


@pytest.mark.parametrize(
    ("services", "groups"),
    [(["manila-data"], ["DEFAULT"]), (["manila-share"], ["array7"])],
)
def test_the_options_of_one_service_alone(run, conf, services, groups):
    backends = {"array7": {"migration_ignore_files": [".snapshot"]}}
    result = run(**ADDRESS, path=conf, services=services, backends=backends)
    assert list(result["options"]) == groups


def test_mounts_are_hardened_on_request(run):
    result = run(**ADDRESS, harden_mounts=True)
    options = result["options"]["DEFAULT"]["data_node_mount_options"]
    assert options == "nfs:-o nosuid -o nodev -o noexec"


def test_the_overrides_of_openstack_ansible(run, tmp_path):
    path = tmp_path / "manila.yml"
    args = {**ADDRESS, "path": path, "format": "openstack_ansible", "create": True}
    assert run(**args)["changed"]
    assert yaml.safe_load(path.read_text()) == {
        "manila_manila_conf_overrides": {"DEFAULT": {"data_node_access_ips": "192.0.2.10"}}
    }
    assert mode(path) == 0o600
    assert not run(**args)["changed"]
    path.write_text("- no\n- {overrides")
    assert run(**args)["changed"]


# -- passwords -------------------------------------------------------------------------------


def test_passwords_are_shown_nowhere(run, conf, monkeypatch):
    """Each call of ``run`` looks through the whole result, the arguments in it included."""
    logged = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, text, **_more: logged.append(text))
    first = run(**CIFS, path=conf)
    conf.write_text(conf.read_text().replace(PASSWORD, "old-password"))
    second = run(**CIFS, path=conf)
    assert "password=***" in second["diff"]["before"] and "password=***" in second["diff"]["after"]
    assert "old-password" not in str(second)
    assert first["options"]["DEFAULT"]["data_node_mount_options"] == (
        "cifs:-o user=manila -o password=***,nfs:-o vers=4.1"
    )
    assert PASSWORD in conf.read_text()
    assert PASSWORD not in str(logged) and logged
    # What is no password is readable.
    assert second["invocation"]["module_args"]["data_node_mount_options"]["nfs"] == "-o vers=4.1"


@pytest.mark.parametrize(
    "args",
    [
        {"data_node_mount_options": {"cifs": {"password": PASSWORD}}},
        {"data_node_mount_options": {"cifs": [f"-o password={PASSWORD}"]}},
        {"data_node_mount_options": {"cifs": f"password={PASSWORD}"}},
        {"data_node_mount_options": {"smb": f"-o user=a,pass={PASSWORD}"}},
        {"backends": {"array7": {"netapp_password": PASSWORD}}},
        {"backends": {"array7": {"san": {"secret_key": [PASSWORD]}}}},
        {"backends": {"array7": {"share_mount_template": f"mount password={PASSWORD} %(path)s"}}},
        {"backends": f"array7=password={PASSWORD}"},
        {**CIFS, "check_hash": "perhaps"},
    ],
)
def test_a_password_in_a_place_that_is_refused_is_not_shown(run, conf, args):
    result = run(**{**ADDRESS, **args}, path=conf)
    assert result["failed"] and conf.read_text() == MANILA_CONF


def test_no_password_is_written_into_a_file_for_everybody(run, conf):
    conf.chmod(0o644)
    result = run(**CIFS, path=conf)
    assert result["failed"] and "0644" in result["msg"] and conf.read_text() == MANILA_CONF
    assert run(**CIFS, path=conf, mode="0640")["changed"] and mode(conf) == 0o640
    # Without a password in it the mode is its owner's business.
    conf.chmod(0o644)
    assert run(**ADDRESS, path=conf)["changed"] is False


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ({"data_node_access_ips": ["192.0.2.0/24"]}, "data_node_access_ips"),
        ({"data_node_access_ips": ["node1"]}, "data_node_access_ips"),
        ({"data_node_access_ips": ["0.0.0.0"]}, "data_node_access_ips"),
        ({"data_node_access_ips": ["192.0.2.1", "192.0.2.1"]}, "data_node_access_ips"),
        ({"data_node_access_ips": []}, "data_node_access_ips"),
        ({"protocols": ["CIFS"]}, "data_node_access_admin_user"),
        ({"protocols": ["GLUSTERFS"]}, "protocols"),
        ({"protocols": ["FTP"]}, "protocols"),
        ({"data_node_access_cert": "a b"}, "data_node_access_cert"),
        ({"data_node_access_admin_user": ""}, "data_node_access_admin_user"),
        ({"data_node_mount_options": {"ftp": "-o a"}}, "data_node_mount_options[ftp]"),
        ({"data_node_mount_options": {"nfs": "vers=4"}}, "data_node_mount_options[nfs]"),
        ({"data_node_mount_options": {"nfs": "-o 'a b'"}}, "data_node_mount_options[nfs]"),
        ({"data_node_mount_options": {"nfs": "-t nfs,ro"}}, "data_node_mount_options[nfs]"),
        ({"data_node_mount_options": {"nfs": ""}}, "data_node_mount_options[nfs]"),
        ({"mount_tmp_location": "migration"}, "mount_tmp_location"),
        ({"mount_tmp_location": "/"}, "mount_tmp_location"),
        ({"mount_tmp_location": "/srv/my shares"}, "mount_tmp_location"),
        ({"mount_tmp_location": "/tmp/migration"}, "mount_tmp_location"),
        ({"data_access_wait_access_rules_timeout": 0}, "data_access_wait_access_rules_timeout"),
        ({"migration_wait_access_rules_timeout": -1}, "migration_wait_access_rules_timeout"),
        ({"migration_create_delete_share_timeout": 0}, "migration_create_delete_share_timeout"),
        ({"backends": {"array7": "x"}}, "backends[array7]"),
        ({"backends": {"array7": {"share_driver": "x"}}}, "backends[array7].share_driver"),
        ({"backends": {"array7": {"share_mount_template": 5}}}, "backends[array7]"),
        (
            {"backends": {"array7": {"share_mount_template": "mount %(path)s"}}},
            "backends[array7].share_mount_template",
        ),
        (
            {"backends": {"array7": {"share_unmount_template": "umount %(mount)s"}}},
            "backends[array7].share_unmount_template",
        ),
        (
            {"backends": {"array7": {"migration_ignore_files": ["a/b"]}}},
            "backends[array7].migration_ignore_files",
        ),
        (
            {"backends": {"array7": {"protocol_access_mapping": {"cephx": ["cephfs"]}}}},
            "backends[array7].protocol_access_mapping",
        ),
        ({"backends": {"array9": {}}}, "backends[array9]"),
    ],
)
def test_what_manila_would_find_out_in_the_middle_of_a_copy(run, conf, args, option):
    result = run(**{**ADDRESS, **args}, path=conf)
    assert result["failed"] and option in result["msg"]
    assert conf.read_text() == MANILA_CONF


def test_all_mistakes_are_told_at_once(run, conf):
    result = run(data_node_access_ips=["x"], mount_tmp_location="/tmp/", check_hash=True, path=conf)
    assert [problem.split(":")[0] for problem in result["problems"]] == [
        "data_node_access_ips",
        "mount_tmp_location",
    ]
    assert all(problem in result["msg"] for problem in result["problems"])


@pytest.mark.parametrize("name", ["data_node_access_ip", "migration_tmp_location"])
def test_an_option_that_manila_dropped_is_named_with_its_line(run, conf, name):
    text = MANILA_CONF.replace("debug = False", f"{name} = x")
    conf.write_text(text)
    result = run(**ADDRESS, path=conf)
    assert result["failed"] and f"{conf}: line 3: {name}" in result["msg"]
    assert conf.read_text() == text


def test_files_that_cannot_be_read(run, conf, tmp_path):
    for path in (tmp_path / "none.conf", tmp_path):
        result = run(**ADDRESS, path=path)
        assert result["failed"] and result["msg"].startswith(f"path: {path} can't be read")
    conf.write_bytes(b"\xff\xfe")
    assert run(**ADDRESS, path=conf)["failed"]


def test_a_folder_that_is_not_there_is_not_made(run, tmp_path):
    result = run(**ADDRESS, path=tmp_path / "no" / "manila.conf", create=True)
    assert result["failed"] and "can't be written" in result["msg"]
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("inspect", [True, False])
def test_a_mount_location_that_others_can_get_at(run, tmp_path, inspect, monkeypatch):
    monkeypatch.setattr(validation, "SHARED_PLACES", ())
    place = tmp_path / "mounts"
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    args = {**ADDRESS, "mount_tmp_location": str(place), "inspect_node": inspect}
    assert run(**args).get("failed", False) is inspect
    assert not run(**args, allow_shared_mount_location=True).get("failed")
    assert not run(**args, services=["manila-share"]).get("failed")
    place.chmod(0o700)
    assert not run(**args).get("failed")
    place.rmdir()
    assert not run(**args).get("failed")  # Manila will make it
    place.write_text("")
    assert run(**args).get("failed", False) is inspect


# -- what Manila says of its options ---------------------------------------------------------


def validator(tmp_path, answer):
    program = tmp_path / "bin" / "oslo-config-validator"
    program.write_text(f"#!/bin/sh\n{answer}\nexit 1\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("echo 'DEFAULT/data_node_access_ips is not part of the sample config' >&2", True),
        # No Manila is there, or the validator is broken: that says nothing about options.
        (
            "echo DEFAULT/data_node_access_ips is not part; echo DEFAULT/share_driver is not part",
            False,
        ),
        ("echo DEFAULT/data_node_access_ips is not part; echo Traceback", False),
        ("true", False),
    ],
)
def test_an_option_that_the_installed_manila_does_not_know(run, conf, tmp_path, answer, refused):
    validator(tmp_path, answer)
    result = run(**ADDRESS, path=conf)
    assert result.get("failed", False) is refused
    assert (conf.read_text() == MANILA_CONF) is refused
    if refused:
        assert result["problems"][0].startswith("data_node_access_ips:")


# -- what is allowed and worth a word --------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"protocols": ["CEPHFS"]}, "CEPHFS"),
        ({"data_node_access_ips": ["127.0.0.1"]}, "loopback"),
        (
            {
                "backends": {"array7": {"share_mount_template": "mount %(export)s %(path)s"}},
                "data_node_mount_options": {"nfs": "-o vers=4.1"},
            },
            "%(options)s",
        ),
        (
            {"backends": {"array7": {"protocol_access_mapping": {"ip": ["nfs"]}}}},
            "Manila 15",
        ),
    ],
)
def test_warnings(run, args, word):
    result = run(**{**ADDRESS, **args})
    assert not result.get("failed")
    assert len(result["warnings"]) == 1 and word in result["warnings"][0]
