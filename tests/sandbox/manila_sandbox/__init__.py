# SPDX-License-Identifier: GPL-3.0-or-later
"""A developer sandbox: a real Manila with Keystone, MariaDB and RabbitMQ on loopback."""

from __future__ import annotations
