// Live updates of badges, counts and guests while the page is visible. Without this file, a reload shows the same.

const address = document.body.dataset.live;
const news = document.querySelector("[data-live-news]");
// The pause before a fetch. Events in the meantime need no fetch of their own.
const PAUSE_MS = 500;
const RETRY_MS = 30_000;
let stream;
let seen = "";
let unread;
let renewTimer;
let isRenewing = false;
let isResumed = false;
let isStale = false;

function connect() {
  if (!address || stream || document.visibilityState !== "visible") return;
  const url = new URL(address, location.href);
  if (seen) url.searchParams.set("after", seen);
  stream = new EventSource(url);
  stream.addEventListener("top", ({ data }) => mark(JSON.parse(data)));
  stream.addEventListener("event", (event) => {
    seen = event.lastEventId;
    isStale = true;
    renewAfter(PAUSE_MS);
  });
  stream.addEventListener("out", disconnect);
  stream.addEventListener("error", () => {
    // The server refused the request, for example because too many pages are open. In that case the browser does not reconnect automatically.
    if (stream?.readyState !== EventSource.CLOSED) return;
    disconnect();
    setTimeout(connect, RETRY_MS);
  });
}

function disconnect() {
  stream?.close();
  stream = undefined;
}

function mark(top) {
  const bell = document.querySelector("[data-live-bell]");
  if (bell) {
    bell.innerHTML = top.bell;
    bell.setAttribute("aria-label", top.label);
  }
  for (const place of document.querySelectorAll("[data-live-chats]")) place.innerHTML = top.chats;
  if (unread !== undefined && top.unread > unread && document.querySelector("[data-live-list=notifications]")) offer();
  unread = top.unread;
}

// One fetch after a burst of events. An event that arrives during the fetch may be missing in its answer and causes another.
function renewAfter(pause) {
  if (!isRenewing) renewTimer ??= setTimeout(renewNow, pause);
}

async function renewNow() {
  clearTimeout(renewTimer);
  renewTimer = undefined;
  isRenewing = true;
  isStale = isResumed = false;
  const isAnswered = await renew();
  isRenewing = false;
  if (!isAnswered) isStale = true;
  if (isStale) renewAfter(isAnswered || isResumed ? PAUSE_MS : RETRY_MS);
}

// Replace counts in place. If other parts have changed, let the reader choose when to reload. False if there was no complete answer.
async function renew() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => undefined);
  const html = await answer?.text().catch(() => undefined);
  if (html === undefined || answer.status >= 500 || answer.status === 429) return false;
  if (!answer.ok || answer.redirected) return true;
  const now = new DOMParser().parseFromString(html, "text/html");
  for (const part of document.querySelectorAll("[data-live-part]")) {
    const same = now.getElementById(part.id);
    // An open list stays open.
    same?.querySelectorAll("details").forEach((one, place) => one.toggleAttribute("open", part.querySelectorAll("details")[place]?.open ?? false));
    if (!same || same.innerHTML === part.innerHTML) continue;
    const held = document.activeElement;
    const isInside = part.contains(held);
    part.replaceWith(same);
    if (!isInside) continue;
    // Keyboard users stay on the same link, or on the summary of the list.
    const again = [...same.querySelectorAll(held.tagName)].find((one) => one.getAttribute("href") === held.getAttribute("href"));
    (again ?? same.querySelector("summary"))?.focus({ preventScroll: true });
  }
  const versions = (root) => [...root.querySelectorAll("[data-live-list], [data-live-part]")].map((one) => one.dataset.liveList ?? one.id).join();
  if (versions(now) !== versions(document)) offer();
  return true;
}

function offer() {
  const [said, button] = [news.querySelector("[role=status]"), news.querySelector("button")];
  news.hidden = false;
  said.textContent = button.dataset.words;
}

news?.querySelector("button").addEventListener("click", () => location.reload());
// The page is visible again, or the device is online again: what failed before is tried now, not after its pause.
function resume() {
  if (document.visibilityState !== "visible") return disconnect();
  connect();
  if (isRenewing) isResumed = true;
  else if (renewTimer) renewNow();
}

document.addEventListener("visibilitychange", resume);
addEventListener("online", () => {
  disconnect();
  resume();
});
addEventListener("pagehide", disconnect);
addEventListener("pageshow", connect);
connect();
