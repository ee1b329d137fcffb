// Enhancements. The site works without this file.

// Tabs and filters scroll sideways on phones. Begin with the first one, unless the current one, or the first of several, is out of view.
for (const line of document.querySelectorAll(".tabs, .picks.sideways")) {
  const chosen = line.querySelector("[aria-current]");
  if (!chosen) continue;
  const [row, here] = [chosen.parentElement.getBoundingClientRect(), chosen.getBoundingClientRect()];
  // What is in the padding fades.
  const { paddingLeft, paddingRight } = getComputedStyle(chosen.parentElement);
  if (here.left > row.left + parseFloat(paddingLeft) - 1 && here.right < row.right - parseFloat(paddingRight) + 1) continue;
  chosen.parentElement.scrollLeft += here.left + here.width / 2 - (row.left + row.width / 2);
}

// Once the list of notifications is visible, mark it as read. The unread marks in the list stay until the list is opened again. The
// button of this form is shown only without scripts, so nothing moves when the form has been sent.
for (const form of document.querySelectorAll("form[data-read-when-seen]")) {
  const send = async () => {
    if (document.visibilityState !== "visible") return;
    document.removeEventListener("visibilitychange", send);
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => undefined);
    if (answer?.type !== "opaqueredirect") return;
    const bell = document.querySelector('a[href="/notifications"][data-read]');
    bell?.querySelector(".count")?.remove();
    bell?.setAttribute("aria-label", bell.dataset.read);
  };
  document.addEventListener("visibilitychange", send);
  send();
}

// A form that creates something contains a key, so that sending it twice creates one object. The page is not cached: going back
// fetches it again with a new key, but the browser restores the typed text. So the history of this tab stores the key that belongs to
// the typed text.
for (const key of document.querySelectorAll("input[data-key-kept]")) {
  const kept = history.state?.submission;
  const [visit] = performance.getEntriesByType("navigation");
  if (kept && visit?.type === "back_forward") key.value = kept;
  else history.replaceState({ ...history.state, submission: key.value }, "");
}

// New users get the time zone of their browser until they choose another one.
for (const input of document.querySelectorAll("input[data-zone-here]")) {
  input.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}

// A new event starts with the time zone of the browser.
for (const select of document.querySelectorAll("select[data-guess-zone]")) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const words = select.dataset.guessZone;
  select.removeAttribute("data-guess-zone");
  if (select.value !== "UTC" || !here) continue;
  // Browsers report former names, too (Asia/Calcutta). The list has only the current ones.
  if (![...select.options].some((option) => option.value === here)) select.add(new Option(here.replaceAll("_", " "), here));
  select.value = here;
  if (select.form?.elements.suggested_zone) select.form.elements.suggested_zone.value = here;
  const fold = select.closest("details");
  if (!fold) continue;
  fold.open = false;
  const state = fold.querySelector(".fold-state");
  // In the words of the server. Only the name of the city stays as it is in the list.
  if (state) state.textContent = here === "UTC" ? here : words.replace("{}", here.split("/").at(-1).replaceAll("_", " "));
}

// The summary of a collapsed part shows the values at page load. After a change in that part, the summary only says that something has
// changed.
for (const fold of document.querySelectorAll(".fold")) {
  const state = fold.querySelector(":scope > summary .fold-state");
  if (state) fold.addEventListener("change", () => { state.textContent = document.body.dataset.changed; });
}

// A button says how many of the boxes of its form are ticked. Without a script it says “selected”.
for (const button of document.querySelectorAll("[data-counts-ticks]")) {
  const { countsTicks, one, other } = button.dataset;
  const words = button.textContent;
  const say = () => {
    const ticked = [...button.form.elements].filter(({ name, checked }) => checked && name.startsWith(countsTicks)).length;
    button.textContent = !ticked ? words : ticked === 1 ? one : other.replace("{}", ticked);
  };
  button.form.addEventListener("change", say);
  addEventListener("pageshow", say);
}

// Show the zone next to a time only if the reader's clock differs. On an event's page, their own time follows, with the
// day if that differs, too.
const shownIn = (moment, zone, form) =>
  new Intl.DateTimeFormat(document.documentElement.dataset.locale, { ...form, timeZone: zone }).format(new Date(moment));
const DAY = { weekday: "short" }, CLOCK = { hour: "numeric", minute: "2-digit" }, DAY_AND_CLOCK = { ...DAY, ...CLOCK };
const isSameIn = (zone, moment, form) => shownIn(moment, zone, form) === shownIn(moment, undefined, form);
for (const place of document.querySelectorAll("[data-zone]")) {
  const { zone, at, yourTime, words } = place.dataset;
  try {
    if (at) place.hidden = at.split(" ").every((moment) => isSameIn(zone, moment, DAY_AND_CLOCK));
    else if (yourTime && !isSameIn(zone, yourTime, DAY_AND_CLOCK)) {
      const form = isSameIn(zone, yourTime, DAY) ? CLOCK : DAY_AND_CLOCK;
      place.textContent = words.replace("{}", shownIn(yourTime, undefined, form));
    }
  } catch {
    // This browser does not know the time zone. The page shows the time in that zone anyway.
  }
}

// Hide fields that do not apply to the chosen option. Their values are kept.
for (const part of document.querySelectorAll("[data-shown-for]")) {
  const options = document.getElementsByName(part.dataset.shownFor);
  const wanted = part.dataset.shownWhen.split(" ");
  const place = () => {
    part.hidden = ![...options].some((option) => option.checked && wanted.includes(option.value));
  };
  for (const option of options) option.addEventListener("change", place);
  place();
}

// Fill in the coordinates of the reader's position. Browsers provide them only over https. A search URL is stored and passed on, so a
// search uses only two digits, which is about a kilometre.
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

// Filters that need the reader's position ask for it only when they are pressed. If the position is not available, they open the field for a
// town. An accuracy of about a kilometre is enough.
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

// Suggest towns while the user types. The field works without suggestions.
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

// Copy a link with one tap.
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

// If the device has a share dialog, open it. Otherwise links lead to the share page.
for (const control of document.querySelectorAll("[data-share]")) {
  if (!navigator.share) continue;
  control.hidden = false;
  control.addEventListener("click", (event) => {
    event.preventDefault();
    navigator.share({ title: control.dataset.shareTitle, url: control.dataset.share }).catch(() => undefined);
  });
}

// “Back” returns to the page that the reader came from, at the same position. Without one on this site, for example after
// a link in a mail, after signing in or after answering, it leads to the page in its address. After a form that was not
// accepted, it always returns to the form, where the browser still has what was typed.
for (const link of document.querySelectorAll("[data-back]")) {
  const before = document.referrer.startsWith(`${location.origin}/`) ? new URL(document.referrer).pathname : location.pathname;
  const isNew = before === location.pathname || before.startsWith("/sign-in");
  if (history.length < 2 || (isNew && link.dataset.back !== "form")) continue;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    history.back();
  });
}

// Show the button on pages that are meant to be printed.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// A calendar has one tab stop: the chosen day, otherwise today. The arrow keys, Home and End move from day to day, and the Page
// keys to the previous or next month or week, where the chosen day gets the focus, so that the keys continue to work. The
// events of a day are in the list of the day.
const PAGED = "openmeet:calendar-paged";
for (const days of document.querySelectorAll("[data-days]")) {
  const links = [...days.querySelectorAll("a.cal-day, .wk-head a")];
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
  const pages = { PageUp: "prev", PageDown: "next" };
  const stop = (link) => links.forEach((one) => { one.tabIndex = one === link ? 0 : -1; });
  if (links.length > 7) {
    days.setAttribute("role", "grid");
    for (const bar of days.querySelectorAll(".cal-bars a")) bar.tabIndex = -1;
  }
  stop(days.querySelector(".is-chosen a") ?? days.querySelector(".is-today a") ?? links[0]);
  days.addEventListener("focusin", ({ target }) => links.includes(target) && stop(target));
  days.addEventListener("keydown", (event) => {
    const here = links.indexOf(event.target);
    if (here < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const week = here - (here % 7);
    const ends = { Home: week, End: week + 6 };
    const next = event.key in pages ? document.querySelector(`.cal-steps a[rel~="${pages[event.key]}"]`) : links[ends[event.key] ?? here + steps[event.key]];
    if (!next) return;
    event.preventDefault();
    if (!(event.key in pages)) return next.focus();
    try {
      sessionStorage.setItem(PAGED, next.href);
    } catch {
      // Storage is disabled, so the new page does not get the focus.
    }
    next.click();
  });
  try {
    if (sessionStorage.getItem(PAGED) === location.href) (days.querySelector(".is-chosen a") ?? links[0]).focus();
    sessionStorage.removeItem(PAGED);
  } catch {
    // As above.
  }
}

// Delete drafts on sign-out, so that nobody who uses this browser later can read them.
for (const form of document.querySelectorAll('form[action="/sign-out"], form[action$="/sign-out-everywhere"]')) {
  form.addEventListener("submit", () => {
    try {
      for (const key of Object.keys(localStorage)) if (key.startsWith("openmeet:draft:")) localStorage.removeItem(key);
    } catch {
      // Storage is disabled, so there are no drafts.
    }
  });
}

// Send a file as soon as it is chosen. The page then shows it.
for (const form of document.querySelectorAll("form[data-send-chosen]")) {
  form.querySelector('input[type="file"]').addEventListener("change", () => form.requestSubmit());
}
