// Offline support: shows when a page was stored, which forms are waiting to be sent, and when they have been sent.

const { locale, person, worker, keptAt, offlineNow, offlineAt, offlineWaits, offlineRefused, offlineUndo, offlineSent, offlineHere, offlineDone, offlineReload } = {
  ...document.body.dataset,
  ...document.documentElement.dataset,
};
let wasSent = false;
// The latest report of the service worker, and the guests whose check-ins were sent since this page was opened.
let last;
const arrived = new Set();
const place = document.querySelector("[data-offline-place]");

if ("serviceWorker" in navigator && isSecureContext) {
  if (person) navigator.serviceWorker.register(worker, { scope: "/" }).catch(() => undefined);
  navigator.serviceWorker.addEventListener("message", ({ data }) => data?.kind === "state" && say(data));
  navigator.serviceWorker.startMessages();
  const greet = () => tell({ kind: "here", person: person ?? "", pages: (place?.dataset.keep ?? "").split(" ").filter(Boolean) });
  if (person || navigator.serviceWorker.controller) greet();
  addEventListener("online", () => {
    // The worker reports after it has sent what was waiting, which can take seconds.
    if (last) say(last);
    greet();
  });
  addEventListener("offline", () => last && say(last));
  for (const form of document.querySelectorAll('form[action^="/events/"]')) form.addEventListener("submit", name);
}

function tell(message) {
  navigator.serviceWorker.ready.then((registration) => registration.active?.postMessage(message));
}

// Describe what a form does, using the text of its button. The text is shown if the form has to wait.
function name(event) {
  const { submitter, target } = event;
  const path = new URL(target.action).pathname;
  if (!submitter || !/\/(answer|check-in|check-in\/undo)$/.test(path)) return;
  const body = new FormData(target, submitter);
  const key = `${path.replace(/\/undo$/, "")} ${body.get("attendance") ?? body.get("code") ?? ""}`;
  const about = body.get("code") ?? document.querySelector("h1").textContent;
  const words = submitter.getAttribute("aria-label") ?? `${submitter.textContent.trim()}: ${about.trim()}`;
  tell({ kind: "words", key, words });
}

function say({ waiting, kept, sent }) {
  // The page is older than what was just sent. Without a mark, the guests would look as if they had not been checked in.
  if (sent) for (const one of last?.waiting ?? []) if (!waiting.some(({ key }) => key === one.key)) arrived.add(attendanceOf(one));
  last = { waiting, kept };
  const shown = [];
  if (keptAt) {
    const form = { weekday: "short", hour: "numeric", minute: "2-digit" };
    const time = new Intl.DateTimeFormat(locale, form).format(Number(keptAt));
    const line = banner("hold", ` ${offlineAt.replace("{}", time)}`);
    if (navigator.onLine) {
      const newest = document.createElement("a");
      newest.href = location.pathname + location.search;
      newest.textContent = offlineReload;
      line.firstChild.append(" ", newest);
    } else {
      const now = document.createElement("strong");
      now.textContent = offlineNow;
      line.firstChild.prepend(now);
    }
    shown.push(line);
  }
  wasSent ||= Boolean(sent);
  if (wasSent && !waiting.length) shown.push(banner("good", offlineSent));
  if (waiting.length) {
    const rows = document.createElement("ul");
    rows.className = "offline-waiting";
    rows.append(...waiting.map(waitingRow));
    shown.push(rows);
  }
  const isInside = place?.contains(document.activeElement);
  place?.replaceChildren(...shown);
  if (isInside) (place.querySelector("button") ?? document.getElementById("main")).focus();
  const rows = new Set(waiting.map(attendanceOf));
  for (const button of document.querySelectorAll('form[action$="/check-in"] button[name=attendance]')) {
    button.dataset.before ??= button.textContent;
    const waits = rows.has(button.value);
    const isDone = !waits && arrived.has(button.value);
    button.textContent = waits ? offlineHere : isDone ? offlineDone : button.dataset.before;
    button.classList.toggle("chosen", waits || isDone);
  }
  showAnswer(waiting, sent);
  for (const badge of document.querySelectorAll("[data-offline-badge]")) badge.hidden = false;
  list(kept, waiting);
}

function attendanceOf(one) {
  return new URLSearchParams(one.body).get("attendance");
}

// The buttons of a stored page are those of the earlier answer. While another one waits, and until the page is loaded again, the bar
// shows that one.
function showAnswer(waiting, sent) {
  const bar = document.querySelector('form[action$="/answer"] .answer-bar');
  if (!bar) return;
  const path = new URL(bar.closest("form").action).pathname;
  const one = waiting.find((row) => row.path === path && !row.refused);
  const shown = bar.querySelector(".answer-waits");
  const title = bar.querySelector("h2, h3");
  title.dataset.before ??= title.textContent;
  title.dataset.look ??= title.className;
  if (one) {
    const reply = new URLSearchParams(one.body).get("reply");
    const label = bar.querySelector(`.answer-buttons:not(.answer-waits) [name=reply][value="${CSS.escape(reply)}"]`)?.textContent.trim() ?? one.words;
    const state = document.createElement("strong");
    state.className = "button chosen";
    state.setAttribute("aria-current", "true");
    state.textContent = label;
    const made = document.createElement("div");
    made.className = "answer-buttons answer-waits";
    made.append(state, undoButton(one));
    title.textContent = offlineHere;
    if (shown) shown.replaceWith(made);
    else bar.append(made);
  } else if (shown && sent) {
    title.textContent = offlineDone;
    shown.querySelector("button")?.remove();
  } else if (shown?.querySelector("button")) {
    shown.remove();
    title.textContent = title.dataset.before;
  }
  const isShown = Boolean(bar.querySelector(".answer-waits"));
  title.className = isShown ? "" : title.dataset.look;
  for (const buttons of bar.querySelectorAll(".answer-buttons:not(.answer-waits)")) buttons.hidden = isShown;
}

function waitingRow(one) {
  const row = document.createElement("li");
  row.className = one.refused ? "warn" : "hold";
  const text = document.createElement("p");
  text.textContent = `${one.refused ? offlineRefused : offlineWaits} ${one.words}`;
  const undo = undoButton(one);
  undo.classList.add("small");
  row.append(text, undo);
  return row;
}

function undoButton(one) {
  const undo = document.createElement("button");
  undo.type = "button";
  undo.className = "button quiet";
  undo.textContent = offlineUndo;
  undo.setAttribute("aria-label", `${offlineUndo}: ${one.words}`);
  undo.addEventListener("click", () => tell({ kind: "drop", key: one.key }));
  return undo;
}

function banner(tone, words) {
  const made = document.createElement("div");
  made.className = `banner ${tone}`;
  const text = document.createElement("p");
  text.textContent = words;
  made.append(text);
  return made;
}

// The offline page lists the pages that are stored: events with their covers, then the others.
async function list(kept, waiting) {
  const links = document.querySelector("[data-offline-kept]");
  if (!links || !kept.length) return;
  const cache = await caches.open("kept");
  const pages = await Promise.all(
    kept.map(async ({ path }) => {
      const answer = await cache.match(new URL(path, location.origin).href);
      return [path, new DOMParser().parseFromString((await answer?.text()) ?? "", "text/html")];
    }),
  );
  const events = pages
    .filter(([, page]) => page.querySelector(".event-title"))
    .map(([path, page]) => ({ path, page, at: page.querySelector(".facts time")?.dateTime ?? "" }))
    .sort((one, other) => isPast(one) - isPast(other) || one.at.localeCompare(other.at));
  const rows = pages.map(([path, page]) => row(path, page)).filter(Boolean);
  const cards = document.querySelector("[data-offline-events]");
  cards.replaceChildren(...events.map((event) => card(event, waiting)));
  cards.hidden = !events.length;
  links.replaceChildren(...rows.sort((one, other) => one.place - other.place).map(({ made }) => made));
  links.hidden = !rows.length;
}

// Events of earlier days come last.
const isPast = ({ at }) => Number(Boolean(at) && new Date(at) < new Date().setHours(0, 0, 0, 0));

function card({ path, page, at }, waiting) {
  const made = document.querySelector("template[data-offline-event]").content.cloneNode(true);
  const words = (selector, all = page) => all.querySelector(selector)?.textContent.trim() ?? "";
  const tone = /tone-\d/.exec(page.querySelector("main [class*=tone-]:has(.event-title)")?.className ?? "");
  if (tone) made.querySelector("article").classList.add(tone[0]);
  made.querySelector("img").src = page.querySelector(".event-cover, .event-picture")?.getAttribute("src") ?? "";
  const times = [...page.querySelectorAll(".facts .fact:first-child time")].slice(0, 2).map((one) => one.textContent);
  made.querySelector(".when").textContent = at ? times.join(" · ") : words(".facts .fact-main");
  const link = made.querySelector("a");
  link.href = path;
  link.textContent = words(".event-title");
  made.querySelector(".where").textContent = words(".facts .fact:nth-child(2) .fact-main");
  const isHost = Boolean(page.querySelector(".host-card"));
  const answer = isHost ? "" : words(".answer-bar [aria-current]");
  const waits = waiting.some((one) => one.path === `${path}/answer`);
  made.querySelector("[data-offline-answer] > span").textContent = answer;
  made.querySelector("[data-offline-answer]").hidden = !answer || waits;
  made.querySelector("[data-offline-host]").hidden = !isHost;
  made.querySelector("[data-offline-waits]").hidden = !waits;
  return made;
}

const KINDS = [
  ["ticket", /\/ticket$/, "h1"],
  ["check-in", /\/check-in$/, ".way-back a"],
  ["calendar", /^\/my\/calendar/],
  ["home", /^\/home$/],
  ["events", /^\/my\/events$/],
];

function row(path, page) {
  const place = KINDS.findIndex(([, shape]) => shape.test(path));
  if (place < 0) return undefined;
  const [kind, , about] = KINDS[place];
  const made = document.querySelector(`template[data-offline-row="${kind}"]`).content.cloneNode(true);
  made.querySelector("a").href = path;
  if (about) made.querySelector(".hint").textContent = page.querySelector(about)?.textContent.trim() ?? "";
  return { place, made };
}
