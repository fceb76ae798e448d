# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which program manages a mount.  Pure: paths, control groups and command lines come in as text.

A mount that its program would make again from a definition of its own (a PersistentVolume, a
container's volume, a connection of Nova) is not moved: what the program knows would stay wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FSTAB = "fstab"
AUTOFS = "autofs"
SYSTEMD = "systemd"
CONTAINER_ENGINE = "container engine"
KUBELET = "kubelet"
NOVA = "nova"
CINDER = "cinder"

# Where units of systemd lie that are not made of fstab; systemd.unit(5).
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


@dataclass(frozen=True)
class Manager:
    """A program that manages a mount, what it manages it for, and what an operator has to do."""

    program: str
    purpose: str
    advice: str


_KUBELET_ADVICE = (
    "stop the pods that use it for the cutover, and replace their PersistentVolume, which cannot be "
    "changed, by one with the new export"
)
_ENGINE_ADVICE = (
    "stop the containers that use it for the cutover, and define the volume anew: its definition has "
    "the old address"
)
_NOVA_ADVICE = "detach the share from the instance before the cutover, and attach it again after it"
_CINDER_ADVICE = "stop cinder-volume for the cutover, and change its list of shares"

_Rules = tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]

# The first that fits.  Roots differ from one distribution to the next, what lies below them doesn't.
_PATHS: _Rules = (
    (
        # pkg/kubelet/kubelet_getters.go, pkg/volume/csi/csi_mounter.go, pkg/volume/util/subpath.
        KUBELET,
        _KUBELET_ADVICE,
        (
            (r"/pods/([^/]+)/volumes/[^/~]+~[^/]+/([^/]+)", "pod {0}, volume {1}"),
            (r"/pods/([^/]+)/volume-subpaths/([^/]+)", "pod {0}, volume {1}"),
            (r"/plugins/kubernetes\.io/csi/pv/([^/]+)/", "volume {0}"),
            (r"/plugins/kubernetes\.io/csi/([^/]+)/([^/]+)/globalmount", "driver {0}, volume {1}"),
            (r"/kubelet/(?:pods|plugins)/([^/]+)", "{0}"),
        ),
    ),
    # <mount_point_base>/<hash of the export>: virt/libvirt/volume/fs.py; Cinder the same.
    (
        NOVA,
        _NOVA_ADVICE,
        ((r"/nova(?:_compute/_data)?/mnt/([0-9a-f]{32,64})(?:/|$)", "mount {0}"),),
    ),
    (CINDER, _CINDER_ADVICE, ((r"/cinder(?:/_data)?/mnt/([0-9a-f]{32,64})(?:/|$)", "mount {0}"),)),
    (
        CONTAINER_ENGINE,
        _ENGINE_ADVICE,
        (
            # Volumes of Docker, Podman and nerdctl, with root and without.
            (r"/volumes/(?:[^/]+/)?([^/]+)/_data(?:/|$)", "volume {0}"),
            (
                r"/docker/plugins/([0-9a-f]+)/propagated-mount/([^/]+)",
                "plugin {0}, volume {1}",
            ),
            (r"/docker-volumes/(?:[^/]+/)*([^/]+)$", "volume {0}"),
            # Nomad's volumes of CSI: client/pluginmanager/csimanager/volume.go.
            (r"/client/csi/[^/]+/[^/]+/(?:staging|per-alloc/[^/]+)/([^/]+)", "volume {0}"),
            # Root file systems of containers, of Docker, Podman, CRI-O, containerd; LXC, LXD, Incus.
            (r"/containers/storage/(?:overlay|vfs|btrfs)[^/]*/([^/]+)/", "container {0}"),
            (
                r"/(?:var-lib-)?docker/(?:overlay2|vfs/dir|btrfs/subvolumes|zfs/graph|containers"
                r"|rootfs/[^/]+)/([^/]+)/",
                "container {0}",
            ),
            (r"/io\.containerd\.[^/]+/(?:[^/]+/)?([^/]+)/", "container {0}"),
            (
                r"/(?:lib|common|share)/(?:lxc|lxd|incus)/"
                r"(?:storage-pools/[^/]+/[^/]+/|containers/|devices/)?([^/]+)",
                "container {0}",
            ),
        ),
    ),
)

# Control groups of processes in containers: systemd's and cgroupfs' names.
_GROUPS: _Rules = (
    (
        KUBELET,
        _KUBELET_ADVICE,
        (
            (
                r"kubepods[^\n]*?pod([0-9a-f]{8}[-_][0-9a-f_-]{27}|[0-9a-f]{32})",
                "pod {0}",
            ),
            (r"kubepods", "a pod"),
        ),
    ),
    (
        CONTAINER_ENGINE,
        _ENGINE_ADVICE,
        (
            (
                r"(?:docker|libpod|crio|cri-containerd|nerdctl)[-/](?:conmon-)?([0-9a-f]{12})",
                "container {0}",
            ),
            (r"lxc(?:\.payload)?[./]([^/\n]+)", "container {0}"),
            (
                r"machine\.slice/(?:systemd-nspawn@|machine-)(?!qemu)([^/\n]+?)\.(?:service|scope)",
                "container {0}",
            ),
        ),
    ),
)

_HASH = re.compile(r"/[0-9a-f]{32,64}/?$")


def manager_of_path(path: str) -> Manager | None:
    """Tell which program a path belongs to, by the folders in it."""
    return _first(_PATHS, path)


def manager_of_process(control_group: str, arguments: Sequence[str]) -> Manager | None:
    """Tell which program a process works for.

    Args:
        control_group: Its /proc/PID/cgroup.
        arguments: Its command line.
    """
    if is_virtiofsd(arguments[0] if arguments else ""):
        for argument in arguments[1:]:
            manager = manager_of_path(argument)
            if manager:
                return manager
    manager = _first(_GROUPS, control_group)
    if manager and manager.program == KUBELET:
        return Manager(KUBELET, manager.purpose.replace("_", "-"), manager.advice)
    return manager


def manager_of_instance(target: str, commands: Iterable[str]) -> Manager | None:
    """Tell whether Nova has mounted something for an instance, wherever its mounts lie.

    The folder's name is a hash then, and virtiofsd, or QEMU itself, holds it.
    """
    if _HASH.search(target) and any(
        is_virtiofsd(command) or command.startswith("qemu") for command in commands
    ):
        return Manager(NOVA, f"mount {target.rstrip('/').rpartition('/')[2]}", _NOVA_ADVICE)
    return None


def is_virtiofsd(command: str) -> bool:
    """Tell whether a command is the one that shows a folder to an instance."""
    return command.rpartition("/")[2].startswith("virtiofsd")


def _first(rules: _Rules, text: str) -> Manager | None:
    for program, advice, patterns in rules:
        for pattern, purpose in patterns:
            fit = re.search(pattern, text)
            if fit:
                return Manager(program, purpose.format(*fit.groups()), advice)
    return None


def unit_name(target: str) -> str:
    """Return the name of systemd's mount unit for a target, as ``systemd-escape --path`` does."""
    text = target.strip("/") or "-"
    if text == "-":
        return "-.mount"
    escaped = re.sub(
        rb"[^A-Za-z0-9:_./]",
        lambda char: b"\\x%02x" % char.group()[0],
        re.sub("/+", "/", text).encode("utf-8", "surrogateescape"),
    ).decode("ascii")
    if escaped.startswith("."):
        escaped = "\\x2e" + escaped[1:]
    return escaped.replace("/", "-") + ".mount"
