/* Keeps elements up to date. While the page is visible, the script fetches each element that has `data-live-url`
 * again every `data-live-every` milliseconds (2000 by default), and turns it into the answer, one element of HTML.
 * An answer without `data-live-url` is the last one.
 *
 *   data-live-state   set by the script: "lost" while the server does not answer, "ended" after a 403 or 404
 *   data-live-key     identifies siblings that come and go, such as rows and log lines
 *   data-live-follow  on a box that scrolls: the box stays at its end, unless the user scrolls away from it
 *   data-live-form    on a form: it is sent once, and the next page keeps the scroll position
 *
 * The script changes only what is different. Focus, open <details>, scroll positions, selected text and regions with
 * role=status, which screen readers announce, stay as they are.
 */
'use strict';
(() => {
  const LOOK = 250; // milliseconds between two searches for elements that are due
  const TIMEOUT = 15000; // milliseconds after which a request is aborted
  const LONGEST = 60000; // the longest pause after failures, in milliseconds
  const SCROLL = 'netbox_jobs.scroll';

  // For each live element: when it is due, whether a request is under way, how many failed, and its entity tag.
  const known = new WeakMap();

  const look = () => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll('[data-live-url]')) {
      const pace = Math.max(500, Number(element.dataset.liveEvery) || 2000);
      if (!known.has(element)) known.set(element, { due: performance.now() + pace, busy: false, failures: 0, etag: '' });
      const state = known.get(element);
      if (!state.busy && performance.now() >= state.due) refresh(element, state, pace);
    }
  };

  const refresh = async (element, state, pace) => {
    state.busy = true;
    const url = element.dataset.liveUrl;
    try {
      const response = await ask(url, state.etag);
      // A redirect most likely leads to a login. In all these cases, no further answer will come.
      if ([403, 404, 410].includes(response.status) || response.type === 'opaqueredirect') {
        delete element.dataset.liveUrl;
        element.dataset.liveState = 'ended';
        return;
      }
      if (response.status !== 304 && response.status !== 204) {
        if (!response.ok) throw new Error(`answered ${response.status}`);
        const fresh = parse(await response.text());
        if (!element.isConnected || element.dataset.liveUrl !== url) return;
        become(element, fresh);
        state.etag = response.headers.get('ETag') || '';
      }
      state.failures = 0;
      delete element.dataset.liveState;
    } catch {
      state.failures += 1;
      element.dataset.liveState = 'lost';
    } finally {
      state.busy = false;
      state.due = performance.now() + Math.min(pace * 2 ** Math.min(state.failures, 10), Math.max(pace, LONGEST));
    }
  };

  const ask = async (url, etag) => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), TIMEOUT);
    try {
      return await fetch(url, {
        credentials: 'same-origin', mode: 'same-origin', redirect: 'manual', cache: 'no-store', signal: controller.signal,
        headers: { Accept: 'text/html', 'X-Requested-With': 'live', ...(etag && { 'If-None-Match': etag }) },
      });
    } finally {
      clearTimeout(timer);
    }
  };

  const parse = (html) => {
    const template = document.createElement('template');
    template.innerHTML = html;
    if (template.content.childElementCount !== 1) throw new Error('expected one element');
    return template.content.firstElementChild;
  };

  // Turn `element` into `fresh` with as few changes as possible.
  const become = (element, fresh) => {
    const focused = element.contains(document.activeElement) ? document.activeElement : null;
    const atEnd = [...element.querySelectorAll('[data-live-follow]')].filter(isAtEnd);
    if (element.nodeName !== fresh.nodeName) {
      element.replaceWith(fresh);
    } else {
      morph(element, fresh);
    }
    atEnd.forEach(toEnd);
    if (focused && focused !== element && !focused.isConnected && element.isConnected) {
      // The focused button was removed: keep keyboard users where they were.
      element.tabIndex = -1;
      element.focus({ preventScroll: true });
    }
  };

  const morph = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !isUsers(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !isUsers(old, name)) old.setAttribute(name, value);
    }
    morphChildren(old, fresh);
  };

  // Attributes that belong to the user: whether a <details> is open, and the tabindex that allows the focus.
  const isUsers = (element, name) =>
    (name === 'open' && element.nodeName === 'DETAILS') || (name === 'tabindex' && element === document.activeElement);

  const morphChildren = (parent, fresh) => {
    const wanted = new Set([...fresh.children].map(keyOf).filter(Boolean));
    const kept = new Map([...parent.children].filter((child) => wanted.has(keyOf(child))).map((child) => [keyOf(child), child]));
    const goes = (node) => !kept.has(keyOf(node)) || kept.get(keyOf(node)) !== node;
    let old = parent.firstChild;
    for (const node of [...fresh.childNodes]) {
      const same = kept.get(keyOf(node));
      if (same) {
        // Nodes before it that are not in the answer are removed.
        while (old && old !== same && goes(old)) old = drop(old);
        if (old !== same) parent.insertBefore(same, old);
        else old = old.nextSibling;
        morph(same, node);
      } else if (old && !keyOf(old) && !keyOf(node) && old.nodeName === node.nodeName) {
        morph(old, node);
        old = old.nextSibling;
      } else {
        parent.insertBefore(node, old);
      }
    }
    while (old) old = drop(old);
  };

  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.liveKey : undefined);

  const drop = (node) => {
    const next = node.nextSibling;
    node.remove();
    return next;
  };

  const isAtEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 4;
  const toEnd = (box) => {
    box.scrollTop = box.scrollHeight;
  };

  const page = () => location.pathname + location.search;

  const start = () => {
    document.querySelectorAll('[data-live-follow]').forEach(toEnd);
    const [where, position] = JSON.parse(sessionStorage.getItem(SCROLL) || '[]');
    sessionStorage.removeItem(SCROLL);
    if (where === page()) scrollTo({ top: position, behavior: 'instant' });
    setInterval(look, LOOK);
  };

  document.addEventListener('visibilitychange', look);
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (!form.matches('[data-live-form]') || event.defaultPrevented) return;
    if ('liveSent' in form.dataset) {
      event.preventDefault(); // submitted twice
      return;
    }
    form.dataset.liveSent = '';
    sessionStorage.setItem(SCROLL, JSON.stringify([page(), scrollY]));
  });
  // A page that the browser restores from its cache may send its forms again.
  addEventListener('pageshow', () => document.querySelectorAll('[data-live-sent]').forEach((form) => delete form.dataset.liveSent));

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
