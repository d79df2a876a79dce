/* The list and the log of jobs in the admin, and keys. All works without this script: the form sends the selected jobs,
 * and links lead from page to page of a log.
 */
'use strict';
(() => {
  // The list: selected jobs are remembered by their keys, because rows come and go while the list updates itself.
  const selectJobs = (form) => {
    const selected = new Set();
    const count = form.querySelector('[data-nj-count]');
    const bulk = form.querySelector('[data-nj-bulk]');
    const across = form.querySelector('[name=across]');
    const boxes = () => [...form.querySelectorAll('input[name=job]')];

    const show = () => {
      const all = boxes();
      const there = new Set(all.map((box) => box.value));
      [...selected].filter((key) => !there.has(key)).forEach((key) => selected.delete(key));
      for (const box of all) {
        if (box.checked !== selected.has(box.value)) box.checked = selected.has(box.value);
        box.closest('tr').classList.toggle('selected', box.checked);
      }
      const master = form.querySelector('#action-toggle');
      if (master) {
        master.checked = all.length > 0 && selected.size === all.length;
        master.indeterminate = selected.size > 0 && selected.size < all.length;
      }
      if (!bulk) return;
      const none = selected.size === 0 && !(across && across.checked);
      bulk.classList.toggle('nj-idle', none);
      bulk.querySelectorAll('button').forEach((button) => { button.disabled = none; });
      const text = selected.size ? count.dataset.some.replace('%s', selected.size) : count.dataset.none;
      if (count.textContent !== text) count.textContent = text;
    };

    let last = null;
    form.addEventListener('click', (event) => {
      const box = event.target;
      if (box.name !== 'job') return;
      if (event.shiftKey && last !== null) {
        const all = boxes();
        const [from, to] = [all.findIndex((one) => one.value === last), all.indexOf(box)].sort((a, b) => a - b);
        if (from >= 0) all.slice(from, to + 1).forEach((one) => selected[box.checked ? 'add' : 'delete'](one.value));
      }
      last = box.value;
    });
    form.addEventListener('change', (event) => {
      const box = event.target;
      if (box.id === 'action-toggle') boxes().forEach((one) => selected[box.checked ? 'add' : 'delete'](one.value));
      else if (box.name === 'job') selected[box.checked ? 'add' : 'delete'](box.value);
      show();
    });
    // Boxes that the browser has kept from an earlier visit.
    boxes().filter((box) => box.checked).forEach((box) => selected.add(box.value));
    new MutationObserver(show).observe(form, { childList: true, subtree: true, attributes: true, attributeFilter: ['value'] });
    show();
  };

  // The log: the script fetches the lines after the last one, and keeps the box at its end while the user follows.
  const followLog = (log) => {
    const KEPT = 3000; // how many lines stay in the page while the user follows the log
    const box = log.querySelector('[data-nj-box]');
    const follow = log.querySelector('[data-nj-follow]');
    const following = follow.querySelector('input');
    const notice = log.querySelector('[data-nj-notice]');
    const more = log.querySelector('[data-nj-more]');
    const earlier = log.querySelector('[data-nj-earlier]');
    const empty = log.querySelector('[data-nj-empty]');
    const list = box.querySelector('ol');
    let last = Number(list.dataset.last);
    let failures = 0;
    let over = false;

    const toEnd = () => { if (following.checked) box.scrollTop = box.scrollHeight; };

    const fetchMore = async () => {
      const query = new URLSearchParams({ after: last, level: log.dataset.level, q: log.dataset.words });
      const response = await fetch(`${log.dataset.njLog}?${query}`, {
        credentials: 'same-origin', redirect: 'manual', cache: 'no-store', headers: { 'X-Requested-With': 'live' },
      });
      if ([403, 404].includes(response.status) || response.type === 'opaqueredirect') {
        over = true;
        return false;
      }
      if (!response.ok) throw new Error(`answered ${response.status}`);
      const template = document.createElement('template');
      template.innerHTML = await response.text();
      const fresh = template.content.querySelector('ol');
      last = Math.max(last, Number(fresh.dataset.last));
      if (fresh.childElementCount) {
        list.append(...fresh.children);
        // An empty log begins with its first new line.
        if (!Number(list.dataset.first)) list.dataset.first = list.firstElementChild.dataset.line;
        empty.hidden = true;
        if (following.checked) {
          while (list.childElementCount > KEPT) list.firstElementChild.remove();
          const first = list.firstElementChild.dataset.line;
          earlier.querySelectorAll('a').forEach((link) => {
            const url = new URL(link.href);
            if (url.searchParams.has('before')) url.searchParams.set('before', first);
            link.href = url;
          });
          earlier.hidden = !(Number(first) > Number(list.dataset.first)) && !('earlier' in list.dataset);
        }
        toEnd();
      }
      const rest = 'more' in fresh.dataset;
      more.hidden = !rest;
      // One more request after the end fetches the lines that were written in between.
      over = !rest && 'ended' in fresh.dataset && !fresh.childElementCount;
      return rest;
    };

    const turn = async () => {
      let rest = false;
      if (!document.hidden && (following.checked || more.hidden)) {
        try {
          rest = await fetchMore();
          failures = 0;
          notice.textContent = '';
        } catch {
          failures += 1;
          if (failures === 2) notice.textContent = log.dataset.lost;
        }
      }
      if (!over) setTimeout(turn, rest && following.checked ? 50 : Math.min(1500 * 2 ** failures, 60000));
    };

    follow.hidden = 'ended' in list.dataset && !('more' in list.dataset);
    following.addEventListener('change', toEnd);
    // Users who scroll back want to read, and users who scroll to the end want to follow. Removed lines scroll the box
    // as well, so only scrolling right after an input of the user counts.
    let touched = -Infinity;
    const touch = () => { touched = performance.now(); };
    ['wheel', 'touchmove', 'keydown', 'pointerdown'].forEach((kind) => box.addEventListener(kind, touch, { passive: true }));
    box.addEventListener('scroll', () => {
      if (performance.now() - touched > 1000) return;
      const end = box.scrollHeight - box.scrollTop - box.clientHeight < 8;
      if (!end) following.checked = false;
      else if (!over && more.hidden) following.checked = true;
    });
    toEnd();
    if (!('ended' in list.dataset) || 'more' in list.dataset) setTimeout(turn, 300);
  };

  // The keys: `/` goes to the search, `j` and `k` to the next and the previous row, `?` shows them. Enter opens a row, as
  // its link has the focus. Who needs these keys for something else switches them off (WCAG 2.1.4).
  const useKeys = (help) => {
    const OFF = 'netbox_jobs.keys';
    const on = help.querySelector('[data-nj-keys-on]');
    const remembered = () => { try { return localStorage.getItem(OFF) !== 'off'; } catch { return true; } };
    on.checked = remembered();
    on.addEventListener('change', () => { try { localStorage.setItem(OFF, on.checked ? 'on' : 'off'); } catch { /* not kept */ } });
    help.querySelector('[data-nj-keys-close]').addEventListener('click', () => help.close());
    document.querySelectorAll('[data-nj-keys-show]').forEach((button) => {
      button.hidden = false;
      button.addEventListener('click', () => help.showModal());
    });

    // Of each row of a list, the link that names it, or the first one.
    const nameOf = (row) => row.querySelector('.nj-name') || row.querySelector('a');
    const rows = () => [...document.querySelectorAll('#content-main tbody tr')].map(nameOf).filter(Boolean);
    const step = (by) => {
      const all = rows();
      const row = document.activeElement.closest('tr');
      const now = all.findIndex((link) => row && row.contains(link));
      const next = all[now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + by, 0), all.length - 1)];
      if (next) {
        next.focus();
        next.scrollIntoView({ block: 'nearest' });
      }
    };
    const acts = {
      '/': () => document.querySelector('#searchbar')?.focus(),
      j: () => step(1),
      k: () => step(-1),
      '?': () => help.showModal(),
    };
    document.addEventListener('keydown', (event) => {
      if (!on.checked || help.open || !Object.hasOwn(acts, event.key)) return;
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
      const box = event.target.closest('input, textarea, select, [contenteditable], dialog');
      if (box && !['checkbox', 'radio', 'button', 'submit'].includes(box.type)) return;
      event.preventDefault();
      acts[event.key]();
    });
  };

  document.addEventListener('DOMContentLoaded', () => {
    const form = document.getElementById('changelist-form');
    if (form && form.querySelector('#nj-list')) selectJobs(form);
    document.querySelectorAll('[data-nj-log]').forEach(followLog);
    document.querySelectorAll('#nj-keys').forEach(useKeys);
    document.querySelectorAll('[data-nj-zone]').forEach((link) => {
      const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
      if (!zone || zone === link.dataset.njZone) return;
      link.href += `&tz=${encodeURIComponent(zone)}`;
      link.textContent = link.dataset.text.replace('%s', zone);
      link.hidden = false;
    });
    document.querySelectorAll('[data-nj-submit]').forEach((field) => {
      field.addEventListener('change', () => field.form.requestSubmit());
    });
  });
})();
