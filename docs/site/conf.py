# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the documentation site, which `tools/docs` builds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from docutils import nodes

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

galaxy = yaml.safe_load((Path(__file__).parents[2] / "galaxy.yml").read_text(encoding="utf-8"))

project = "manila.migration"
project_copyright = "manila.migration contributors"
release = str(galaxy["version"])

# The pages lie where they lie in the repository, for their links to serve both.
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "docs/*.md",
    "reference/*.rst",
    "roles/*/README.md",
    "tests/sandbox/README.md",
]
# index.html, which leads to the root page
html_extra_path = ["top"]

extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_heading_anchors = 4  # made as GitHub makes them
nitpicky = True
default_role = "any"  # antsibull-docs counts on it

html_theme = "alabaster"
html_theme_options = {
    "description": "Empties the storage back ends of OpenStack Manila",
    "fixed_sidebar": True,
    "font_family": "system-ui, sans-serif",
    "font_size": "15px",
    "head_font_family": "system-ui, sans-serif",
    "page_width": "1240px",
    "sidebar_width": "270px",
}
html_title = f"manila.migration {release}"
html_show_sphinx = False
html_copy_source = False
html_use_index = False
pygments_style = "ansible"
highlight_language = "YAML+Jinja"

# What the generated pages refer to in Ansible's own documentation.
ANSIBLE = "https://docs.ansible.com/projects/ansible/latest"
LABELS = {
    "action_plugins": f"{ANSIBLE}/plugins/action.html",
    "ansible_configuration_settings": f"{ANSIBLE}/reference_appendices/config.html",
    "common_return_values": f"{ANSIBLE}/reference_appendices/common_return_values.html",
}


def setup(app: Sphinx) -> None:
    """Have references to Ansible's documentation resolved without fetching it."""
    app.connect("missing-reference", _resolve)


def _resolve(
    _app: Sphinx, _environment: BuildEnvironment, reference: pending_xref, content: nodes.Element
) -> nodes.reference | None:
    address = LABELS.get(reference["reftarget"])
    return nodes.reference("", "", content, refuri=address) if address else None
