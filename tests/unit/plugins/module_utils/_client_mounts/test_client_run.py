# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to one client: what is sent to it, in which order, and the whole of the result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.manila.migration.plugins.module_utils._client_mounts.acceptance import (
    Acceptance,
    parse_acceptances,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.client import Client
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.findings import (
    Request,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.holders import (
    describe_process,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import (
    Share,
    wanted_types,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.system import (
    ClientError,
)
from ansible_collections.manila.migration.tests.unit.plugins.module_utils._client_mounts.fake_client import (
    FakeClient,
)

OLD, NEW = "192.0.2.10:/shares/a", "192.0.2.20:/new/a"
OLD_B, NEW_B = "192.0.2.30:/shares/b", "192.0.2.40:/new/b"
A = Share("a", "first", (OLD,), (NEW,))
B = Share("b", "", (OLD_B,), (NEW_B,))
RECORD = "/var/lib/record.json"
TYPES = frozenset(wanted_types(["nfs", "cifs", "glusterfs"]))
ASKED = Request("found", (A,), TYPES, False, 60, "/etc/fstab", RECORD)


def nfs(number: int, target: str, source: str = OLD, parent: int = 22, flags: str = "rw") -> str:
    host = source.partition(":/")[0]
    return (
        f"{number} {parent} 0:{number} / {target} {flags},relatime shared:{number} - nfs4 {source} "
        f"rw,vers=4.2,addr={host}"
    )


def ask(client: FakeClient, state: str = "found", *shares: Share, **more: Any) -> dict[str, Any]:
    request = replace(ASKED, state=state, shares=shares or (A,), **more)
    return Client(client, request).run()


def left(result: dict[str, Any], key: str = "left") -> list[tuple[str, str, str]]:
    return [(row["id"], row["code"], row["target"]) for row in result[key]]


def recorded(client: FakeClient) -> list[str]:
    return [one["target"] for one in json.loads(client.files.get(RECORD, '{"mounts": []}'))["mounts"]]  # fmt: skip


def sent(client: FakeClient, program: str) -> list[str]:
    return [one[-1] for one in client.commands if one[0] == program]


class Refusing(FakeClient):
    """A client on which some commands end in a way of their own, and locks are noted."""

    def __init__(self, *lines: str, **more: Any) -> None:
        super().__init__(*lines, **more)
        self.ends: dict[str, tuple[int, str, str]] = {}  # first word or target -> how it ends
        self.locks: list[tuple[str, float]] = []
        self.limits: list[list[str]] = []
        self.errors: dict[str, OSError] = {}

    def run(self, command: Sequence[str]) -> tuple[int, str, str]:
        self.limits.append(list(command[:4]))
        end = self.ends.get(command[4]) or self.ends.get(command[-1])
        if end:
            self.commands.append(list(command[4:]))
            return end
        return super().run(command)

    def read_text(self, path: str) -> str:
        if path in self.errors:
            raise self.errors[path]
        return super().read_text(path)

    def list_dir(self, path: str) -> list[str]:
        if path in self.errors:
            raise self.errors[path]
        return super().list_dir(path)

    @contextmanager
    def locked(self, path: str, seconds: float) -> Iterator[None]:
        self.locks.append((path, seconds))
        yield


# -- the result --------------------------------------------------------------------------------


def test_the_whole_of_what_is_found() -> None:
    client = FakeClient(nfs(50, "/srv/a", flags="ro"), fstab="x /x nfs ro 0 0\n")
    assert ask(client) == {
        "changed": False,
        "mounts": [
            {
                "id": "a",
                "name": "first",
                "target": "/srv/a",
                "source": OLD,
                "type": "nfs4",
                "options": "ro,vers=4.2",
                "bind": False,
                "fstab": False,
                "managed_by": "",
                "state": "mounted",
                "sides": ["before"],
            }
        ],
        "left": [],
        "accepted": [],
        "ready": [],
        "similar": [],
        "fstab_lines": [],
        "diff": [
            {
                "before_header": "mounts",
                "after_header": "mounts",
                "before": f"{OLD} /srv/a nfs\n",
                "after": f"{OLD} /srv/a nfs\n",
            }
        ],
        "warnings": [],
    }


def test_the_whole_of_what_is_left() -> None:
    client = FakeClient(nfs(50, "/srv/a"))
    client.add_process(70, command="vi", cwd="/srv/a/x")
    result = ask(client, "unmounted")
    assert result["left"] == [
        {
            "id": "a",
            "name": "first",
            "source": OLD,
            "target": "/srv/a",
            "code": "busy",
            "message": "/srv/a is held by vi (pid 70, user games).",
            "holders": [{"pid": 70, "command": "vi", "user": "games"}],
            "managed_by": "",
        }
    ]
    assert (result["changed"], result["ready"]) == (False, [])
    assert result["msg"] == "/srv/a is held by vi (pid 70, user games)."
    # What keeps a mount is no failure where nothing was asked for.
    assert "msg" not in ask(client)


def test_several_reasons_make_one_message() -> None:
    client = FakeClient(nfs(50, "/srv/a"), nfs(51, "/srv/b", OLD_B))
    client.add_process(70, cwd="/srv/a")
    client.add_process(71, cwd="/srv/b")
    result = ask(client, "unmounted", A, B)
    assert result["msg"] == " ".join(row["message"] for row in result["left"])
    assert len(result["left"]) == 2


def test_what_was_unmounted_is_told_until_it_is_mounted_again() -> None:
    client = FakeClient(nfs(50, "/srv/a"))
    assert ask(client, "unmounted")["changed"] is True
    (row,) = ask(client)["mounts"]
    assert (row["state"], row["sides"], row["target"]) == ("unmounted", [], "/srv/a")
    # Of a share that nobody asks about nothing is told.
    assert ask(client, "found", B)["mounts"] == []
    assert ask(client, "mounted")["changed"] is True


def test_an_accepted_reason_is_told_as_such_and_one_that_fits_nothing_is_too() -> None:
    client = FakeClient(nfs(50, "/srv/a"))
    client.add_process(70, cwd="/srv/a")
    accepted = (Acceptance("busy", OLD, ""), Acceptance("busy", "", "/x"))
    result = ask(client, "found", acceptances=accepted)
    assert (left(result), left(result, "accepted")) == ([], [("a", "busy", "/srv/a")])
    assert result["ready"] == ["a"]
    assert [one.partition(":")[0] for one in result["warnings"]] == ["Accepted (busy)", "accept"]
    assert "busy /x" in result["warnings"][1]
    # After the cutover nothing is left of many a reason, which is no mistake then.
    assert len(ask(client, "mounted", acceptances=accepted)["warnings"]) == 1


# -- one run at a time, no longer than told ----------------------------------------------------


@pytest.mark.parametrize(
    ("state", "check_mode", "locked"),
    [("found", False, False), ("unmounted", True, False), ("unmounted", False, True), ("restored", False, True)],
)  # fmt: skip
def test_what_changes_something_is_alone(state: str, check_mode: bool, locked: bool) -> None:
    client = Refusing(nfs(50, "/srv/a"))
    ask(client, state, check_mode=check_mode, timeout=7)
    assert client.locks == ([(f"{RECORD}.lock", 7)] if locked else [])


@pytest.mark.parametrize(("timeout", "fine"), [(0, False), (1, True)])
def test_a_second_is_the_least(timeout: int, fine: bool) -> None:
    client = Refusing(nfs(50, "/srv/a"))
    if fine:
        assert ask(client, "unmounted", timeout=timeout)["ready"] == ["a"]
        assert client.limits == [["timeout", "-k", "5", "1"]]
    else:
        with pytest.raises(ClientError, match="timeout"):
            ask(client, "unmounted", timeout=timeout)


def test_without_root_it_can_be_looked_at_only() -> None:
    assert ask(FakeClient(nfs(50, "/srv/a"), root=False))["mounts"]
    with pytest.raises(ClientError, match="root"):
        ask(FakeClient(nfs(50, "/srv/a"), root=False), "restored")


@pytest.mark.parametrize("state", ["found", "unmounted", "restored"])
def test_only_to_mount_the_new_export_it_must_be_known(state: str) -> None:
    gone = Share("c", "third", (OLD,), ())
    assert "msg" not in ask(FakeClient(nfs(50, "/srv/a")), state, gone, B)
    with pytest.raises(ClientError, match=r"third \(c\) has no export"):
        ask(FakeClient(nfs(50, "/srv/a")), "mounted", gone, B)


# -- what cannot be read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "word"),
    [("/etc/fstab", "fstab"), ("/proc/self/mountinfo", "/proc/self/mountinfo"), (RECORD, "record")],
)
def test_what_must_be_read_and_cannot_ends_it(path: str, word: str) -> None:
    client = Refusing(nfs(50, "/srv/a"))
    client.errors[path] = PermissionError(13, "Permission denied")
    with pytest.raises(ClientError, match=rf"{word}.*Permission denied") as raised:
        ask(client, "unmounted")
    assert path in str(raised.value)
    assert client.commands == []


def test_without_fstab_there_are_no_lines() -> None:
    assert ask(FakeClient(nfs(50, "/srv/a")), "mounted")["fstab_lines"] == []


def test_processes_that_cannot_be_listed_may_be_anywhere() -> None:
    client = Refusing()
    client.errors["/proc"] = OSError(5, "Input/output error")
    result = ask(client)
    assert left(result) == [("a", "unreadable", "/proc")]
    assert "Input/output error" in result["left"][0]["message"]


def test_a_process_that_has_ended_is_named_by_its_number() -> None:
    assert describe_process(FakeClient(), 999) == {"pid": 999, "command": "?", "user": "?"}


# -- unmounting --------------------------------------------------------------------------------


def test_umount_asks_no_server_and_is_lazy_by_force_only() -> None:
    client = FakeClient(nfs(50, "/srv/a"))
    ask(client, "unmounted")
    assert client.commands == [["umount", "-c", "/srv/a"]]
    client = FakeClient(nfs(50, "/srv/a"))
    client.add_process(70, cwd="/srv/a")
    result = ask(client, "unmounted", force=True)
    assert client.commands == [["umount", "-c", "/srv/a"], ["umount", "-c", "--lazy", "/srv/a"]]
    assert result["ready"] == ["a"]
    assert len(result["warnings"]) == 1
    # Without need it is not.
    client = FakeClient(nfs(50, "/srv/a"))
    ask(client, "unmounted", force=True)
    assert client.commands == [["umount", "-c", "/srv/a"]]


def test_the_last_mounted_goes_first_and_after_a_refusal_no_other_of_the_share() -> None:
    lines = [nfs(50, "/srv/a"), nfs(51, "/srv/b", OLD_B), nfs(52, "/mnt/a"), nfs(53, "/opt/a")]
    client = FakeClient(*lines)
    client.unmountable = {"/mnt/a": "umount: /mnt/a: not permitted"}
    result = ask(client, "unmounted", A, B)
    assert sent(client, "umount") == ["/opt/a", "/mnt/a", "/srv/b"]
    # Those of the share that went come back; the other share has gone.
    assert left(result) == [("a", "failed", "/mnt/a")]
    assert result["ready"] == ["b"]
    assert sent(client, "mount") == ["/opt/a"]
    assert recorded(client) == ["/srv/b"]
    assert sorted(client.targets()) == [f"/mnt/a {OLD}", f"/opt/a {OLD}", f"/srv/a {OLD}"]
    assert "not permitted" in result["msg"]


def test_what_comes_back_comes_back_of_the_share_that_refused_alone() -> None:
    lines = [nfs(49, "/srv/b", OLD_B), nfs(50, "/srv/a"), nfs(52, "/mnt/a")]
    client = FakeClient(*lines)
    client.unmountable = {"/srv/a": "umount: /srv/a: not permitted"}
    ask(client, "unmounted", A, B)
    assert sent(client, "mount") == ["/mnt/a"]
    assert recorded(client) == ["/srv/b"]


def test_one_mount_that_is_held_keeps_all_of_its_share() -> None:
    client = FakeClient(nfs(50, "/srv/a"), nfs(51, "/mnt/a"), nfs(52, "/srv/b", OLD_B))
    client.add_process(70, cwd="/mnt/a")
    result = ask(client, "unmounted", A, B)
    assert sent(client, "umount") == ["/srv/b"]
    assert (left(result), result["ready"]) == ([("a", "busy", "/mnt/a")], ["b"])


def test_what_was_written_down_earlier_stays_so_when_umount_refuses() -> None:
    client = FakeClient(nfs(50, "/srv/a"))
    ask(client, "unmounted")
    client.run(["timeout", "-k", "5", "60", "mount", "-o", "rw", "-t", "nfs", OLD, "/srv/a"])
    client.unmountable = {"/srv/a": "umount: /srv/a: not permitted"}
    assert left(ask(client, "unmounted")) == [("a", "failed", "/srv/a")]
    assert recorded(client) == ["/srv/a"]


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ((1, "", "umount: /srv/a:\n  target is  busy"), "busy", "umount: /srv/a: target is busy"),
        ((1, "only here", ""), "failed", "only here"),
        ((1, "", ""), "failed", "reports nothing"),
        ((137, "", ""), "failed", "umount gave no answer for 60 seconds"),
        ((124, "", "x"), "failed", "umount gave no answer for 60 seconds"),
        ((1, "", "//me:hunter2@h/s"), "failed", "//me:***@h/s"),
    ],
)
def test_what_umount_says_is_told(end: tuple[int, str, str], code: str, said: str) -> None:
    client = Refusing(nfs(50, "/srv/a"))
    client.ends["umount"] = end
    result = ask(client, "unmounted")
    assert left(result) == [("a", code, "/srv/a")]
    assert result["msg"].endswith(f"{said}.")


def test_who_came_to_hold_it_meanwhile_is_told() -> None:
    class Late(Refusing):
        def run(self, command: Sequence[str]) -> tuple[int, str, str]:
            self.add_process(70, command="vi", cwd="/srv/a")
            return super().run(command)

    client = Late(nfs(50, "/srv/a"))
    result = ask(client, "unmounted")
    assert [row["holders"] for row in result["left"]] == [
        [{"pid": 70, "command": "vi", "user": "games"}]
    ]
    assert left(result) == [("a", "busy", "/srv/a")]


# -- mounting ----------------------------------------------------------------------------------


def test_a_share_that_cannot_be_moved_does_not_keep_the_others() -> None:
    foreign = Share("a", "first", (OLD,), ("\\\\192.0.2.20\\a",))
    client = FakeClient(nfs(50, "/srv/a"), nfs(51, "/mnt/a"), nfs(52, "/srv/b", OLD_B))
    result = ask(client, "mounted", foreign, B)
    assert left(result) == [("a", "no_export", "/srv/a"), ("a", "no_export", "/mnt/a")]
    assert client.targets()[2:] == [f"/srv/b {NEW_B}"]
    # Nor does one that was unmounted earlier.
    client = FakeClient(nfs(50, "/srv/a"), nfs(52, "/srv/b", OLD_B))
    ask(client, "unmounted", A, B)
    result = ask(client, "mounted", foreign, B)
    assert client.targets() == [f"/srv/b {NEW_B}"]
    assert recorded(client) == ["/srv/a"]


def test_after_one_failure_no_other_mount_of_the_share_is_made() -> None:
    client = FakeClient(
        nfs(50, "/srv/a"), nfs(51, "/mnt/a"), nfs(52, "/srv/b", OLD_B), fstab=f"{OLD} /srv/a nfs\n"
    )
    ask(client, "unmounted", A, B)
    client.namespaces["host"] += FakeClient(nfs(60, "/srv/a", "192.0.2.9:/x")).namespaces["host"][1:]  # fmt: skip
    result = ask(client, "mounted", A, B)
    assert left(result) == [("a", "taken", "/srv/a")]
    assert client.targets() == ["/srv/a 192.0.2.9:/x", f"/srv/b {NEW_B}"]
    assert recorded(client) == ["/srv/a", "/mnt/a"]
    assert client.files["/etc/fstab"] == f"{OLD} /srv/a nfs\n"


@pytest.mark.parametrize(
    "line",
    [
        nfs(60, "/srv/a", "192.0.2.20:/new/a2"),
        nfs(60, "/srv/a", "192.0.2.99:/new/a"),  # the path is right, the server is none that is known
        nfs(60, "/srv/a", f"{NEW}/sub"),
        f"60 22 0:60 / /srv/a rw - xfs {NEW} rw",
    ],
)  # fmt: skip
def test_what_only_looks_like_the_new_export_is_something_else(line: str) -> None:
    client = FakeClient(nfs(50, "/srv/a"))
    ask(client, "unmounted")
    client.namespaces["host"] += FakeClient(line).namespaces["host"][1:]
    assert ("a", "taken", "/srv/a") in left(ask(client, "mounted"))
    assert recorded(client) == ["/srv/a"]


def test_what_is_put_back_is_what_was_unmounted_here() -> None:
    # Never unmounted by this module: it has nothing to go back to.
    client = FakeClient(nfs(50, "/srv/a", NEW))
    assert ask(client, "restored")["changed"] is False
    assert client.targets() == [f"/srv/a {NEW}"]
    client = FakeClient(nfs(50, "/srv/a"))
    ask(client, "unmounted")
    client.run(["timeout", "-k", "5", "60", "mount", "-o", "rw", "-t", "nfs", NEW, "/srv/a"])
    assert left(ask(client, "restored")) == []
    assert client.targets() == [f"/srv/a {OLD}"]
    assert recorded(client) == []


def test_what_is_accepted_to_stay_is_not_mounted_over() -> None:
    client = FakeClient(nfs(50, "/srv/a"))
    ask(client, "unmounted")
    client.run(["timeout", "-k", "5", "60", "mount", "-o", "rw", "-t", "nfs", OLD, "/srv/a"])
    client.add_process(70, cwd="/srv/a")
    client.commands.clear()
    result = ask(client, "mounted", acceptances=(Acceptance("busy", OLD, ""),))
    assert (left(result), left(result, "accepted")) == ([], [("a", "busy", "/srv/a")])
    assert client.targets() == [f"/srv/a {OLD}"]
    assert client.commands == []
    assert recorded(client) == []


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ((32, "", ""), "mount ended with 32"),
        ((32, "", "mount.nfs: access denied"), "mount.nfs: access denied"),
        ((0, "", "a warning"), "mount reports success, and nothing is mounted"),
    ],
)
def test_what_mount_says_is_told(end: tuple[int, str, str], said: str) -> None:
    client = Refusing(nfs(50, "/srv/a"))
    ask(client, "unmounted")
    client.ends["mount"] = end
    result = ask(client, "mounted")
    assert left(result) == [("a", "failed", "/srv/a")]
    assert result["msg"].endswith(f"{said}.")
    assert sent(client, "mount") == ["/srv/a"]
    # A mount of FUSE may appear when mount has ended: only for that is it waited.
    assert (client.clock > 5) is (end[0] == 0)
    assert client.clock < 5.3


@pytest.mark.parametrize(
    ("helpers", "fstype"), [(set(), "fuse.glusterfs"), ({"mount.glusterfs"}, "glusterfs")]
)
def test_a_helper_of_fuse_is_called_where_there_is_one(helpers: set[str], fstype: str) -> None:
    client = FakeClient("60 22 0:60 / /mnt/a rw - fuse.glusterfs 192.0.2.10:/vol rw")
    client.helpers = helpers
    volume = Share("a", "", ("192.0.2.10:/vol",), ("192.0.2.20:/vol",))
    ask(client, "mounted", volume)
    assert client.commands[-1] == ["mount", "-o", "defaults", "-t", fstype, "192.0.2.20:/vol", "/mnt/a"]  # fmt: skip


@pytest.mark.parametrize("check_mode", [False, True])
def test_systemd_makes_its_units_anew_of_fstab(check_mode: bool) -> None:
    client = FakeClient(nfs(50, "/srv/a"), fstab=f"{OLD} /srv/a nfs\n")
    client.folders.add("/run/systemd/system")
    result = ask(client, "mounted", check_mode=check_mode)
    assert result["fstab_lines"] == [1]
    reloads = [one for one in client.commands if one[0] == "systemctl"]
    assert reloads == ([] if check_mode else [["systemctl", "daemon-reload"]])


@pytest.mark.parametrize(
    ("lines", "bound"),
    [
        (
            [nfs(50, "/srv/a"), nfs(51, "/home/p", f"{OLD}/p").replace("0:51", "0:50")],
            "/srv/a/p /home/p none bind 0 0\n",
        ),
        (
            [
                "50 22 0:50 / /srv/a rw shared:1 - fuse.glusterfs 192.0.2.10:/vol rw",
                "51 22 0:50 /p /home/p rw shared:1 - fuse.glusterfs 192.0.2.10:/vol rw",
            ],
            "",
        ),
        (
            [
                "50 22 0:50 / /srv/a rw shared:1 - fuse.glusterfs 192.0.2.10:/vol rw",
                "51 22 0:50 / /home/p ro shared:1 - fuse.glusterfs 192.0.2.10:/vol rw",
            ],
            "",
        ),
    ],
)
def test_check_mode_tells_of_bind_mounts_what_will_be(lines: list[str], bound: str) -> None:
    volume = Share("v", "", ("192.0.2.10:/vol",), ("192.0.2.20:/vol",))
    clients = [FakeClient(*lines, fstab=bound) for _twice in range(2)]
    told, done = (
        ask(one, "mounted", A, volume, check_mode=check)
        for one, check in zip(clients, (True, False), strict=True)
    )
    for key in ("left", "ready", "diff", "changed"):
        assert told[key] == done[key], key
    (bind,) = [one for one in done["mounts"] if one["bind"]]
    assert (bind["target"], bind["source"]) == (
        "/home/p",
        "/srv/a" if "/ /home/p ro" in lines[1] else "/srv/a/p",
    )
    assert [one["bind"] for one in told["mounts"]] == [one["bind"] for one in done["mounts"]]


# -- what an operator accepts ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "source", "target", "covers"),
    [
        ({"source": OLD}, OLD, "/srv/a", True),
        ({"source": OLD}, "[192.0.2.10]://shares/a/", "/srv/a", True),
        ({"source": OLD}, NEW, "/srv/a", False),
        ({"target": "/srv/a"}, OLD, "/srv/a", True),
        ({"target": " /srv/a/ "}, OLD, "/srv/a/", True),
        ({"target": "/srv/a"}, OLD, "/srv", False),
        ({"target": "/"}, OLD, "/", True),
        ({"target": "/"}, OLD, "/srv", False),
        ({"target": "/srv/X"}, OLD, "/srv/X", True),
        ({"target": "/srv/a "}, OLD, "/srv/a ", False),  # blanks at the end are not meant
        ({"source": OLD, "target": "/srv/a"}, OLD, "/srv/a", True),
        ({"source": OLD, "target": "/srv/a"}, OLD, "/srv/b", False),
        ({"source": OLD, "target": "/srv/a"}, NEW, "/srv/a", False),
    ],
)
def test_what_an_acceptance_covers(
    entry: dict[str, str], source: str, target: str, covers: bool
) -> None:
    (acceptance,) = parse_acceptances([{"code": "busy", **entry}])
    assert acceptance.covers("busy", source, target) is covers
    assert acceptance.covers("below", source, target) is False


def test_an_acceptance_is_named_by_what_it_has() -> None:
    assert Acceptance("busy", OLD, "/srv/a").label() == f"busy {OLD} /srv/a"
    assert Acceptance("busy", "", "/srv/a").label() == "busy /srv/a"


def test_entries_that_mean_nothing_are_named_by_their_number() -> None:
    fine = {"code": "busy", "source": OLD}
    for entry, word in (
        ({"code": None}, 'got: ""'),
        ({"code": "busy", "source": None, "target": None}, "source or a target"),
        ({"code": "taken", "source": OLD}, "after the cutover"),
    ):
        with pytest.raises(ValueError, match=word) as raised:
            parse_acceptances([fine, entry])
        assert "entry 2" in str(raised.value)
    with pytest.raises(ValueError, match="one of") as raised:
        parse_acceptances([{"code": "x"}])
    assert "cutover" not in str(raised.value)


# -- who manages a mount, and what is mounted elsewhere ------------------------------------------


@pytest.mark.parametrize(
    "folder",
    [
        "/etc/systemd/system",
        "/run/systemd/system",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    ],
)
def test_a_unit_wherever_it_lies_is_named_when_its_source_has_changed(folder: str) -> None:
    client = FakeClient(nfs(50, "/srv/a"))
    client.files[f"{folder}/srv-a.mount"] = ""
    assert ask(client)["mounts"][0]["managed_by"] == "systemd"
    assert ask(client)["warnings"] == []
    (warning,) = ask(client, "mounted")["warnings"]
    assert f"{folder}/srv-a.mount" in warning
    assert NEW in warning


def test_units_made_of_fstab_and_bind_mounts_need_no_change() -> None:
    bind = nfs(51, "/home/p", f"{OLD}/p").replace("0:51", "0:50")
    client = FakeClient(
        nfs(50, "/srv/a"), bind, fstab=f"{OLD} /srv/a nfs\n/srv/a/p /home/p none bind\n"
    )
    for name in ("srv-a", "home-p"):
        client.files[f"/run/systemd/system/{name}.mount"] = ""
    result = ask(client, "mounted")
    assert result["warnings"] == []
    assert [row["managed_by"] for row in result["mounts"]] == ["fstab", "fstab"]
    # A bind mount that fstab does not have is nobody's.
    volume = Share("v", "", ("192.0.2.10:/vol",), ("192.0.2.20:/vol",))
    fuse = "{} 22 0:50 / {} rw shared:1 - fuse.glusterfs 192.0.2.10:/vol rw"
    client = FakeClient(fuse.format(50, "/srv/v"), fuse.format(51, "/home/p"))
    client.files["/run/systemd/system/home-p.mount"] = ""
    result = ask(client, "mounted", volume)
    assert ([row["managed_by"] for row in result["mounts"]], result["warnings"]) == (["", ""], [])


def test_who_else_manages_it_goes_before_a_unit() -> None:
    target = "/var/lib/cinder/mnt/0cc175b9c0f1b6a831c399e269772661"
    client = FakeClient(nfs(50, target))
    unit = "var-lib-cinder-mnt-0cc175b9c0f1b6a831c399e269772661.mount"
    client.files[f"/etc/systemd/system/{unit}"] = ""
    result = ask(client)
    assert result["mounts"][0]["managed_by"] == "cinder"
    (row,) = result["left"]
    assert (row["code"], row["managed_by"]) == ("managed", "cinder")
    assert "is mounted by Cinder for mount 0cc1" in row["message"]


def elsewhere(*lines: str, **process: Any) -> FakeClient:
    client = FakeClient()
    client.add_namespace("other", *lines, root="rw")
    client.add_process(80, namespace="other", command="httpd", **process)
    return client


POD = "0::/kubepods.slice/kubepods-pod0b1c0000_1111_2222_3333_444444444444.slice/x\n"


@pytest.mark.parametrize(
    ("process", "target", "program", "word"),
    [
        ({}, "/data", "", ": stop that."),
        ({"cgroup": POD}, "/data", "kubelet", ", by kubelet for pod 0b1c0000-1111"),
        ({}, "/var/lib/docker/volumes/w/_data", "container engine", ", by a container engine for volume w: "),
    ],
)  # fmt: skip
def test_the_whole_of_what_is_left_in_a_namespace(
    process: dict[str, str], target: str, program: str, word: str
) -> None:
    foreign = f"60 1022 0:45 / {{}} rw - nfs4 {OLD} rw,addr=192.0.2.10"
    client = elsewhere(foreign.format(target), **process)
    (row,) = ask(client, "unmounted")["left"]
    message = row.pop("message")
    assert row == {
        "id": "a",
        "name": "first",
        "source": OLD,
        "target": target,
        "code": "namespace",
        "holders": [{"pid": 80, "command": "httpd", "user": "games"}],
        "managed_by": program,
    }
    assert message.startswith(f"{OLD} is mounted at {target} in the mount namespace of httpd")
    assert word in message


def test_the_same_place_in_two_namespaces_is_left_twice() -> None:
    copy = f"60 1022 0:45 / /data rw - nfs4 {OLD} rw,addr=192.0.2.10"
    doubt = "61 1022 0:46 / /mnt rw - nfs4 smart:/shares/a rw,addr=192.0.2.99"
    client = elsewhere(copy, doubt)
    client.add_namespace("third", copy.replace("60 ", "70 "), doubt.replace("61 ", "71 "), root="rw")  # fmt: skip
    client.add_process(81, namespace="third")
    rows = [(row["code"], row["holders"][0]["pid"]) for row in ask(client)["left"]]
    assert rows == [
        ("namespace", 80),
        ("unidentified", 80),
        ("namespace", 81),
        ("unidentified", 81),
    ]


def test_the_new_export_in_a_namespace_is_in_order_after_the_cutover_and_hides_no_old_one() -> None:
    same = Share("a", "first", (OLD, NEW), (NEW,))
    client = elsewhere(
        f"60 1022 0:45 / /new rw - nfs4 {NEW} rw,addr=192.0.2.20",
        f"61 1022 0:46 / /old rw - nfs4 {OLD} rw,addr=192.0.2.10",
    )
    assert left(ask(client, "mounted", same)) == [("a", "namespace", "/old")]
    assert len(ask(client, "unmounted", same)["left"]) == 2
    # Its path may be that of an old one on a server that is not known.
    path = Share("a", "", ("192.0.2.9:/new/a",), (NEW,))
    client = elsewhere(f"60 1022 0:45 / /new rw - nfs4 {NEW} rw,addr=192.0.2.20")
    assert ask(client, "mounted", path)["left"] == []


@pytest.mark.parametrize(
    ("source", "code", "similar", "word"),
    [
        ("192.0.2.10:/shares", "parent", False, "a folder above the export of the share first (a)"),
        ("smart:/shares/a/x", "unidentified", True, "the path is that of the share first (a)"),
        ("smart:/shares", "unidentified", False, "it cannot be told whether"),
    ],
)
def test_the_whole_of_a_doubt(source: str, code: str, similar: bool, word: str) -> None:
    target = "/var/lib/docker/volumes/w/_data"
    line = f"{{}} 0:45 / {target} rw - nfs4 {source} rw"
    here = FakeClient(line.format("60 22"))
    there = elsewhere(line.format("60 1022"))
    for client, holders in ((here, 0), (there, 1)):
        result = ask(client)
        (row,) = result["left"]
        assert (row["code"], row["source"], row["target"]) == (code, source, target)
        assert (row["managed_by"], len(row["holders"])) == ("container engine", holders)
        assert word in row["message"]
    told = [{"id": "a", "target": target, "source": source}]
    assert ask(here)["similar"] == (told if similar else [])
    nobody = FakeClient(f"60 22 0:45 / /mnt rw - nfs4 {source} rw")
    (row,) = ask(nobody)["left"]
    assert row["managed_by"] == ""
    assert row["message"].startswith(f"/mnt has {source} (nfs4) mounted")


def test_the_whole_of_what_cannot_be_read() -> None:
    client = FakeClient(nfs(50, "/srv/a"), root=False)
    result = ask(client, "found", A, B)
    assert [(row["id"], row["source"], row["target"]) for row in result["left"]] == [
        ("a", "", "/proc"),
        ("b", "", "/proc"),
    ]
    assert [row["message"] for row in result["left"]][:1] == result["warnings"]
    client = elsewhere()
    client.processes[80].denied = client.processes[80].hidden = True
    (row,) = ask(client)["left"]
    assert row["holders"] == [{"pid": 80, "command": "httpd", "user": "games"}]
    assert "the mount namespace of httpd (pid 80" in row["message"]
    client = FakeClient("90 22 0:4 mnt:[17] /run/space rw shared:5 - nsfs nsfs rw")
    (row,) = ask(client)["left"]
    assert row["message"].startswith("the mount namespace at /run/space cannot be read")
    assert row["holders"] == []


def test_a_search_has_its_time() -> None:
    class Slow(FakeClient):
        asked: list[float]

        def finish_within(self, seconds: float, work: Any) -> bool:
            self.asked = [*getattr(self, "asked", []), seconds]
            return super().finish_within(seconds, work)

    client = Slow(nfs(50, "/srv/a"))
    assert ask(client, timeout=7)["warnings"] == []
    assert client.asked == [7, 7]
    client.hanging = True
    result = ask(client, timeout=7)
    assert left(result) == [("a", "unreadable", "/proc")]
    message = result["left"][0]["message"]
    assert message.startswith("every mount namespace cannot be read (the search took longer than 7")
    assert len([one for one in result["warnings"] if "took too long" in one]) == 1


def test_the_changes_of_fstab_are_shown_under_its_name() -> None:
    client = FakeClient(nfs(50, "/srv/a"), nfs(51, "/mnt/a"), fstab=f"{OLD} /srv/a nfs pass=x\n")
    mounts, table = ask(client, "mounted")["diff"]
    assert mounts["before"] == f"{OLD} /mnt/a nfs\n{OLD} /srv/a nfs\n"
    assert table == {
        "before_header": "/etc/fstab",
        "after_header": "/etc/fstab",
        "before": f"{OLD} /srv/a nfs pass=***\n",
        "after": f"{NEW} /srv/a nfs pass=***\n",
    }


def test_before_the_cutover_the_new_export_keeps_nothing_from_being_ready() -> None:
    client = FakeClient(nfs(50, "/srv/a", NEW))
    for state, ready in (("found", ["a"]), ("unmounted", ["a"]), ("mounted", []), ("restored", [])):
        assert ask(client, state)["ready"] == ready


def test_what_is_below_a_mount_is_named_and_a_bind_mount_has_no_password() -> None:
    client = FakeClient(nfs(50, "/srv/a"), "60 50 0:60 / /srv/a/t rw - tmpfs none rw")
    (row,) = ask(client)["left"]
    assert row["message"] == "something else is mounted on /srv/a: none at /srv/a/t."
    office = Share("o", "", ("\\\\192.0.2.10\\o",), ("\\\\192.0.2.20\\o",))
    cifs = "{} 22 0:60 {} {} rw - cifs //192.0.2.10/o rw,username=me,addr=192.0.2.10"
    client = FakeClient(
        cifs.format(60, "/", "/srv/o"),
        cifs.format(61, "/x", "/m"),
        fstab="//192.0.2.10/o /srv/o cifs credentials=/c\n",
    )
    assert ask(client, "unmounted", office)["ready"] == ["o"]
