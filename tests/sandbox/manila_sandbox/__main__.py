# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m manila_sandbox``: what the ``sandbox`` command runs."""

from __future__ import annotations

import sys

from manila_sandbox.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
