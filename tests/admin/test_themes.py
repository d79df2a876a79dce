"""The pages with django-unfold and django-jazzmin, in light and dark: nothing for axe to find, and none too wide."""

import os
import subprocess
import sys

import pytest

from .themes import THEMES

pytestmark = [pytest.mark.browser, pytest.mark.once]


@pytest.mark.timeout(900)
@pytest.mark.parametrize('theme', [name for name, apps in THEMES.items() if apps])
def test_every_page_passes_axe_with_another_theme_in_light_and_dark(theme):
    command = [sys.executable, '-m', 'tests.admin.themes', theme]
    said = subprocess.run(
        command, capture_output=True, text=True, timeout=800, env={**os.environ, 'PYTEST_XDIST_WORKER': ''}
    )
    assert (said.stdout.strip(), said.returncode) == ('', 0), said.stderr[-2000:]
