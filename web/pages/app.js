"use strict";
// The pages work without this; it makes them quick.

const typing = (e) => e.target.closest("input, textarea, select, dialog");

// Lists are filtered while one types: the same address is fetched, and what it has in the places that
// the form names takes the place of what is here.
for (const form of document.querySelectorAll("form[data-live]")) {
  let running = null, timer = 0;
  const refresh = async () => {
    running?.abort();
    running = new AbortController();
    const url = new URL(form.action);
    url.search = new URLSearchParams(new FormData(form)).toString();
    try {
      const answer = await fetch(url, { signal: running.signal, credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      const page = html(await answer.text());
      for (const place of form.dataset.live.split(" ")) {
        const here = document.querySelector(place), there = page.querySelector(place);
        if (there) here.replaceChildren(...there.childNodes);
        localTimes(here);
      }
      history.replaceState(null, "", url);
    } catch (e) {
      if (e.name !== "AbortError") throw e;
    }
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(refresh, 150); });
}

// html parses a page of this server. Scripts in it don't run.
const policy = window.trustedTypes?.createPolicy("tftpsql", { createHTML: (s) => s });
function html(text) {
  return new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
}

for (const form of document.querySelectorAll("form[data-confirm]"))
  form.addEventListener("submit", (e) => { if (!confirm(form.dataset.confirm)) e.preventDefault(); });

for (const form of document.querySelectorAll("form[data-send]")) form.requestSubmit();

// localTimes shows times in the browser's zone.
function localTimes(root) {
  const two = (n) => String(n).padStart(2, "0");
  for (const time of root.querySelectorAll("time[datetime]")) {
    const t = new Date(time.dateTime);
    if (isNaN(t)) continue;
    time.textContent = `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${two(t.getHours())}:${two(t.getMinutes())}`;
    time.title = time.dateTime;
  }
}
localTimes(document);

// Keys.
function move(list, step) {
  if (!list.length) return false;
  let i = list.findIndex((e) => e.classList.contains("here"));
  i = i < 0 ? (step > 0 ? 0 : list.length - 1) : i + step;
  if (i < 0 || i >= list.length) return false;
  for (const e of list) e.classList.remove("here");
  list[i].classList.add("here");
  list[i].scrollIntoView({ block: "center" });
  (list[i].querySelector("a") ?? list[i]).focus({ preventScroll: true });
  return true;
}
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || typing(e)) return;
  const rows = [...document.querySelectorAll("[data-row]")];
  const changes = [...document.querySelectorAll("[data-change]")];
  const follow = (key) => document.querySelector(`[data-key="${key}"]`)?.click();
  switch (e.key) {
    case "/": e.preventDefault(); (document.querySelector("[data-filter]") ?? document.querySelector("#find"))?.focus(); break;
    case "j": move(rows, 1); break;
    case "k": move(rows, -1); break;
    case "n": if (!move(changes, 1)) follow("n"); break;
    case "p": if (!move(changes, -1)) follow("p"); break;
    case "?": document.querySelector("#help")?.showModal(); break;
  }
});
