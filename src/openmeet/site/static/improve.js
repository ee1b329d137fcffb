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

// A new event starts out in the zone of whoever makes it.
for (const select of document.querySelectorAll("select[data-guess-zone]")) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (select.value === "UTC" && [...select.options].some((option) => option.value === here)) select.value = here;
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
