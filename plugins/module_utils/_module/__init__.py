# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules that talk to a cloud have in common.

Knows Ansible, and openstack.cloud's authentication.  May import all other packages.
"""

from __future__ import annotations
