// What already works, a little better: nothing here is needed to use the site.

// Where there is room, what can be unfolded is.
for (const details of document.querySelectorAll("details[data-open-if-wide]")) {
  details.open = matchMedia("(min-width: 48rem)").matches;
}

// Whoever sees the list of news has read it: the page says so by itself, and the marks stay until it is opened again.
for (const form of document.querySelectorAll("form[data-read-when-seen]")) {
  const send = async () => {
    if (document.visibilityState !== "visible") return;
    document.removeEventListener("visibilitychange", send);
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => undefined);
    if (answer?.type !== "opaqueredirect") return;
    form.hidden = true;
    const bell = document.querySelector('a[href="/notifications"][data-read]');
    bell?.querySelector(".count")?.remove();
    bell?.setAttribute("aria-label", bell.dataset.read);
  };
  document.addEventListener("visibilitychange", send);
  send();
}

// A page that makes something carries a key, so that sending it twice makes one thing. No cache keeps the page: going back fetches it
// anew, with what was typed and another key. The history of this tab remembers the key that belongs to what was typed.
for (const key of document.querySelectorAll("input[data-key-kept]")) {
  const kept = history.state?.submission;
  const [visit] = performance.getEntriesByType("navigation");
  if (kept && visit?.type === "back_forward") key.value = kept;
  else history.replaceState({ ...history.state, submission: key.value }, "");
}

// Who signs up has the zone of their browser, until they choose another.
for (const input of document.querySelectorAll("input[data-zone-here]")) {
  input.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}

// A new event starts out in the zone of whoever makes it.
for (const select of document.querySelectorAll("select[data-guess-zone]")) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  select.removeAttribute("data-guess-zone");
  if (select.value !== "UTC" || ![...select.options].some((option) => option.value === here)) continue;
  select.value = here;
  if (select.form?.elements.zone_unless_chosen) select.form.elements.zone_unless_chosen.value = here;
  const fold = select.closest("details");
  if (!fold) continue;
  fold.open = false;
  const state = fold.querySelector(".fold-state");
  if (state) state.textContent = here.replaceAll("_", " ");
}

// The summary of a folded part says what was set when the page came: once something in it is changed, only that.
for (const fold of document.querySelectorAll(".fold")) {
  const state = fold.querySelector(":scope > summary .fold-state");
  if (state) fold.addEventListener("change", () => { state.textContent = document.body.dataset.changed; });
}

// Beside a time in another zone stands what that is on the reader's own clock.
for (const place of document.querySelectorAll("[data-your-time]")) {
  const moment = new Date(place.dataset.yourTime);
  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  const format = (zone) => new Intl.DateTimeFormat(language, { timeZone: zone, weekday: "short", hour: "2-digit", minute: "2-digit" }).format(moment);
  try {
    const yours = format(undefined);
    if (yours !== format(place.dataset.zone)) place.textContent = place.dataset.words.replace("{}", yours);
  } catch {
    // A zone that this browser does not know: the page says the time in it anyway.
  }
}

// Fields that do not apply to the chosen option step aside; what was typed in them stays.
for (const part of document.querySelectorAll("[data-shown-for]")) {
  const options = document.getElementsByName(part.dataset.shownFor);
  const wanted = part.dataset.shownWhen.split(" ");
  const place = () => {
    part.hidden = ![...options].some((option) => option.checked && wanted.includes(option.value));
  };
  for (const option of options) option.addEventListener("change", place);
  place();
}

// Who stands at the place need not look up its numbers. Browsers tell them to pages with a lock only. A search, whose words stand in
// an address that is kept and passed on, takes the neighbourhood: two digits are about a kilometre.
for (const part of document.querySelectorAll("[data-here-for]")) {
  if (!navigator.geolocation || !isSecureContext) continue;
  const input = document.getElementById(part.dataset.hereFor);
  const said = part.querySelector("[role=status]");
  const digits = Number(part.dataset.hereDigits ?? 5);
  part.hidden = false;
  part.querySelector("button").addEventListener("click", () => {
    said.textContent = part.dataset.looking;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        input.value = `${coords.latitude.toFixed(digits)}, ${coords.longitude.toFixed(digits)}`;
        said.textContent = part.dataset.found;
      },
      () => {
        said.textContent = part.dataset.refused;
      },
      { enableHighAccuracy: digits >= 5, timeout: 15_000 },
    );
  });
}

// Filters that need the reader's position ask for it when they are pressed, and never before; elsewhere they lead to the field for a
// town. About a kilometre is enough.
for (const link of document.querySelectorAll("[data-near-here]")) {
  const said = document.querySelector("[data-near-said]");
  link.addEventListener("click", (event) => {
    if (!navigator.geolocation || !isSecureContext) {
      document.getElementById("near").closest("details").open = true;
      return;
    }
    event.preventDefault();
    said.textContent = said.dataset.looking;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        const there = new URL(link.dataset.nearHere, location.href);
        there.searchParams.set("near", `${coords.latitude.toFixed(2)},${coords.longitude.toFixed(2)}`);
        location.assign(there);
      },
      () => { said.textContent = said.dataset.refused; },
      { timeout: 15_000 },
    );
  });
}

// Zooming and moving changes the map alone.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-map-link]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const found = await fetch(link.href).catch(() => undefined);
  const map = found?.ok && new DOMParser().parseFromString(await found.text(), "text/html").getElementById("map");
  if (!map) return location.assign(link.href);
  const control = [...link.classList].at(-1);
  const size = link.closest(".map-picture").classList.item(1);
  document.getElementById("map").replaceWith(map);
  history.replaceState(history.state, "", link.href);
  map.querySelector(`.${size} .${control}`)?.focus({ preventScroll: true });
});

// Towns are offered while one types: the field works without them.
for (const input of document.querySelectorAll("input[data-suggest]")) {
  let asked = 0;
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    if (input.value.trim().length < 2) return;
    timer = setTimeout(async () => {
      const mine = (asked += 1);
      const answer = await fetch(`${input.dataset.suggest}?q=${encodeURIComponent(input.value.trim())}`).catch(() => undefined);
      if (!answer?.ok) return;
      const { places } = await answer.json();
      if (mine !== asked) return;
      input.list.replaceChildren(...places.map((place) => Object.assign(document.createElement("option"), { value: place.label })));
    }, 300);
  });
}

// What is there to be passed on is copied by one tap.
for (const input of document.querySelectorAll("[data-copied-by]")) {
  const button = document.getElementById(input.dataset.copiedBy);
  if (!button || !navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const said = button.parentElement.querySelector("[role=status]");
    try {
      await navigator.clipboard.writeText(input.value);
      said.textContent = document.body.dataset.copied;
    } catch {
      input.select();
      said.textContent = document.body.dataset.notCopied;
    }
  });
}

// Where the device has a way to share, a tap opens it. Links lead to the page with all ways otherwise.
for (const control of document.querySelectorAll("[data-share]")) {
  if (!navigator.share) continue;
  control.hidden = false;
  control.addEventListener("click", (event) => {
    event.preventDefault();
    navigator.share({ title: control.dataset.shareTitle, url: control.dataset.share }).catch(() => undefined);
  });
}

// A page that is made for paper has a button for it.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// In a calendar the arrow keys go from day to day, and the Page keys to the month or week before and after.
for (const days of document.querySelectorAll("[data-days]")) {
  const links = [...days.querySelectorAll("a.cal-day, .wk-head a")];
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
  const pages = { PageUp: "prev", PageDown: "next" };
  days.addEventListener("keydown", (event) => {
    const here = links.indexOf(event.target);
    if (here < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = event.key in pages ? document.querySelector(`.cal-steps a[rel~="${pages[event.key]}"]`) : links[here + steps[event.key]];
    if (!next) return;
    event.preventDefault();
    if (event.key in pages) next.click();
    else next.focus();
  });
}

// What was typed in chats and not sent is for nobody who uses this browser later.
for (const form of document.querySelectorAll('form[action="/sign-out"], form[action$="/sign-out-everywhere"]')) {
  form.addEventListener("submit", () => {
    try {
      for (const key of Object.keys(localStorage)) if (key.startsWith("openmeet:draft:")) localStorage.removeItem(key);
    } catch {
      // Storage is switched off: then there are no drafts.
    }
  });
}

// A file is sent when it is chosen: the page then shows it.
for (const form of document.querySelectorAll("form[data-send-chosen]")) {
  form.querySelector('input[type="file"]').addEventListener("change", () => form.requestSubmit());
}
