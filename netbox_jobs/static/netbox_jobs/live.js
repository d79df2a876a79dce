/* Keeps elements up to date: one that has `data-live-url` is fetched again every `data-live-every` milliseconds
 * (2000 if it does not say) while it is in the document and the page is seen, and becomes what is answered, one
 * element of HTML. When the answer has no `data-live-url`, that was the last.
 *
 *   data-live-state   set by us: "lost" while the server cannot be reached, "ended" when it answered 403 or 404
 *   data-live-key     on siblings that come and go (rows, log lines): tells which is which
 *   data-live-follow  on a box that scrolls: it stays at its end, unless the reader has scrolled away from it
 *   data-live-form    on a form: sent once, and the page that follows is scrolled to where this one was
 *
 * What has not changed is not touched. So focus, open <details>, scrolling, selected text, and regions with
 * role=status, the only ones that are announced, stay what they are.
 */
'use strict';
(() => {
  const LOOK = 250; // milliseconds between two looks for elements that are due
  const PATIENCE = 15000; // milliseconds after which an answer is given up
  const LONGEST = 60000; // milliseconds that no pause after failures exceeds
  const SCROLL = 'netbox_jobs.scroll';

  // Of each live element: when it is due, whether it is being fetched, how often that failed, the tag of what it shows.
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
      // Redirected: to a login, most likely. There is nothing more to be had in either case.
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
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), PATIENCE);
    try {
      return await fetch(url, {
        credentials: 'same-origin', mode: 'same-origin', redirect: 'manual', cache: 'no-store', signal: giveUp.signal,
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

  // Make `element` what `fresh` is, with as little change as possible.
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
      // The button that had the focus has gone; readers by keyboard stay where they were.
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
      if (!fresh.hasAttribute(name) && !isReaders(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !isReaders(old, name)) old.setAttribute(name, value);
    }
    morphChildren(old, fresh);
  };

  // What is not the server's to say: whether a <details> is open, and what makes the focus possible where it is.
  const isReaders = (element, name) =>
    (name === 'open' && element.nodeName === 'DETAILS') || (name === 'tabindex' && element === document.activeElement);

  const morphChildren = (parent, fresh) => {
    const wanted = new Set([...fresh.children].map(keyOf).filter(Boolean));
    const kept = new Map([...parent.children].filter((child) => wanted.has(keyOf(child))).map((child) => [keyOf(child), child]));
    const goes = (node) => !kept.has(keyOf(node)) || kept.get(keyOf(node)) !== node;
    let old = parent.firstChild;
    for (const node of [...fresh.childNodes]) {
      const same = kept.get(keyOf(node));
      if (same) {
        // What stands before it and is not among what is to come has gone.
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
      event.preventDefault(); // pressed twice
      return;
    }
    form.dataset.liveSent = '';
    sessionStorage.setItem(SCROLL, JSON.stringify([page(), scrollY]));
  });
  // A page that the browser had put by and shows again.
  addEventListener('pageshow', () => document.querySelectorAll('[data-live-sent]').forEach((form) => delete form.dataset.liveSent));

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
