# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares, a table of mounts and an fstab, as kernels and people write them."""

from __future__ import annotations

from ansible_collections.manila.migration.plugins.module_utils._client_mounts import (
    fstab,
    locations,
    mountinfo,
)
from ansible_collections.manila.migration.plugins.module_utils._client_mounts.locations import Share

ADDRESSES = {
    "filer": {"192.0.2.10", "2001:db8::10"},
    "filer.example.com": {"192.0.2.10"},
    "other": {"192.0.2.99"},
}
NFS = Share(
    "1",
    "projects",
    ("192.0.2.10:/shares/a", "[2001:db8::10]:/shares/a", "filer:/shares/a"),
    ("192.0.2.20:/new/a", "[2001:db8::20]:/new/a", "filer2:/new/a"),
)
CIFS = Share("2", "office", ("\\\\192.0.2.10\\Office",), ("\\\\192.0.2.20\\office_2",))
TYPES = locations.wanted_types(["nfs", "CIFS", "glusterfs"])
# As kernels write them; mountinfo(5) and fs/nfs/super.c, fs/smb/client/cifsfs.c.
MOUNTINFO = "\n".join(
    [
        "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw",
        "51 22 0:45 / /srv/projects rw,relatime shared:28 - nfs4 192.0.2.10:/shares/a "
        "rw,vers=4.2,rsize=1048576,hard,proto=tcp,timeo=600,sec=sys,clientaddr=192.0.2.5,"
        "local_lock=none,addr=192.0.2.10",
        r"52 22 0:46 / /srv/with\040blank ro,nosuid,relatime shared:29 - nfs 192.0.2.10:/shares/a/b\040c "
        "rw,vers=3,mountaddr=192.0.2.10,mountvers=3,mountport=20048,mountproto=udp,addr=192.0.2.10",
        "53 22 0:47 / /srv/office rw,relatime shared:30 - cifs //192.0.2.10/Office "
        "rw,vers=3.1.1,sec=krb5,cache=strict,uid=0,addr=192.0.2.10,soft",
        "54 22 0:47 /minutes /srv/minutes ro,relatime shared:30 - cifs //192.0.2.10/Office "
        "rw,vers=3.1.1,sec=krb5,addr=192.0.2.10",
        "55 51 0:50 / /srv/projects/cache rw shared:31 - tmpfs tmpfs rw",
        "56 22 0:51 / /srv/alike rw shared:32 - nfs4 other:/shares/a rw,vers=4.2,addr=192.0.2.99",
        "57 22 0:52 / /srv/elsewhere rw shared:33 - nfs4 192.0.2.10:/shares/z rw,addr=192.0.2.10",
        "",
    ]
)
TABLE = mountinfo.parse_mountinfo(MOUNTINFO)
FSTAB = r"""# static file systems
UUID=0d8c4f1e-0000  /  ext4  errors=remount-ro  0  1

192.0.2.10:/shares/a	/srv/projects/	nfs4	rw,_netdev,nofail	0 0	# the projects
#192.0.2.10:/shares/a	/srv/old	nfs	defaults	0 0
filer:/shares/a/b\040c   /srv/with\040blank nfs ro
//filer/office /srv/office cifs credentials=/etc/office,password=hunter2 0 0
filer:/shares/z /srv/elsewhere nfs defaults 0 0
192.0.2.10:/shares/a/later /srv/later nfs noauto 0 0"""
LINES = fstab.parse_fstab(FSTAB)


def resolve(name: str) -> set[str]:
    return ADDRESSES.get(name, set())
