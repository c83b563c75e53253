// The one script of the page. Everything works without it; with it, the page
// follows what happens by itself. It holds no text: all of that comes with the
// document, in the person's language.
"use strict";
(() => {
  const root = document.documentElement;
  const find = (selector) => document.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Light or dark: the Hub's own pages keep the choice under this key.
  const themeKey = "jupyterhub-bs-theme";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const storage = {
    get() { try { return localStorage.getItem(themeKey); } catch { return null; } },
    set(theme) { try { localStorage.setItem(themeKey, theme); } catch { /* for this page only */ } },
  };
  function theme() {
    const chosen = storage.get();
    root.dataset.bsTheme = chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
  }
  function toggleTheme() {
    const chosen = root.dataset.bsTheme === "dark" ? "light" : "dark";
    storage.set(chosen);
    root.dataset.bsTheme = chosen;
  }
  theme();
  root.classList.add("js");
  dark.addEventListener("change", theme);
  addEventListener("storage", (event) => event.key === themeKey && theme());

  let settings; // the data attributes of <body>
  let csrf; // the token of this document
  let skew = 0; // the server's clock minus the browser's, in milliseconds
  let announced; // the last news read out

  // Time.
  const now = () => Date.now() + skew;
  const two = (n) => String(n).padStart(2, "0");
  const fill = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function lasting(seconds, form) {
    if (form === "minutes") return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
    const minutes = Math.floor(seconds / 60);
    const pattern = minutes < 60 ? settings.m : settings.hm;
    return fill(pattern, { h: Math.floor(minutes / 60), m: minutes < 60 ? minutes : minutes % 60 });
  }

  function tick() {
    let ended = false;
    for (const element of all("[data-until]")) {
      const left = Math.max(0, Math.floor((Date.parse(element.dataset.until) - now()) / 1000));
      if (element.tagName === "PROGRESS") {
        element.value = left;
        continue;
      }
      const text = lasting(left, element.dataset.form);
      if (element.textContent !== text) element.textContent = text;
      if (left === 0 && !element.dataset.ended) {
        element.dataset.ended = "yes";
        ended = true;
      }
    }
    if (dayOf(new Date(now())) !== today) localise();
    if (ended) refresh();
  }

  // Points in time, in the person's own zone and manner: those of today by the time
  // alone, those of the days around it as in "tomorrow, 12:00 AM".
  const dayOf = (at) => Math.round(Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) / 86_400_000);
  let today; // when points in time were last written

  function localise() {
    today = dayOf(new Date(now()));
    const manner = navigator.languages.find((l) => l.split("-")[0] === root.lang) || root.lang;
    const time = new Intl.DateTimeFormat(manner, { timeStyle: "short" });
    const date = new Intl.DateTimeFormat(manner, { dateStyle: "medium", timeStyle: "short" });
    const near = new Intl.RelativeTimeFormat(manner, { numeric: "auto" });
    for (const element of all("time[data-clock]")) {
      const at = new Date(element.dateTime);
      const days = dayOf(at) - today;
      if (days === 0) element.textContent = time.format(at);
      else if (Math.abs(days) === 1) element.textContent = `${near.format(days, "day")}, ${time.format(at)}`;
      else element.textContent = date.format(at);
    }
  }

  function announce(text) {
    if (!text || text === announced) return;
    announced = text;
    say(text);
  }
  function say(text) {
    const region = find("#announcer");
    region.textContent = "";
    setTimeout(() => { region.textContent = text; }, 50);
  }

  // The plain forms need the document's token, which a fragment never carries.
  function arm(within) {
    if (!csrf) return;
    for (const form of all("form[method=post]", within)) {
      if (form.elements.csrf) continue;
      const input = document.createElement("input");
      input.type = "hidden";
      input.name = "csrf";
      input.value = csrf;
      form.prepend(input);
    }
  }

  // Swapping in what the server says now.
  function swap(html, moveFocus) {
    const main = find("#main");
    const fresh = new DOMParser().parseFromString(html, "text/html").body;
    // Nothing is replaced under a person's finger unless it says something new.
    if (fresh.firstElementChild?.dataset.version === find("#state")?.dataset.version) return;
    const active = document.activeElement;
    const inside = main.contains(active);
    const kept = { id: active.id, start: active.selectionStart, end: active.selectionEnd };
    const filter = find("#filter")?.value || "";
    for (const before of all("details[id]", main)) {
      const after = fresh.querySelector(`#${CSS.escape(before.id)}`);
      if (after) after.open = before.dataset.was ? before.dataset.was === "open" : before.open;
    }
    arm(fresh);
    main.replaceChildren(...fresh.childNodes);
    const state = find("#state");
    if (filter && find("#filter")) {
      find("#filter").value = filter;
      filterRepositories();
    }
    if (inside) {
      const again = kept.id && document.getElementById(kept.id);
      (again && !moveFocus ? again : find("#main [autofocus]") || find("h1"))?.focus({ preventScroll: Boolean(again) && !moveFocus });
      if (again?.setSelectionRange && kept.start != null) again.setSelectionRange(kept.start, kept.end);
    }
    document.title = state?.dataset.title || document.title;
    if (state && find("#icon").getAttribute("href") !== state.dataset.icon) find("#icon").href = state.dataset.icon;
    localise();
    tick();
    announce(state?.dataset.news);
  }

  let reading = null;
  let readAgain = null; // the next reading's moveFocus
  let left = false; // for GitHub, by a link of this page
  let back = false; // from there: the next reading has the service look at GitHub

  async function refresh(moveFocus = false) {
    if (!settings || !("watch" in settings)) return;
    if (reading) {
      readAgain ||= moveFocus;
      return reading;
    }
    reading = read(moveFocus);
    try { await reading; } finally { reading = null; }
    if (readAgain !== null) {
      const focus = readAgain;
      readAgain = null;
      await refresh(focus);
    }
  }

  async function read(moveFocus) {
    const look = back;
    back = false;
    try {
      const answer = await fetch(`${settings.prefix}fragment${look ? "?back" : ""}`, { redirect: "manual", cache: "no-store", headers: { Accept: "text/html" } });
      if (signedOut(answer)) return;
      find("#offline").hidden = answer.status < 500;
      if (answer.ok) swap(await answer.text(), moveFocus);
      if (look && !stream) setTimeout(refresh, pollLive);
    } catch {
      find("#offline").hidden = false;
    }
  }

  // A session ends after its time, or with a sign-out of the Hub. Whoever is signed in
  // there has a new one when the page is loaded again, and what it says is true again.
  function signedOut(answer) {
    const out = answer.type === "opaqueredirect" || answer.status === 401;
    find("#signed-out").hidden = !out;
    if (!out) return false;
    unfollow();
    if (!document.hidden && reloadsRarely()) location.reload();
    return true;
  }
  // Not twice in a minute, should that be of no use.
  function reloadsRarely() {
    const key = "connect-github-reloaded";
    try {
      const rarely = Date.now() - Number(sessionStorage.getItem(key)) > 60_000;
      if (rarely) sessionStorage.setItem(key, String(Date.now()));
      return rarely;
    } catch { return false; }
  }

  // Following: server-sent events while they work, else asking every so often.
  const silence = 10_000; // a stream that says nothing for so long is held up by some proxy
  const pollLive = 5_000;
  const pollIdle = 30_000;
  const rejoinFirst = 30_000; // how soon the page asks for a refused stream again
  const rejoinLast = 600_000;
  let stream = null;
  let pollTimer = null;
  let silenceTimer = null;
  let rejoinTimer = null;
  let rejoinAfter = rejoinFirst;

  const isLive = () => find("#state")?.hasAttribute("data-live");

  function follow() {
    unfollow();
    if (!("watch" in settings) || !find("#signed-out").hidden) return;
    listen();
  }
  function listen() {
    stream = new EventSource(`${settings.prefix}api/flows/current/events`);
    silenceTimer = setTimeout(fallBack, silence);
    stream.onmessage = () => {
      clearTimeout(silenceTimer);
      clearTimeout(pollTimer);
      rejoinAfter = rejoinFirst;
      refresh();
    };
    // While CONNECTING the browser tries again by itself; meanwhile we ask.
    stream.onerror = () => {
      if (stream?.readyState !== EventSource.CLOSED) return poll();
      fallBack();
      refresh(); // which tells whether the session is over
    };
  }
  // Too many of the person's pages follow, or a proxy holds the stream up: we ask,
  // and try again later.
  function fallBack() {
    stream?.close();
    stream = null;
    clearTimeout(silenceTimer);
    poll();
    rejoinTimer = setTimeout(listen, rejoinAfter);
    rejoinAfter = Math.min(2 * rejoinAfter, rejoinLast);
  }
  function poll() {
    clearTimeout(pollTimer);
    pollTimer = setTimeout(async () => {
      await refresh();
      if (find("#signed-out").hidden) poll();
    }, isLive() ? pollLive : pollIdle);
  }
  function unfollow() {
    stream?.close();
    stream = null;
    clearTimeout(pollTimer);
    clearTimeout(silenceTimer);
    clearTimeout(rejoinTimer);
  }
  // A browser opens few connections to one host, and a stream holds one: a
  // hidden page lets go unless something is under way.
  function visibility() {
    if (document.hidden) {
      if (!isLive()) unfollow();
      return;
    }
    back = left;
    refresh();
    if (!stream) follow();
  }
  // Windows side by side are both visible all the time.
  function focused() {
    if (!left) return;
    back = true;
    refresh();
  }
  // Where else a link in a new tab leads to is of no matter here.
  const leave = (event) => { left ||= Boolean(event.target.closest?.("#main a[target=_blank]")); };

  // The same forms, sent by fetch.
  async function submit(event) {
    const form = event.target;
    const by = event.submitter;
    // Towards GitHub the browser itself must go.
    if (!form.dataset.api || by?.value === "web") return;
    event.preventDefault();
    if (form.getAttribute("aria-busy")) return;
    const [method, route] = form.dataset.api.split(" ");
    const data = new FormData(form);
    if (by?.name) data.set(by.name, by.value);
    form.setAttribute("aria-busy", "true");
    by?.setAttribute("aria-disabled", "true");
    const problem = find("#problem");
    problem.hidden = true;
    try {
      const answer = await fetch(settings.prefix + route, {
        method,
        redirect: "manual",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf || "" },
        body: method === "POST" ? JSON.stringify(body(data)) : undefined,
      });
      if (signedOut(answer)) return;
      if (answer.ok) {
        await refresh(true);
        if (!stream) poll();
      } else {
        complain(await answer.json().catch(() => ({})));
      }
    } catch {
      find("#offline").hidden = false;
    } finally {
      form.removeAttribute("aria-busy");
      by?.removeAttribute("aria-disabled");
    }
  }

  function body(data) {
    // The first page's form has a mode and chooses servers; others have one.
    if (data.has("mode")) return { mode: data.get("mode"), servers: data.getAll("server") };
    const fields = {};
    for (const key of new Set(data.keys())) {
      if (key === "csrf") continue;
      fields[key] = key === "start" ? true : data.get(key);
    }
    if (data.getAll("server").length !== 1) {
      delete fields.server;
      fields.servers = data.getAll("server");
    }
    return fields;
  }

  function complain(answer) {
    const { message, hint } = answer.error || {};
    const problem = find("#problem");
    problem.textContent = [message || settings.generic, hint].filter(Boolean).join(" ");
    problem.hidden = false;
    problem.scrollIntoView({ block: "nearest" });
  }

  // The code. One click copies it and follows the link, in this order: the new tab takes
  // the focus, without which nothing is copied. So it is the old command, which is done
  // when it returns, and works over plain http. Where a browser refuses it, the person
  // stays here until they have the code; from then on the link is a link.
  async function copyAndOpen(event, link) {
    if (link.classList.contains("uncopied")) return;
    const code = find("#user-code");
    getSelection().selectAllChildren(code);
    let done = copyNow(code.textContent);
    if (!done) {
      event.preventDefault();
      link.classList.add("uncopied");
      done = await navigator.clipboard?.writeText(code.textContent).then(() => true, () => false);
    }
    const label = [...link.childNodes];
    link.replaceChildren(done ? link.dataset.done : link.dataset.undone);
    say(link.textContent);
    setTimeout(() => link.replaceChildren(...label), 3_000);
  }
  function copyNow(text) {
    const put = (event) => {
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
    };
    document.addEventListener("copy", put);
    try { return document.execCommand("copy"); } catch { return false; } finally { document.removeEventListener("copy", put); }
  }

  // The repositories.
  function filterRepositories() {
    const wanted = find("#filter").value.trim().toLowerCase();
    let found = 0;
    for (const owner of all("#repositories .owner")) {
      const name = owner.querySelector("bdi").textContent.toLowerCase();
      let here = 0;
      for (const item of all("li", owner)) {
        item.hidden = wanted !== "" && !`${name}/${item.textContent.trim().toLowerCase()}`.includes(wanted);
        if (!item.hidden) here++;
      }
      found += here;
      owner.hidden = here === 0;
      if (wanted) {
        owner.dataset.was ||= owner.open ? "open" : "closed";
        owner.open = true;
      } else if (owner.dataset.was) {
        owner.open = owner.dataset.was === "open";
        delete owner.dataset.was;
      }
    }
    const count = find("#repositories output");
    count.textContent = wanted ? fill(count.dataset.found, { n: found }) : "";
  }

  function click(event) {
    leave(event);
    const pressed = event.target.closest?.("button, a");
    if (pressed?.id === "open-github" && find("#user-code")) copyAndOpen(event, pressed);
    if (pressed?.id === "dark-theme-toggle") toggleTheme();
  }

  document.addEventListener("DOMContentLoaded", () => {
    settings = document.body.dataset;
    csrf = find("meta[name=csrf-token]")?.content;
    if (settings.now) skew = Date.parse(settings.now) - Date.now();
    announced = find("#state")?.dataset.news;
    document.addEventListener("submit", submit);
    document.addEventListener("click", click);
    document.addEventListener("auxclick", leave);
    document.addEventListener("input", (event) => event.target.id === "filter" && filterRepositories());
    document.addEventListener("visibilitychange", visibility);
    addEventListener("focus", focused);
    addEventListener("pageshow", (event) => event.persisted && visibility());
    addEventListener("pagehide", unfollow);
    localise();
    tick();
    setInterval(tick, 1_000);
    if (settings.reload) setTimeout(() => location.reload(), 1_000 * Number(settings.reload));
    follow();
  });
})();
