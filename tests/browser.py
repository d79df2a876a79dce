"""A real browser on a live server, with the policy of a strict project."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

_ARGUMENTS = (
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
)  # fmt: skip
_AXE = (Path(axe_playwright_python.__file__).parent / 'axe.min.js').read_text()


@pytest.fixture(scope='session')
def chromium() -> Iterator[Browser]:
    """The distribution's Chromium."""
    path = shutil.which('chromium')
    assert path, "These tests need Chromium; on Debian and Ubuntu, install the package 'chromium'."
    with pytest.MonkeyPatch.context() as patch:
        # Playwright keeps a loop in this thread, in which Django's database would refuse to be used.
        patch.setenv('DJANGO_ALLOW_ASYNC_UNSAFE', '1')
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS), timeout=120_000)
            expect.set_options(timeout=60_000)
            yield browser
            browser.close()


@pytest.fixture
def visit(chromium: Browser, live_server: Any, settings: Any) -> Iterator[Callable[..., Page]]:
    """Open a page as a user with these permissions (None: all of them); no console may report an error."""
    contexts, errors = [], []

    def _visit(
        path: str, permissions: Any = None, *, width: int = 1300, scheme: str = 'light', errs: bool = False
    ) -> Page:
        name = 'boss' if permissions is None else 'someone'
        user, _ = get_user_model().objects.get_or_create(username=name, is_staff=True, is_superuser=permissions is None)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions or ()))
        client = Client()
        client.force_login(user)
        context = chromium.new_context(viewport={'width': width, 'height': 900}, color_scheme=scheme)  # type: ignore[arg-type]
        context.add_cookies(
            [{'name': settings.SESSION_COOKIE_NAME, 'value': client.cookies['sessionid'].value, 'url': live_server.url}]
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        if not errs:
            page.on('console', lambda said: errors.append(f'{page.url}: {said.text}') if _is_wrong(said) else None)
            page.on('pageerror', lambda error: errors.append(str(error)))
        page.route('**/favicon.ico', lambda route: route.fulfill(status=204))
        page.goto(live_server.url + path)
        return page

    yield _visit
    for context in contexts:
        context.close()
    assert errors == []


def _is_wrong(said: ConsoleMessage) -> bool:
    """Whether a page, and not axe, which tries styles out, has said what it should not have to."""
    return said.type in ('error', 'warning') and not said.page.evaluate('"axe" in window')


@pytest.fixture(scope='session')
def violations() -> Callable[[Page], list[str]]:
    """What axe-core finds wrong with a page."""

    def _violations(page: Page) -> list[str]:
        page.evaluate(_AXE)
        found = page.evaluate('axe.run(document, {resultTypes: ["violations"]})')['violations']
        return [f'{one["id"]}: {node["html"]}' for one in found for node in one['nodes']]

    return _violations
