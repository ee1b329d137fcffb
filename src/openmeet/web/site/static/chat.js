// Live updates of a conversation. Without this file, forms and links do the same.

const rows = document.querySelector("[data-rows]");
const form = document.querySelector("form[data-write]");
const said = document.querySelector("[data-live-said]");
const RUN_MS = 10 * 60_000;

// The page updates automatically, so it does not need the reload link.
document.querySelector("[data-without-script]")?.remove();

// The list of rooms scrolls by itself, and the open room may be far down in it.
document.querySelector(".rooms [aria-current=page]")?.scrollIntoView({ block: "nearest" });

// Drafts are stored in this browser, one for each room, until they are sent.
const draft = form ? `openmeet:draft:${form.dataset.write}` : "";
const text = form?.elements.text;
const state = document.getElementById("write-state");
let hint = state?.textContent ?? "";
if (text) {
  try {
    text.value ||= localStorage.getItem(draft) ?? "";
  } catch {
    // Storage is disabled, so there are no drafts.
  }
  text.addEventListener("input", keep);
}

function keep() {
  try {
    if (text.value) localStorage.setItem(draft, text.value);
    else localStorage.removeItem(draft);
  } catch {
    // Storage is disabled.
  }
}

function tell(words, isWrong) {
  if (!state) return;
  state.textContent = words || hint;
  state.classList.toggle("is-lost", Boolean(isWrong));
}

// Rows

function settle(row) {
  // A row shares the header of the previous one if the same person sent both within ten minutes.
  const before = row.previousElementSibling;
  const isRun = before?.matches(".msg") && row.matches(".msg") && before.dataset.author === row.dataset.author
    && new Date(row.dataset.at) - new Date(before.dataset.at) < RUN_MS;
  row.classList.toggle("continued", Boolean(isRun));
}

function put(html) {
  const parsed = document.createElement("template");
  parsed.innerHTML = html;
  const row = parsed.content.querySelector("li");
  if (!row) return undefined;
  const known = document.getElementById(row.id);
  if (known) {
    // All readers get the same row, so mark the buttons that this person has pressed.
    for (const button of known.querySelectorAll("[aria-pressed=true]")) {
      const same = [...row.querySelectorAll("[aria-pressed]")].find((one) => one.value === button.value);
      if (!same) continue;
      same.setAttribute("aria-pressed", "true");
      same.name = "remove";
    }
    keepFocus(() => known.replaceWith(row));
  } else {
    const number = Number(row.dataset.number);
    const behind = [...rows.children].filter((one) => Number(one.dataset.number ?? 0) > number);
    rows.insertBefore(row, behind[0] ?? null);
    showRows();
  }
  settle(row);
  if (row.nextElementSibling) settle(row.nextElementSibling);
  return row;
}

// Somebody who moves through the messages with the keyboard stays on the same control when another person's change replaces its row.
function keepFocus(replace) {
  const held = document.activeElement;
  const id = rows.contains(held) && held.closest("[data-rows] > li")?.id;
  replace();
  if (!id || held.isConnected) return;
  const aim = (control) => control.getAttribute("href") ?? control.value;
  const controls = [...(document.getElementById(id)?.querySelectorAll("a, button:enabled, summary") ?? [])];
  const same = controls.find((one) => one.tagName === held.tagName && aim(one) === aim(held));
  (same ?? controls[0] ?? text)?.focus({ preventScroll: true });
}

function showRows() {
  rows.hidden = false;
  document.querySelector(".talk-empty")?.remove();
}

function toEnd() {
  document.querySelector(".talk-scroll")?.scrollTo({ top: 0 });
}

// Apply a freshly fetched page, for changes that a single row cannot show.
function adopt(page) {
  const fresh = page.querySelector("[data-rows]");
  if (fresh && rows) {
    keepFocus(() => rows.replaceChildren(...fresh.children));
    rows.dataset.about = fresh.dataset.about ?? "";
    rows.dataset.read = fresh.dataset.read ?? "";
    if (rows.children.length) showRows();
    // The first message has opened the room, so there is now a stream to follow.
    if (fresh.dataset.room && !rows.dataset.room) {
      rows.dataset.room = fresh.dataset.room;
      follow(Number(fresh.dataset.last));
    }
  }
  // How many people there are, and who.
  for (const part of [".talk-head .subtitle", ".talk-side"]) {
    const held = document.querySelector(part);
    const next = page.querySelector(part);
    if (held && next && !held.contains(document.activeElement)) held.replaceWith(next);
  }
  const freshForm = page.querySelector("form[data-write]");
  if (!form || !freshForm) return Boolean(freshForm) === Boolean(form);
  for (const name of ["submission", "about"]) {
    if (form.elements[name] && freshForm.elements[name]) form.elements[name].value = freshForm.elements[name].value;
  }
  return true;
}

// Pictures: one field after the other, each with a thumbnail. Pictures that the server has stored come back with the page.

const LONGEST_SIDE = 2_000;
const pictures = form?.querySelector("[data-pictures]");

function showPlaces() {
  const places = [...pictures.querySelectorAll("[data-picture]")];
  const isTaken = (place) => place.querySelector("[type=file]").files.length > 0 || Boolean(place.querySelector("[name^=kept]"));
  const free = places.findIndex((place) => !isTaken(place));
  places.forEach((place, index) => {
    place.hidden = !isTaken(place) && index !== free;
    place.classList.toggle("is-free", !isTaken(place));
    const file = place.querySelector("[type=file]");
    // If several files are chosen at once, the further files go to the next fields.
    file.multiple = index === free && places.length - index > 1;
  });
}

// Drawn on a canvas, because the content security policy does not allow blob: URLs as images.
async function thumbnail(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const drawn = Object.assign(document.createElement("canvas"), { width: 96, height: 96 });
    const scale = 96 / Math.min(bitmap.width, bitmap.height);
    const [width, height] = [bitmap.width * scale, bitmap.height * scale];
    drawn.getContext("2d").drawImage(bitmap, (96 - width) / 2, (96 - height) / 2, width, height);
    return drawn;
  } catch {
    return undefined;
  }
}

function chosen(event) {
  const places = [...pictures.querySelectorAll("[data-picture]")];
  const first = places.findIndex((place) => place.contains(event.target));
  [...event.target.files].slice(0, places.length - first).forEach((file, index) => {
    const place = places[first + index];
    const one = new DataTransfer();
    one.items.add(file);
    place.querySelector("[type=file]").files = one.files;
    place.querySelector("img, canvas")?.remove();
    thumbnail(file).then((drawn) => drawn && place.prepend(drawn));
  });
  showPlaces();
}

function adoptPictures(page) {
  const fresh = page.querySelector("[data-pictures]");
  if (!pictures || !fresh) return;
  pictures.querySelector("ul").replaceWith(fresh.querySelector("ul"));
  pictures.open = fresh.open;
  showPlaces();
}

// Resize a photo before upload to the size that is shown. This also removes its location.
async function smaller(file) {
  if (!/^image\/(jpeg|png|webp)$/.test(file.type) || file.size < 500_000) return file;
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return await canvas.convertToBlob({ type: "image/jpeg", quality: 0.88 });
  } catch {
    // This browser cannot read the file. Let the server try.
    return file;
  }
}

async function bodyOf(submitter) {
  const typed = new FormData(form, submitter);
  const files = [...typed].filter(([, value]) => value instanceof File);
  for (const [name, file] of files) {
    typed.delete(name);
    if (file.size && submitter?.name !== "signal") typed.append(name, await smaller(file), file.name);
  }
  const hasFiles = [...typed.values()].some((value) => value instanceof Blob);
  return hasFiles ? typed : new URLSearchParams(typed);
}

function hasPictures() {
  return Boolean(pictures?.querySelector("[data-picture]:not(.is-free)"));
}

if (pictures) {
  pictures.addEventListener("change", (event) => event.target.type === "file" && chosen(event));
  showPlaces();
}

async function read() {
  const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok || !adopt(page)) location.reload();
}

// Sending without leaving the page

async function send(event) {
  event.preventDefault();
  const isSignal = event.submitter?.name === "signal";
  if ((!isSignal && !text.value.trim() && !hasPictures()) || form.dataset.sending) return;
  form.dataset.sending = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
  // Files chosen while sending would be lost when the response arrives.
  if (pictures) pictures.inert = true;
  tell("");
  const words = text.value;
  try {
    const body = await bodyOf(event.submitter);
    const answer = await fetch(form.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok && answer.redirected) {
      hint = page.getElementById("write-state")?.textContent ?? "";
      tell("");
      if (!isSignal && text.value === words) text.value = "";
      keep();
      form.querySelector(".write-reply")?.remove();
      form.querySelector("[name=reply_to]")?.remove();
      if (!isSignal) form.querySelector("[data-asks]")?.remove();
      adopt(page);
      if (!isSignal) adoptPictures(page);
      toEnd();
    } else if (answer.status === 401) {
      // The session has ended. Submitted without a script, the form leads to sign-in and is kept until then, in place of the draft.
      if (isSignal) return location.reload();
      text.value = "";
      keep();
      text.value = words;
      form.submit();
    } else {
      const problem = page.querySelector(".write .problem, .write.closed p")?.textContent.trim();
      tell(problem || form.dataset.unsent, true);
      adopt(page);
      if (!isSignal) adoptPictures(page);
    }
  } catch {
    tell(form.dataset.unsent, true);
  } finally {
    delete form.dataset.sending;
    if (pictures) pictures.inert = false;
    event.submitter?.removeAttribute("aria-busy");
    if (!isSignal) text.focus();
  }
}

form?.addEventListener("submit", send);
text?.addEventListener("keydown", (event) => {
  // In an input method (IME), Enter confirms a word.
  const isSending = event.ctrlKey || event.metaKey || ("enterSends" in form.dataset && !event.shiftKey && !event.isComposing);
  if (event.key === "Enter" && isSending) {
    event.preventDefault();
    form.requestSubmit(form.querySelector(".write-send"));
  }
});

// Mentions: text after an @ is searched for among the people in the room. Tab moves the focus from the field to the names.

const NAME_BEFORE = /(?<![\w@./])@([\p{L}\p{N}._-]{1,30})$/u;
const names = form?.querySelector("[data-names]");
let askedFor = "";
let namesTimer;

function nameTyped() {
  return NAME_BEFORE.exec(text.value.slice(0, text.selectionStart))?.[1] ?? "";
}

function hideNames() {
  askedFor = "";
  names.hidden = true;
  names.replaceChildren();
}

async function offerNames() {
  const typed = nameTyped();
  if (!typed) return hideNames();
  if (typed === askedFor) return;
  askedFor = typed;
  const calls = names.dataset.calls.split(" ").filter((one) => one.startsWith(`@${typed.toLowerCase()}`));
  let found = [];
  try {
    const address = new URL(names.dataset.names, location.href);
    address.searchParams.set("q", typed);
    const answer = await fetch(address, { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    found = answer.ok ? [...page.querySelectorAll(".person-row bdi")].map((one) => one.textContent) : [];
  } catch {
    // Without a connection, names can still be typed in full.
  }
  if (typed !== nameTyped()) return;
  const offered = [...calls, ...found.map((one) => `@${one.replace(/\s+/gu, "")}`)];
  names.replaceChildren(...[...new Set(offered)].slice(0, 6).map((one) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "button small quiet", textContent: one });
    button.addEventListener("click", () => choose(one));
    return button;
  }));
  names.hidden = !names.children.length;
}

function choose(name) {
  const end = text.selectionStart;
  const start = end - (NAME_BEFORE.exec(text.value.slice(0, end))?.[0].length ?? 0);
  text.setRangeText(`${name} `, start, end, "end");
  hideNames();
  text.focus();
  keep();
}

if (names) {
  text.addEventListener("input", () => {
    clearTimeout(namesTimer);
    namesTimer = setTimeout(offerNames, 200);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || names.hidden) return;
    if (names.contains(document.activeElement)) text.focus();
    hideNames();
  });
  form.addEventListener("submit", hideNames);
}

// Once the page is visible, its messages count as read.
const mark = document.querySelector("form[data-mark]");
async function markRead() {
  if (document.visibilityState !== "visible") return;
  document.removeEventListener("visibilitychange", markRead);
  const answer = await fetch(mark.action, { method: "POST", body: new URLSearchParams(new FormData(mark)), redirect: "manual" }).catch(() => undefined);
  if (answer?.type === "opaqueredirect") mark.hidden = true;
}
if (mark) {
  document.addEventListener("visibilitychange", markRead);
  markRead();
}

// Messages that arrive while the page is visible count as read too. A random delay keeps all readers from reporting it at once.
let readTo = 0;
let readTimer;
function readLive(number) {
  if (!rows.dataset.read) return;
  readTo = Math.max(readTo, number);
  clearTimeout(readTimer);
  if (document.visibilityState === "visible") readTimer = setTimeout(sayRead, 1_500 + Math.random() * 2_000);
}

function sayRead() {
  if (!readTo || document.visibilityState !== "visible") return;
  const body = new URLSearchParams({ number: readTo });
  readTo = 0;
  fetch(rows.dataset.read, { method: "POST", body, redirect: "manual" }).catch(() => {});
}
document.addEventListener("visibilitychange", () => readTo && readLive(readTo));

// Other chats: update their list, and the count next to the link.
let othersTimer;
function showOthers() {
  clearTimeout(othersTimer);
  othersTimer = setTimeout(async () => {
    const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" } }).catch(() => undefined);
    if (!answer?.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const list = document.querySelector("nav.rooms > ul");
    const freshList = page.querySelector("nav.rooms > ul");
    if (list && freshList && !list.contains(document.activeElement)) list.replaceWith(freshList);
    const links = [...page.querySelectorAll("a[href='/chat']")];
    document.querySelectorAll("a[href='/chat']").forEach((link, index) => {
      const count = links[index]?.querySelector(".count");
      link.querySelector(".count")?.remove();
      if (count) link.append(" ", count);
    });
  }, 300);
}

// Live

let heardAt = 0;
function announce(message) {
  // At most one announcement in five seconds, so that screen readers are not flooded.
  if (!said || Date.now() - heardAt < 5_000 || !message.text) return;
  heardAt = Date.now();
  said.textContent = `${message.name}: ${message.text}`;
}

let stream;
let last = 0;
let lostTimer;
let againTimer;
function follow(after) {
  unfollow();
  last = after;
  stream = new EventSource(`/chat/live?room=${encodeURIComponent(rows.dataset.room)}&after=${after}`);
  const row = ({ data }) => {
    const told = JSON.parse(data);
    last = told.number;
    if (!told.html) return;
    // The page of one date shows only messages about that date.
    if (rows.dataset.about && told.message.about !== rows.dataset.about) return;
    const isNew = !document.getElementById(`m${told.message.number}`);
    const placed = put(told.html);
    if (isNew && placed && !placed.matches(".own")) announce(told.message);
    if (isNew) readLive(told.number);
    // Replies quote this message, and must not keep showing the old text.
    else if (document.querySelector(`.quote-line a[href="#m${told.message.number}"]`)) read().catch(() => {});
  };
  for (const name of ["message", "edited", "removed", "reactions"]) stream.addEventListener(name, row);
  for (const name of ["again", "room", "pins"]) stream.addEventListener(name, () => read().catch(() => {}));
  stream.addEventListener("rooms", showOthers);
  stream.addEventListener("out", () => {
    unfollow();
    location.reload();
  });
  stream.addEventListener("open", () => {
    clearTimeout(lostTimer);
    if (state?.dataset.lost) tell("");
    if (state) delete state.dataset.lost;
  });
  stream.addEventListener("error", () => {
    clearTimeout(lostTimer);
    lostTimer = setTimeout(() => {
      if (state) state.dataset.lost = "yes";
      tell(form?.dataset.lost, true);
    }, 3_000);
    // The browser reconnects automatically, unless the server refused the request.
    if (stream?.readyState !== EventSource.CLOSED) return;
    clearTimeout(againTimer);
    againTimer = setTimeout(() => follow(last), 30_000);
  });
}

function unfollow() {
  clearTimeout(againTimer);
  stream?.close();
  stream = undefined;
}

if (rows?.dataset.room) follow(Number(rows.dataset.last));
addEventListener("pagehide", unfollow);
// The browser shows the page again as it was, without loading it.
addEventListener("pageshow", (event) => event.persisted && rows?.dataset.room && follow(last));
