# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that manage mounts."""

from __future__ import annotations

import pytest

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import managers


@pytest.mark.parametrize(
    ("target", "unit"),
    [
        ("/srv/projects", "srv-projects.mount"),
        ("/srv/with blank", "srv-with\\x20blank.mount"),
        ("/srv/a-b/", "srv-a\\x2db.mount"),
        ("/.hidden", "\\x2ehidden.mount"),
        ("/", "-.mount"),
    ],
)
def test_units_of_systemd(target: str, unit: str) -> None:
    assert managers.unit_name(target) == unit


@pytest.mark.parametrize(
    ("target", "unit"),
    [
        ("/srv//aX/", "srv-aX.mount"),
        ("/Xsrv/XX", "Xsrv-XX.mount"),
        ("/srv/\udcff", "srv-\\xff.mount"),
        ("/srv/ü", "srv-\\xc3\\xbc.mount"),
    ],
)
def test_names_of_units_have_every_byte(target: str, unit: str) -> None:
    assert managers.unit_name(target) == unit


HASHED = "/srv/0cc175b9c0f1b6a831c399e269772661"


@pytest.mark.parametrize(
    ("target", "commands", "nova"),
    [
        (HASHED, ["bash", "virtiofsd"], True),
        (HASHED, ["qemu-system-x86"], True),
        (HASHED, ["vi"], False),
        (HASHED, [], False),
        ("/srv/projects", ["virtiofsd"], False),
    ],
)
def test_who_holds_a_mount_for_an_instance(target: str, commands: list[str], nova: bool) -> None:
    manager = managers.manager_of_instance(target, commands)
    assert (manager.program if manager else None) == ("nova" if nova else None)


def test_the_folder_that_virtiofsd_shows_says_whose_it_is() -> None:
    folder = "/var/lib/nova/mnt/0cc175b9c0f1b6a831c399e269772661"
    for arguments in (["virtiofsd", folder], ["/usr/libexec/virtiofsd", "-x", folder]):
        manager = managers.manager_of_process("", arguments)
        assert manager and manager.program == "nova"
    assert managers.manager_of_process("", ["vi", folder]) is None
    assert managers.manager_of_process("", []) is None


@pytest.mark.parametrize(
    ("path", "program", "purpose"),
    [
        ("/x/plugins/kubernetes.io/csi/pv/p1/globalmount", "kubelet", "volume p1"),
        ("/x/kubelet/plugins/else/mount", "kubelet", "else"),
        ("/var/lib/docker/plugins/0a1b/propagated-mount/data", "container engine", "plugin 0a1b, volume data"),
        ("/var/lib/docker-volumes/netshare/nfs/data", "container engine", "volume data"),
    ],
)  # fmt: skip
def test_folders_of_other_programs(path: str, program: str, purpose: str) -> None:
    manager = managers.manager_of_path(path)
    assert manager and (manager.program, manager.purpose) == (program, purpose)


@pytest.mark.parametrize(
    ("group", "found"),
    [
        ("0::/kubepods/burstable/x", ("kubelet", "a pod")),
        ("0::/machine.slice/systemd-nspawn@web.service", ("container engine", "container web")),
        ("0::/machine.slice/machine-web.scope", ("container engine", "container web")),
        ("0::/machine.slice/machine-qemu\\x2d1.scope", None),
        ("0::/system.slice/app.service", None),
    ],
)
def test_control_groups_of_other_programs(group: str, found: tuple[str, str] | None) -> None:
    manager = managers.manager_of_process(group, ["app"])
    assert (manager and (manager.program, manager.purpose)) == found
