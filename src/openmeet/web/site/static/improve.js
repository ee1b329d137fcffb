// What already works, a little better: nothing here is needed to use the site.

// The error summary gets the focus, so that it is read first and its links are one key away.
document.querySelector("[data-focus]")?.focus();

// A status that stands in the page from the start is announced by no screen reader: put in anew, it is.
addEventListener("load", () => {
  for (const place of document.querySelectorAll("[role=status]")) {
    const said = place.querySelector(".said-inside > p") ?? place.firstElementChild;
    if (said) setTimeout(() => said.replaceWith(said.cloneNode(true)), 100);
  }
});

// Where there is room, what can be unfolded is.
for (const details of document.querySelectorAll("details[data-open-if-wide]")) {
  details.open = matchMedia("(min-width: 48rem)").matches;
}

// A form that is on its way is not sent a second time by an impatient finger; the server would notice anyway.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
  });
}
// Coming back with the browser's back button brings the page as it was left: it may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});

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
  if (select.value !== "UTC" || ![...select.options].some((option) => option.value === here)) continue;
  select.value = here;
  const fold = select.closest("details");
  if (!fold) continue;
  fold.open = false;
  const state = fold.querySelector(".fold-state");
  if (state) state.textContent = here.replaceAll("_", " ");
}

// The summary of a folded part says what was set when the page came: once something in it is changed, only that.
for (const fold of document.querySelectorAll(".fold")) {
  const state = fold.querySelector(":scope > summary .fold-state");
  if (state) fold.addEventListener("change", () => { state.textContent = "Changed, not saved yet"; });
}

// Beside a time in another zone stands what that is on the reader's own clock.
for (const place of document.querySelectorAll("[data-your-time]")) {
  const moment = new Date(place.dataset.yourTime);
  const format = (zone) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, weekday: "short", hour: "2-digit", minute: "2-digit" }).format(moment);
  try {
    const yours = format(undefined);
    if (yours !== format(place.dataset.zone)) place.textContent = ` · ${yours} your time`;
  } catch {
    // A zone that this browser does not know: the page says the time in it anyway.
  }
}

// What takes whole days needs no clocks beside the days; what was typed in them comes back with them.
for (const part of document.querySelectorAll("[data-days-for]")) {
  const box = document.getElementById(part.dataset.daysFor);
  const place = () => {
    for (const input of part.querySelectorAll("input")) {
      const [day, clock] = input.value.split("T");
      if (box.checked && input.type !== "date") {
        input.dataset.clock = clock ?? "";
        input.type = "date";
        input.value = day;
      } else if (!box.checked && input.type === "date") {
        input.type = "datetime-local";
        input.value = day && `${day}T${input.dataset.clock || "00:00"}`;
      }
    }
  };
  box?.addEventListener("change", place);
  if (box) place();
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
    said.textContent = "Looking …";
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        input.value = `${coords.latitude.toFixed(digits)}, ${coords.longitude.toFixed(digits)}`;
        said.textContent = digits < 5 ? "That is about where you are." : "That is where you are.";
      },
      () => {
        said.textContent = `Your browser does not say where you are. Write the numbers${digits < 5 ? "" : ", or paste a link"}.`;
      },
      { enableHighAccuracy: digits >= 5, timeout: 15_000 },
    );
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
      said.textContent = "Copied.";
    } catch {
      input.select();
      said.textContent = "Your browser does not let us copy it. It is selected: copy it yourself.";
    }
  });
}
