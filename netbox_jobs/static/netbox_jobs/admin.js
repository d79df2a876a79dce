/* The admin's list and log of jobs. Without it both work too: what is chosen is sent by its form, and a log is turned
 * page by page.
 */
'use strict';
(() => {
  // The list: which jobs are chosen is remembered by their number, since rows come and go while the list is live.
  const chooseJobs = (form) => {
    const chosen = new Set();
    const count = form.querySelector('[data-nj-count]');
    const bulk = form.querySelector('[data-nj-bulk]');
    const across = form.querySelector('[name=across]');
    const boxes = () => [...form.querySelectorAll('input[name=job]')];

    const show = () => {
      const all = boxes();
      const there = new Set(all.map((box) => box.value));
      [...chosen].filter((key) => !there.has(key)).forEach((key) => chosen.delete(key));
      for (const box of all) {
        if (box.checked !== chosen.has(box.value)) box.checked = chosen.has(box.value);
        box.closest('tr').classList.toggle('selected', box.checked);
      }
      const master = form.querySelector('#action-toggle');
      if (master) {
        master.checked = all.length > 0 && chosen.size === all.length;
        master.indeterminate = chosen.size > 0 && chosen.size < all.length;
      }
      if (!bulk) return;
      const none = chosen.size === 0 && !(across && across.checked);
      bulk.classList.toggle('nj-idle', none);
      bulk.querySelectorAll('button').forEach((button) => { button.disabled = none; });
      const text = chosen.size ? count.dataset.some.replace('%s', chosen.size) : count.dataset.none;
      if (count.textContent !== text) count.textContent = text;
    };

    let last = null;
    form.addEventListener('click', (event) => {
      const box = event.target;
      if (box.name !== 'job') return;
      if (event.shiftKey && last !== null) {
        const all = boxes();
        const [from, to] = [all.findIndex((one) => one.value === last), all.indexOf(box)].sort((a, b) => a - b);
        if (from >= 0) all.slice(from, to + 1).forEach((one) => chosen[box.checked ? 'add' : 'delete'](one.value));
      }
      last = box.value;
    });
    form.addEventListener('change', (event) => {
      const box = event.target;
      if (box.id === 'action-toggle') boxes().forEach((one) => chosen[box.checked ? 'add' : 'delete'](one.value));
      else if (box.name === 'job') chosen[box.checked ? 'add' : 'delete'](box.value);
      show();
    });
    // What the browser had kept of an earlier visit.
    boxes().filter((box) => box.checked).forEach((box) => chosen.add(box.value));
    new MutationObserver(show).observe(form, { childList: true, subtree: true, attributes: true, attributeFilter: ['value'] });
    show();
  };

  // The log: lines that come are fetched after the last one that is there, and the box stays at its end if wanted.
  const followLog = (log) => {
    const HELD = 3000; // lines that stay in the page while it is followed
    const box = log.querySelector('[data-nj-box]');
    const follow = log.querySelector('[data-nj-follow]');
    const wanted = follow.querySelector('input');
    const said = log.querySelector('[data-nj-said]');
    const more = log.querySelector('[data-nj-more]');
    const earlier = log.querySelector('[data-nj-earlier]');
    const empty = log.querySelector('[data-nj-empty]');
    const list = box.querySelector('ol');
    let last = Number(list.dataset.last);
    let failures = 0;
    let over = false;

    const toEnd = () => { if (wanted.checked) box.scrollTop = box.scrollHeight; };

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
        // A log that was empty begins with the first line that comes.
        if (!Number(list.dataset.first)) list.dataset.first = list.firstElementChild.dataset.line;
        empty.hidden = true;
        if (wanted.checked) {
          while (list.childElementCount > HELD) list.firstElementChild.remove();
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
      // Once more after its end: what was written in between.
      over = !rest && 'ended' in fresh.dataset && !fresh.childElementCount;
      return rest;
    };

    const turn = async () => {
      let rest = false;
      if (!document.hidden && (wanted.checked || more.hidden)) {
        try {
          rest = await fetchMore();
          failures = 0;
          said.textContent = '';
        } catch {
          failures += 1;
          if (failures === 2) said.textContent = log.dataset.lost;
        }
      }
      if (!over) setTimeout(turn, rest && wanted.checked ? 50 : Math.min(1500 * 2 ** failures, 60000));
    };

    follow.hidden = 'ended' in list.dataset && !('more' in list.dataset);
    wanted.addEventListener('change', toEnd);
    // Who scrolls back wants to read, and who scrolls to the end again wants to follow.
    // (Lines that go at the top scroll the box as well: only what somebody does counts.)
    let touched = -Infinity;
    const touch = () => { touched = performance.now(); };
    ['wheel', 'touchmove', 'keydown', 'pointerdown'].forEach((kind) => box.addEventListener(kind, touch, { passive: true }));
    box.addEventListener('scroll', () => {
      if (performance.now() - touched > 1000) return;
      const end = box.scrollHeight - box.scrollTop - box.clientHeight < 8;
      if (!end) wanted.checked = false;
      else if (!over && more.hidden) wanted.checked = true;
    });
    toEnd();
    if (!('ended' in list.dataset) || 'more' in list.dataset) setTimeout(turn, 300);
  };

  document.addEventListener('DOMContentLoaded', () => {
    const form = document.getElementById('changelist-form');
    if (form && form.querySelector('#nj-list')) chooseJobs(form);
    document.querySelectorAll('[data-nj-log]').forEach(followLog);
    document.querySelectorAll('[data-nj-submit]').forEach((field) => {
      field.addEventListener('change', () => field.form.requestSubmit());
    });
  });
})();
