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
  const about = body.get("code") ?? target.closest(".needs li")?.querySelector("strong").textContent ?? document.querySelector("h1").textContent;
  const isOfGuest = !path.endsWith("/answer") && submitter.getAttribute("aria-label");
  const words = isOfGuest || `${submitter.textContent.trim()} · ${about.trim()}`;
  tell({ kind: "words", path, body: new URLSearchParams(body).toString(), words });
}

function say({ waiting, kept, sent = [] }) {
  // The page is older than what was just sent. Without a mark, the guests would look as if they had not been checked in.
  for (const one of sent) arrived.add(attendanceOf(one));
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
  wasSent ||= sent.length > 0;
  if (wasSent && !waiting.length) shown.push(banner("good", offlineSent));
  const again = scannedAgain(waiting);
  if (again) shown.push(again);
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
  showAnswers(waiting, sent);
  for (const badge of document.querySelectorAll("[data-offline-badge]")) badge.hidden = false;
  list(kept, waiting);
}

// The service worker names the ticket in the address if the same ticket was scanned before and still waits to be sent.
function scannedAgain(waiting) {
  const words = document.querySelector("[data-scan]")?.dataset.offlineAgain;
  const code = new URLSearchParams(location.search).get("again");
  const one = waiting.find(({ path, body }) => path === location.pathname && code && new URLSearchParams(body).get("code") === code);
  if (!words || !one) return undefined;
  const time = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(one.at);
  const made = banner("warn", words.replace("{ticket}", code).replace("{time}", time));
  made.setAttribute("role", "alert");
  return made;
}

function attendanceOf(one) {
  return new URLSearchParams(one.body).get("attendance");
}

// The buttons of a page are those of the earlier answer if the page was stored, or opened just before a waiting answer was sent. While
// another answer waits, and from when it was sent until the page is loaded again, the answer bar and the row of “Needs you” show that one.
function showAnswers(waiting, sent) {
  for (const form of document.querySelectorAll('form[action^="/events/"][action$="/answer"]')) {
    const bar = form.querySelector(".answer-bar");
    const row = form.closest(".needs li");
    const isOfForm = ({ path }) => path === new URL(form.action).pathname;
    const waits = waiting.filter(isOfForm);
    const answers = { waits: waits.find((one) => !one.refused), sent: waits.length ? undefined : sent.findLast(isOfForm) };
    if (bar) showAnswer(bar, bar.querySelector("h2, h3"), [...bar.querySelectorAll(".answer-buttons:not(.answer-waits)")], answers);
    else if (row) showAnswer(row, row.querySelector(".waiting-sentence"), [form], answers);
  }
}

function showAnswer(place, title, buttons, { waits, sent }) {
  const shown = place.querySelector(".answer-waits");
  const hadFocus = Boolean(shown?.contains(document.activeElement));
  title.dataset.before ??= title.textContent;
  title.dataset.look ??= title.className;
  // A page that was loaded after the answer was sent shows it already.
  const isNews = sent && (shown || place.querySelector(`[name=reply][value="${CSS.escape(replyOf(sent))}"]:not([aria-current])`));
  const one = waits ?? (isNews ? sent : undefined);
  if (one) {
    const state = document.createElement("strong");
    state.className = "button chosen";
    state.setAttribute("aria-current", "true");
    const button = place.querySelector(`:not(.answer-waits) > [name=reply][value="${CSS.escape(replyOf(one))}"]`);
    state.textContent = button?.textContent.trim() ?? one.words;
    const made = document.createElement("div");
    made.className = `${buttons[0]?.className ?? "actions"} answer-waits`;
    made.append(state, ...(waits ? [undoButton(waits)] : []));
    const isRow = buttons[0]?.matches("form");
    if (isRow) for (const part of made.children) part.classList.add("small");
    // In a row, the start of the event follows.
    title.textContent = `${waits ? offlineHere : offlineDone}${isRow ? " ·" : ""}`;
    if (shown) shown.replaceWith(made);
    else place.append(made);
  } else if (shown?.querySelector("button")) {
    shown.remove();
    title.textContent = title.dataset.before;
  }
  const isShown = Boolean(place.querySelector(".answer-waits"));
  title.className = isShown ? title.dataset.look.replace("hidden", "") : title.dataset.look;
  for (const part of buttons) part.hidden = isShown;
  if (hadFocus && !isShown) buttons[0]?.querySelector("button, a")?.focus();
}

const replyOf = (one) => new URLSearchParams(one.body).get("reply");

function waitingRow(one) {
  const row = document.createElement("li");
  row.className = one.refused ? "warn" : "hold";
  const text = document.createElement("p");
  const what = document.createElement("strong");
  what.textContent = one.words;
  text.append(...(one.words ? [what, document.createElement("br")] : []), one.refused ? offlineRefused : offlineWaits);
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
    .map(([path, page]) => ({ path, page, at: startOf(page) }))
    .sort((one, other) => isPast(one) - isPast(other) || one.at.localeCompare(other.at));
  const rows = pages.map(([path, page]) => row(path, page)).filter(Boolean);
  const cards = document.querySelector("[data-offline-events]");
  cards.replaceChildren(...events.map((event) => card(event, waiting)));
  cards.hidden = !events.length;
  links.replaceChildren(...rows.sort((one, other) => one.place - other.place).map(({ made }) => made));
  links.hidden = !rows.length;
}

// The time of the start, or its day if it has no time.
function startOf(page) {
  const [day, time] = [...page.querySelectorAll(".facts .fact:first-child time")].map((one) => one.dateTime);
  return time ?? day ?? "";
}

// The day of an event as in lists, in which it has to fit into one line. Several days are written as on its page.
function shortDay(page) {
  const place = page.querySelector(".facts .fact-main");
  const days = place?.querySelectorAll("time") ?? [];
  if (days.length !== 1 || days[0].textContent.trim() !== place.textContent.trim()) return undefined;
  const form = { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" };
  const day = new Date(days[0].dateTime.slice(0, 10));
  if (day.getUTCFullYear() !== new Date().getFullYear()) form.year = "numeric";
  return day.toLocaleDateString(document.documentElement.dataset.locale, form);
}

// Events of earlier days come last.
const isPast = ({ at }) => Number(Boolean(at) && new Date(at) < new Date().setHours(0, 0, 0, 0));

function card({ path, page, at }, waiting) {
  const made = document.querySelector("template[data-offline-event]").content.cloneNode(true);
  const words = (selector, all = page) => all.querySelector(selector)?.textContent.trim() ?? "";
  const tone = /tone-\d/.exec(page.querySelector("main [class*=tone-]:has(.event-title)")?.className ?? "");
  if (tone) made.querySelector("article").classList.add(tone[0]);
  made.querySelector("img").src = page.querySelector(".event-cover, .event-picture")?.getAttribute("src") ?? "";
  // The day, and the time from start to end. In English, only the end says whether it is in the morning.
  const when = [shortDay(page) ?? words(".facts .fact-main"), at && words(".facts .fact:first-child .hint > span:first-child:has(time)")];
  made.querySelector(".when").textContent = when.filter(Boolean).join(" · ");
  const link = made.querySelector("a");
  link.href = path;
  link.textContent = words(".event-title");
  made.querySelector(".where").textContent = words(".facts .fact:nth-child(2) .fact-main");
  const isHost = Boolean(page.querySelector(".host-card"));
  // The badge of the page says it as lists do, but not for everybody who answered.
  const answer = isHost ? "" : words(".answer-bar [aria-current]") && (words(".event-head .chip:is(.good, .hold)") || words(".answer-bar [aria-current]"));
  const waits = waiting.some((one) => one.path === `${path}/answer`);
  const chip = made.querySelector("[data-offline-answer]");
  const isGoing = /^(going|today|join_now|checked_in)$/.test(page.querySelector(".answer")?.dataset.answerState);
  chip.classList.replace("plain", isGoing ? "good" : "plain");
  if (!isGoing) chip.querySelector("svg").remove();
  chip.querySelector("span").textContent = answer;
  chip.hidden = !answer || waits;
  made.querySelector("[data-offline-host]").hidden = !isHost;
  made.querySelector("[data-offline-waits]").hidden = !waits;
  return made;
}

const KINDS = [
  ["ticket", /\/ticket$/, "h1"],
  ["check-in", /\/check-in$/, ".way-back strong"],
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
