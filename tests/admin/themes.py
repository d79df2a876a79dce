"""All pages of the admin with another theme, in Chromium: `python -m tests.admin.themes unfold [FOLDER]`.

Prints what axe finds, what the console says and which pages are wider than their window; with a folder, takes pictures.
A theme replaces apps and templates for a whole process, so this is one of its own.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

THEMES = {'django': [], 'unfold': ['unfold'], 'jazzmin': ['jazzmin']}
SIZES = ((1440, 'light'), (1440, 'dark'), (1024, 'light'), (390, 'light'), (390, 'dark'))
THEMED = ((1440, 'light'), (1440, 'dark'), (390, 'dark'))


def main(theme: str, folder: str = '', only: str = '') -> int:
    """Visit all pages; return 1 if something is wrong."""
    os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'
    os.environ['DJANGO_ALLOW_ASYNC_UNSAFE'] = '1'
    with tempfile.TemporaryDirectory() as place:
        os.environ['TEST_DATABASE_URL'] = f'sqlite:///{place}/db.sqlite3'
        from django.conf import settings

        settings.INSTALLED_APPS = [*THEMES[theme], *settings.INSTALLED_APPS]
        if THEMES[theme]:  # these need inline scripts themselves
            settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if 'strict_policy' not in each]
        settings.JAZZMIN_UI_TWEAKS = {'default_theme_mode': 'auto'}
        settings.ALLOWED_HOSTS = ['127.0.0.1', 'testserver']
        import django

        django.setup()
        from django.core.management import call_command

        call_command('migrate', verbosity=0)
        wrong = _visit_all(theme, Path(folder) if folder else None, only)
    print('\n'.join(wrong))
    return 1 if wrong else 0


def _visit_all(theme: str, folder: Path | None, only: str) -> list[str]:
    import axe_playwright_python
    from django.contrib.auth import get_user_model
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.test import Client
    from django.test.testcases import LiveServerThread
    from playwright.sync_api import sync_playwright

    from .scene import build_all

    paths = {name: path for name, path in build_all().items() if only in name}
    boss = get_user_model().objects.create_superuser('boss')
    server = LiveServerThread('127.0.0.1', StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait(60)
    home = f'http://127.0.0.1:{server.port}'
    client = Client()
    client.force_login(boss)
    axe = (Path(axe_playwright_python.__file__).parent / 'axe.min.js').read_text()
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which('chromium'), args=['--no-sandbox'])
        for width, scheme in THEMED if THEMES[theme] else SIZES:
            context = browser.new_context(viewport={'width': width, 'height': 900}, color_scheme=scheme)  # type: ignore[arg-type]
            context.add_cookies([{'name': 'sessionid', 'value': client.cookies['sessionid'].value, 'url': home}])
            page = context.new_page()
            page.set_default_timeout(60_000)
            for name, path in paths.items():
                page.goto(home + path)
                if folder:
                    folder.mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=folder / f'{theme}-{name}-{width}-{scheme}.png', full_page=True)
                wrong += [f'{theme} {width} {scheme} {name}: {text}' for text in _faults(page, axe)]
            context.close()
        browser.close()
    server.terminate()
    return wrong


def _faults(page: Any, axe: str) -> list[str]:
    """What axe finds within the content that is ours: the rest of the page is the theme's."""
    page.evaluate(axe)
    ours = page.evaluate("['#content-main', '#content', 'main'].find(one => document.querySelector(one))")
    found = page.evaluate('ours => axe.run(ours, {resultTypes: ["violations"]})', ours)['violations']
    faults = [f'{one["id"]}: {node["html"][:150]}' for one in found for node in one['nodes']]
    if not page.evaluate('document.documentElement.scrollWidth <= innerWidth'):
        faults.append('wider than its window')
    return faults


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
