// Without a connection: says since when a page is kept, what waits to be sent, and when it was sent.

const { person, worker, keptAt, offlineAt, offlineWaits, offlineRefused, offlineUndo, offlineSent, offlineHere } = {
  ...document.body.dataset,
  ...document.documentElement.dataset,
};
let wasSent = false;
const place = document.querySelector("[data-offline-place]");

if ("serviceWorker" in navigator && isSecureContext) {
  if (person) navigator.serviceWorker.register(worker, { scope: "/" }).catch(() => undefined);
  navigator.serviceWorker.addEventListener("message", ({ data }) => data?.kind === "state" && say(data));
  navigator.serviceWorker.startMessages();
  const greet = () => tell({ kind: "here", person: person ?? "", pages: (place?.dataset.keep ?? "").split(" ").filter(Boolean) });
  if (person || navigator.serviceWorker.controller) greet();
  addEventListener("online", greet);
  for (const form of document.querySelectorAll('form[action^="/events/"]')) form.addEventListener("submit", name);
}

function tell(message) {
  navigator.serviceWorker.ready.then((registration) => registration.active?.postMessage(message));
}

// What a form does, in the words of its button, should it have to wait.
function name(event) {
  const { submitter, target } = event;
  const path = new URL(target.action).pathname;
  if (!submitter || !/\/(answer|check-in|check-in\/undo)$/.test(path)) return;
  const body = new FormData(target, submitter);
  const key = `${path.replace(/\/undo$/, "")} ${body.get("attendance") ?? body.get("code") ?? ""}`;
  const words = submitter.getAttribute("aria-label") ?? `${submitter.textContent.trim()}: ${document.querySelector("h1").textContent.trim()}`;
  tell({ kind: "words", key, words });
}

function say({ waiting, kept, sent }) {
  const shown = [];
  if (keptAt) {
    const time = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: "short", hour: "2-digit", minute: "2-digit" }).format(Number(keptAt));
    shown.push(banner("hold", offlineAt.replace("{}", time)));
  }
  wasSent ||= Boolean(sent);
  if (wasSent && !waiting.length) shown.push(banner("good", offlineSent));
  for (const one of waiting) {
    const line = banner(one.refused ? "warn" : "hold", `${one.refused ? offlineRefused : offlineWaits} ${one.words}`);
    const undo = document.createElement("button");
    undo.type = "button";
    undo.className = "button quiet small";
    undo.textContent = offlineUndo;
    undo.setAttribute("aria-label", `${offlineUndo}: ${one.words}`);
    undo.addEventListener("click", () => tell({ kind: "drop", key: one.key }));
    line.append(undo);
    shown.push(line);
  }
  place?.replaceChildren(...shown);
  const rows = new Map(waiting.map((one) => [new URLSearchParams(one.body).get("attendance"), one]));
  for (const button of document.querySelectorAll('form[action$="/check-in"] button[name=attendance]')) {
    button.dataset.before ??= button.textContent;
    const waits = rows.has(button.value);
    button.textContent = waits ? offlineHere : button.dataset.before;
    button.classList.toggle("chosen", waits);
  }
  for (const badge of document.querySelectorAll("[data-offline-badge]")) badge.hidden = false;
  list(kept);
}

function banner(tone, words) {
  const made = document.createElement("div");
  made.className = `banner ${tone}`;
  const text = document.createElement("p");
  text.textContent = words;
  made.append(text);
  return made;
}

// The page that stands for all that are not kept lists those that are.
function list(kept) {
  const links = document.querySelector("[data-offline-kept]");
  if (!links || !kept.length) return;
  links.replaceChildren(
    ...kept.reverse().map(({ path, title }) => {
      const row = document.createElement("li");
      const link = document.createElement("a");
      link.href = path;
      const words = document.createElement("span");
      // A title is kept as it was written in its page.
      const read = new DOMParser().parseFromString(title, "text/html").body.textContent;
      words.textContent = read.replace(/ · [^·]*$/, "");
      link.append(words);
      row.append(link);
      return row;
    }),
  );
  links.parentElement.hidden = false;
}
