# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client has mounted of shares, and how it is moved to other export locations.

Knows nothing of OpenStack.  ``system`` is the only part that touches the client: files, /proc,
commands, names, the clock.  ``client`` decides and acts through it, with the help of
``survey``, ``holders``, ``namespaces``, ``record`` and ``report``.  The others are pure: ``codes``,
``options``, ``locations``, ``mountinfo``, ``fstab``, ``discovery``, ``managers``, ``acceptance``, ``findings``.
May import the standard library and ``wording``; ``system`` is given AnsibleModule.
"""
