// Stores pages for offline use, and forms submitted offline until they can be sent. The server prepends VERSION, FILES and OFFLINE.

const SHELL = `shell-${VERSION}`;
const COVERS = `covers-${VERSION}`;
const MAX_COVERS = 60;
const KEPT = "kept";
const MAX_KEPT = 60;
// A cache per page, with the portraits of a check-in list, or the cover of an event. At 48 pixels, a hundred portraits take about
// 200 kB.
const FACES = "faces ";
const MAX_FACES = 100;
// The stored size of an uploaded cover.
const COVER = "small";
const AN_HOUR = 3_600_000;
// Paths of pages whose latest version is stored, and of forms that can wait for a connection.
const KEPT_PATHS = /^\/(home|my\/events|my\/calendar)$|^\/events\/(?!new$)[^/]+(\/ticket|\/check-in)?$/;
const QUEUED_PATHS = /^\/events\/[^/]+\/(answer|check-in|check-in\/undo)$/;
const ENDS_SESSION = /^\/sign-out$|\/sign-out-everywhere$|^\/settings\/delete$/;
// How often the stored pages were deleted. A page that was requested before the last time belongs to the previous session and is not stored.
let deletions = 0;

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll([...FILES, OFFLINE])));
});

addEventListener("activate", (event) => {
  const clean = async () => {
    for (const name of await caches.keys()) if (/^(shell|covers)-/.test(name) && ![SHELL, COVERS].includes(name)) await caches.delete(name);
    await clients.claim();
  };
  event.waitUntil(clean());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.mode === "navigate" && request.method === "GET") event.respondWith(show(event, url));
  else if (request.mode === "navigate" && request.method === "POST" && QUEUED_PATHS.test(url.pathname)) event.respondWith(sendOrQueue(event, url));
  else if (request.mode === "navigate" && request.method === "POST" && ENDS_SESSION.test(url.pathname)) event.respondWith(endSession(request));
  else if (request.method === "GET" && /^\/(static|covers)\//.test(url.pathname)) event.respondWith(file(event, request, url));
  else if (request.method === "GET" && /^\/(portraits|media)\//.test(url.pathname)) event.respondWith(picture(request, url));
});

addEventListener("sync", (event) => event.waitUntil(sendAll()));

addEventListener("message", (event) => {
  const { kind, ...said } = event.data ?? {};
  if (kind === "here") event.waitUntil(welcome(event.source, said));
  // The description can arrive after the form was queued, because messages and requests are not ordered.
  if (kind === "words") {
    const key = keyOf(said.path, new URLSearchParams(said.body));
    event.waitUntil(write((state) => state.put(said.words, `words ${key}`)).then(() => tellAll()));
  }
  if (kind === "drop") event.waitUntil(write((_, queue) => queue.delete(said.key)).then(tellAll));
});

// The queue has one row per object, so that only the last of several changes is sent.
const keyOf = (path, body) => `${path.replace(/\/undo$/, "")} ${body.get("attendance") ?? codeOf(body.get("code") ?? "")}`;

// The code of a ticket as it is scanned or typed: ``tickets.parse_code`` reads the same texts.
const codeOf = (text) => text.split("code=").pop().toUpperCase().replace(/[\s\x1c-\x1f\x85-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1").replace(/U/g, "V");

async function show(event, url) {
  const since = deletions;
  try {
    const answer = await fetch(event.request);
    if (answer.ok && !answer.redirected && KEPT_PATHS.test(url.pathname)) event.waitUntil(keep(url, answer.clone(), since));
    return answer;
  } catch (failure) {
    const cache = await caches.open(KEPT);
    const found = (await cache.match(url.href)) ?? (await cache.match(url.pathname, { ignoreSearch: true }));
    const shell = found ?? (await (await caches.open(SHELL)).match(OFFLINE));
    if (!shell) throw failure;
    const at = found?.headers.get("x-kept-at") ?? "";
    const page = (await shell.text()).replace("<html ", `<html data-kept-at="${at}" `);
    return new Response(page, { headers: shell.headers });
  }
}

// A page with a filter or a confirmation in its query is not worth storing. Fetch and store the page without its query instead.
// ``since`` is the value of ``deletions`` when the page was requested.
async function keep(url, answer, since) {
  const isCalendar = url.pathname === "/my/calendar";
  if (url.search && !isCalendar) {
    if (!url.pathname.endsWith("/check-in")) return;
    answer = await fetch(url.pathname, { headers: { accept: "text/html" } }).catch(() => undefined);
    if (!answer?.ok || answer.redirected) return;
  }
  const headers = new Headers(answer.headers);
  const text = await answer.text();
  headers.set("x-kept-at", String(Date.now()));
  headers.set("x-title", encodeURIComponent(/<title>([^<]*)<\/title>/.exec(text)?.[1] ?? ""));
  const cache = await caches.open(KEPT);
  // If the cache is deleted from here on, this still writes to the deleted one.
  if (since !== deletions) return;
  const key = isCalendar ? url.href : url.origin + url.pathname;
  await cache.delete(key);
  if (!(await store(cache, key, new Response(text, { headers })))) return;
  await keepPictures(key, text, since);
  const all = await cache.keys();
  for (const one of all.slice(0, Math.max(0, all.length - MAX_KEPT))) {
    await cache.delete(one);
    await caches.delete(FACES + one.url);
  }
}

// Delete pictures that the page no longer shows, for example because somebody removed theirs.
async function keepPictures(page, text, since) {
  const cover = /class="event-cover[^>]* src="(\/covers\/[^"]+\.svg|\/media\/[0-9a-f]{32}\/)/.exec(text)?.[1].replace(/\/$/, `/${COVER}`);
  const faces = page.endsWith("/check-in") ? text.match(/\/portraits\/[0-9a-f]{32}\/48\b/g) : [];
  const found = [...new Set(cover ? [cover] : faces)].slice(0, MAX_FACES);
  if (!found.length) return void (await caches.delete(FACES + page));
  const cache = await caches.open(FACES + page);
  if (since !== deletions) return void (await caches.delete(FACES + page));
  await Promise.allSettled(found.map((path) => cache.add(path)));
  for (const one of await cache.keys()) if (!found.includes(new URL(one.url).pathname)) await cache.delete(one);
}

// With a connection, the server decides who sees a picture. Without a connection, the stored size replaces all other sizes.
async function picture(request, url) {
  try {
    return await fetch(request);
  } catch (failure) {
    const stored = url.pathname.startsWith("/media/") ? COVER : "48";
    const known = await caches.match(url.pathname.replace(/[^/]+$/, stored), { ignoreVary: true });
    if (!known) throw failure;
    return known;
  }
}

// A generated cover is stored when a page shows it, and the event form shows one after each letter of the title.
async function file(event, request, url) {
  const known = await caches.match(request);
  if (known) return known;
  const answer = await fetch(request);
  if (answer.ok) event.waitUntil(url.pathname.startsWith("/covers/") ? storeCover(request, answer.clone()) : storeFile(request, answer.clone()));
  return answer;
}

async function storeFile(request, answer) {
  await store(await caches.open(SHELL), request, answer);
}

async function storeCover(request, answer) {
  const cache = await caches.open(COVERS);
  await store(cache, request, answer);
  const all = await cache.keys();
  for (const one of all.slice(0, Math.max(0, all.length - MAX_COVERS))) await cache.delete(one);
}

// Returns false if the device has no space, even without the covers. The response is shown all the same.
async function store(cache, key, answer) {
  try {
    await cache.put(key, answer.clone());
  } catch {
    await caches.delete(COVERS);
    try {
      await cache.put(key, answer);
    } catch {
      return false;
    }
  }
  return true;
}

async function sendOrQueue(event, url) {
  const { request } = event;
  const body = await request.clone().text();
  const key = keyOf(url.pathname, new URLSearchParams(body));
  const earlier = await read((_, queue) => queue.get(key));
  // An earlier change must not be sent after a later one.
  if (earlier) await write((_, queue) => queue.delete(key));
  try {
    return await fetch(request);
  } catch {
    const undone = earlier && url.pathname.endsWith("/undo");
    const code = new URLSearchParams(earlier?.body).get("code");
    const isAgain = code && !earlier.refused && earlier.path === url.pathname;
    if (!undone) await write((_, queue) => queue.put(isAgain ? earlier : { key, path: url.pathname, body, at: Date.now() }));
    await registration.sync?.register("queue").catch(() => undefined);
    const from = new URL(request.referrer || OFFLINE, location.origin);
    const isKept = KEPT_PATHS.test(from.pathname) && (await (await caches.open(KEPT)).match(from.pathname, { ignoreSearch: true }));
    const page = isKept ? from.pathname : OFFLINE;
    return Response.redirect(isAgain ? `${page}?${new URLSearchParams({ again: code })}` : page, 303);
  }
}

async function endSession(request) {
  const answer = await fetch(request);
  await forget();
  return answer;
}

// A page was opened. ``person`` is the id of the signed-in user, or empty. ``pages`` are the pages to store for them.
async function welcome(client, { person, pages }) {
  const before = await read((state) => state.get("person"));
  if (before && person && before !== person) await forget();
  if (before && !person) await forgetPages();
  if (person) {
    await write((state) => state.put(person, "person"));
    // The page shows what is being sent, and not only what was known before.
    const unsent = await state();
    if (unsent.waiting.length) client.postMessage({ ...unsent, isSending: true });
    await sendAll();
    const since = deletions;
    const cache = await caches.open(KEPT);
    for (const path of pages) {
      if (since !== deletions) break;
      const url = new URL(path, location.origin);
      const known = await cache.match(url.href);
      if (known && Number(known.headers.get("x-kept-at")) > Date.now() - AN_HOUR) continue;
      const answer = await fetch(url, { headers: { accept: "text/html" } }).catch(() => undefined);
      if (answer?.ok && !answer.redirected) await keep(url, answer, since);
    }
  }
  client.postMessage(await state());
}

async function state() {
  const waiting = await read((_, queue) => queue.getAll());
  for (const one of waiting) one.words = await wordsOf(one.key);
  const cache = await caches.open(KEPT);
  const kept = [];
  for (const request of await cache.keys()) {
    const found = await cache.match(request);
    kept.push({ path: request.url.slice(location.origin.length), title: decodeURIComponent(found.headers.get("x-title") ?? "") });
  }
  return { kind: "state", waiting: waiting.sort((one, other) => one.at - other.at), kept };
}

const wordsOf = async (key) => (await read((state) => state.get(`words ${key}`))) ?? "";

async function tellAll(more = {}) {
  const now = await state();
  for (const client of await clients.matchAll()) client.postMessage({ ...now, ...more });
}

// Forms that the server refuses stay in the queue, marked as refused, until the user drops them. If the server is unavailable or the
// session has ended, they are sent again later.
const sendAll = () =>
  navigator.locks.request("queue", async () => {
    const waiting = await read((_, queue) => queue.getAll());
    const sent = [];
    for (const one of waiting.filter((row) => !row.refused).sort((a, b) => a.at - b.at)) {
      const answer = await fetch(one.path, { method: "POST", body: new URLSearchParams(one.body), headers: { accept: "text/html" } }).catch(() => undefined);
      const mustWait = !answer || [401, 429].includes(answer.status) || answer.status >= 500 || new URL(answer.url).pathname.startsWith("/sign-in");
      if (mustWait) break;
      if (answer.ok) sent.push({ ...one, words: await wordsOf(one.key) });
      await write((_, queue) => {
        if (answer.ok) queue.delete(one.key);
        else queue.put({ ...one, refused: true });
      });
    }
    if (sent.length) await tellAll({ sent });
  });

async function forgetPages() {
  deletions += 1;
  for (const name of await caches.keys()) if ([KEPT, COVERS].includes(name) || name.startsWith(FACES)) await caches.delete(name);
}

async function forget() {
  await forgetPages();
  await write((state, queue) => {
    state.clear();
    queue.clear();
  });
}

const read = (work) => inStore("readonly", work);
const write = (work) => inStore("readwrite", work);

function inStore(mode, work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("openmeet", 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore("state");
      opening.result.createObjectStore("queue", { keyPath: "key" });
    };
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const change = database.transaction(["state", "queue"], mode);
      const asked = work(change.objectStore("state"), change.objectStore("queue"));
      change.oncomplete = () => {
        database.close();
        resolve(asked?.result);
      };
      change.onabort = () => {
        database.close();
        reject(change.error);
      };
    };
  });
}
