"""How Sphinx builds the documentation: `make docs`."""

import os
import sys
from pathlib import Path
from typing import Any

import django

import netbox_jobs

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'project.settings')
django.setup()

project = 'netbox_jobs'
author = 'the authors of netbox_jobs'
project_copyright = author
version = release = netbox_jobs.__version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
exclude_patterns = ['_build']
nitpicky = False

# Headings can be linked to as on GitHub: [text](page.md#a-heading).
myst_enable_extensions = ['attrs_inline', 'colon_fence', 'deflist']
myst_heading_anchors = 3

# Signatures as they stand in the code, without the modules of their types.
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
default_role = 'code'

html_theme = 'furo'
html_title = f'netbox_jobs {release}'
html_static_path = ['_static']
html_css_files = ['site.css']
html_show_sphinx = False
html_theme_options = {'navigation_with_keys': False}

_properties: dict[str, list[str]] = {}


def _keep_property(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if what == 'property':
        _properties[name] = lines[:]


def _restore_property(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if what == 'property':
        lines[:] = _properties.pop(name)


def setup(app: Any) -> None:
    """Keep the docstrings of properties from Napoleon, which takes what precedes their first colon for a type."""
    app.connect('autodoc-process-docstring', _keep_property, priority=100)
    app.connect('autodoc-process-docstring', _restore_property, priority=900)


# What `core/signatures.py` appends to the docstrings of `enqueue()` and its like.
napoleon_custom_sections = [('Options', 'params_style')]
