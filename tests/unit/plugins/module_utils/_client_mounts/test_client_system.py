# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client on which the module runs: real files, locks, threads and commands of this machine."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import system
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.system import (
    ClientError,
    LocalSystem,
)


class Module:
    """What an Ansible module offers: paths of commands, and answers of commands as given."""

    def __init__(self, folder: Path, *answers: tuple[int, str, str]) -> None:
        self.tmpdir = str(folder)
        self.answers = list(answers)
        self.commands: list[tuple[list[str], dict[str, Any]]] = []
        self.moved: list[int] = []

    def get_bin_path(self, name: str) -> str | None:
        return "/usr/bin/x" if name == "known" else None

    def run_command(self, command: list[str], **more: Any) -> tuple[int, str, str]:
        assert isinstance(command, list)
        self.commands.append((command, more))
        return self.answers.pop(0)

    def atomic_move(self, source: str, target: str) -> None:
        """Keep the mode and the owner of a file that is there, as Ansible does."""
        self.moved.append(os.stat(source).st_mode & 0o777)
        if os.path.exists(target):
            shutil.copymode(target, source)
        os.replace(source, target)


@pytest.fixture
def here(tmp_path: Path) -> LocalSystem:
    return LocalSystem(Module(tmp_path))


def test_files_are_read_and_written_byte_by_byte(here: LocalSystem, tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    raw = b"a\r\nb\xff\n"
    path.write_bytes(raw)
    path.chmod(0o644)
    text = here.read_text(str(path))
    assert text == "a\r\nb\udcff\n"
    here.write_text(str(path), text + "c\n")
    assert path.read_bytes() == raw + b"c\n"
    assert path.stat().st_mode & 0o777 == 0o644
    # Nobody else reads it before it has its own mode.
    assert here.module.moved == [0o600]
    here.write_text(str(path), text, secret=True)
    assert path.stat().st_mode & 0o777 == 0o600
    here.remove(str(path))
    assert list(tmp_path.iterdir()) == []


def test_links_and_folders(here: LocalSystem, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    assert here.read_link(str(link)) == "nowhere"
    assert here.list_dir(str(tmp_path)) == ["link"]
    assert here.exists(str(link))  # a link, wherever it goes
    assert not here.exists(str(tmp_path / "nowhere"))
    assert here.real_path(str(link)) == str(tmp_path.resolve() / "nowhere")


def test_who_owns_a_path(here: LocalSystem, tmp_path: Path, monkeypatch: Any) -> None:
    uid = os.stat(tmp_path).st_uid
    assert here.owner(str(tmp_path)) == pwd.getpwuid(uid).pw_name

    def unknown(_uid: int) -> Any:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert here.owner(str(tmp_path)) == str(uid)


@pytest.mark.parametrize(("uid", "expected"), [(0, True), (1, False)])
def test_root_is_who_acts_as_root(
    here: LocalSystem, monkeypatch: Any, uid: int, expected: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert here.is_root() is expected


def test_processes_and_commands(here: LocalSystem) -> None:
    assert here.own_pid() == os.getpid()
    assert here.has_command("known") is True
    assert here.has_command("unknown") is False


def test_commands_speak_english_and_keep_every_byte(tmp_path: Path) -> None:
    module = Module(tmp_path, (3, "out", "err"))
    assert LocalSystem(module).run(("umount", "/a")) == (3, "out", "err")
    ((command, more),) = module.commands
    assert command == ["umount", "/a"]
    assert more == {
        "environ_update": {"LC_ALL": "C", "LANG": "C"},
        "errors": "surrogateescape",
    }


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((0, "22 1 0:1 / /\n", ""), None),
        ((1, "", "Traceback\nOperation not permitted\n"), "Operation not permitted"),
        ((124, "", " \n"), "status 124"),
    ],
)
def test_the_namespace_that_a_file_stands_for(
    tmp_path: Path, answer: tuple[int, str, str], reason: str | None
) -> None:
    module = Module(tmp_path, answer)
    if reason is None:
        assert LocalSystem(module).read_namespace("/run/space") == answer[1]
    else:
        with pytest.raises(OSError, match=reason) as raised:
            LocalSystem(module).read_namespace("/run/space")
        assert (raised.value.strerror, raised.value.filename) == (reason, "/run/space")
    ((command, _more),) = module.commands
    assert command[:4] == ["timeout", "10", sys.executable, "-c"]
    assert command[-1] == "/run/space"
    compile(command[4], "x", "exec")


def test_the_addresses_of_a_name(here: LocalSystem, monkeypatch: Any) -> None:
    asked = []

    def look_up(*arguments: Any, **more: Any) -> Any:
        asked.append((arguments, more))
        return [
            (socket.AF_INET6, 1, 6, "", ("2001:DB8:0::1", 0, 0, 0)),
            (socket.AF_INET, 1, 6, "", ("192.0.2.1", 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert here.resolve("filer") == {"192.0.2.1", "2001:db8::1"}
    assert asked == [(("filer", None), {"type": socket.SOCK_STREAM})]


@pytest.mark.parametrize("error", [OSError("unknown"), UnicodeError("label too long")])
def test_a_name_that_is_not_known_has_no_addresses(
    here: LocalSystem, monkeypatch: Any, error: Exception
) -> None:
    def look_up(*_arguments: Any, **_more: Any) -> Any:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert here.resolve("filer") == set()


def test_a_name_server_that_does_not_answer_is_not_waited_for(
    here: LocalSystem, monkeypatch: Any
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(here, "finish_within", lambda seconds, work: asked.append(seconds))
    assert here.resolve("filer") == set()
    assert asked == [5]


def test_work_is_waited_for_no_longer_than_told(here: LocalSystem) -> None:
    never, done = threading.Event(), threading.Event()
    threading.Timer(0.05, done.set).start()
    assert here.finish_within(10, done.wait) is True  # type: ignore[arg-type]
    assert here.finish_within(0.01, never.wait) is False
    # It must not keep the module from its end.
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.endswith("(wait)"))
    never.set()


def test_a_lock_is_for_one_at_a_time(here: LocalSystem, tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "new" / "record.lock"
    slept: list[float] = []
    clock = [100.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += 1.0

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with here.locked(str(path), 3.0):
        assert path.parent.stat().st_mode & 0o777 == 0o700
        with pytest.raises(ClientError, match="Another run") as raised, here.locked(str(path), 3.0):
            pass
        assert str(path) in str(raised.value)
        assert slept == [system.LOCK_POLL_SECONDS] * 4
    with here.locked(str(path), 0.0):  # the folder is there, and the lock is free again
        pass
    assert len(slept) == 4


def test_a_lock_that_cannot_be_made_is_said(here: LocalSystem, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ClientError, match=os.strerror(errno.ENOTDIR)),
        here.locked(str(tmp_path / "file" / "sub" / "lock"), 1.0),
    ):
        pass


def test_the_clock_goes_on_while_it_sleeps(here: LocalSystem) -> None:
    begun, started = here.monotonic(), time.monotonic()
    here.sleep(0.02)
    assert time.monotonic() - started >= 0.02
    assert here.monotonic() - begun >= 0.02
