// Event form: dates, times, cover and place update while the user types. Without this file, buttons in the form do the same.

// The preview of a series' next dates updates while the user types. Without a script, a button shows it
// (openmeet/web/series/recurrence_preview.py).
for (const part of document.querySelectorAll("[data-dates-from]")) {
  const form = part.closest("form");
  const { preview: button } = form.elements;
  const picks = part.querySelector("#repeats .picks");
  const place = part.querySelector(".rule-preview");
  const state = part.closest(".fold")?.querySelector(":scope > summary .fold-state");
  const said = part.querySelector("[data-rule-said]");
  const isOfRule = (name) => /^(starts|ends|time_zone|country|all_day|repeats|skipped|custom_.+|ends_.+)$/.test(name);
  let asked = 0;
  let timer;
  button.hidden = true;
  part.querySelector("#repeats-hint")?.remove();
  // "pressed": a button next to a date that skips or restores the date.
  const look = async (pressed) => {
    const mine = asked;
    const there = new URL(part.dataset.datesFrom, location.href);
    for (const [name, value] of new FormData(form)) if (isOfRule(name) && value) there.searchParams.append(name, value);
    if (pressed) there.searchParams.append(pressed.name, pressed.value);
    const found = await fetch(there).catch(() => undefined);
    if (!found?.ok) return pressed ? form.requestSubmit(pressed) : (button.hidden = false);
    const answer = new DOMParser().parseFromString(await found.text(), "text/html");
    if (mine !== asked) return;
    const offered = answer.querySelector("#repeats .picks");
    if (offered.textContent !== picks.textContent) picks.replaceChildren(...offered.children);
    const dates = answer.querySelector(".rule-preview");
    if (place.querySelector("details")?.open) dates.querySelector("details")?.setAttribute("open", "");
    place.replaceChildren(...dates.childNodes);
    if (pressed) place.querySelector(`button[value="${pressed.value}"]`)?.focus();
    const sentence = place.querySelector("strong");
    if (said.textContent !== (sentence?.textContent ?? "")) said.textContent = sentence?.textContent ?? "";
    const chosen = picks.querySelector(":checked");
    if (state && (sentence || !chosen?.value)) state.textContent = sentence?.textContent ?? chosen?.parentElement.textContent ?? "";
  };
  const wait = ({ target }) => {
    if (!isOfRule(target.name ?? "")) return;
    asked += 1;
    clearTimeout(timer);
    timer = setTimeout(() => look(), 300);
  };
  place.addEventListener("click", (event) => {
    const pressed = event.target.closest("button[name=skip], button[name=put_back]");
    if (!pressed) return;
    event.preventDefault();
    asked += 1;
    clearTimeout(timer);
    look(pressed);
  });
  form.addEventListener("input", wait);
  form.addEventListener("change", wait);
}

// How many people in the chosen group are notified (openmeet/web/events/group_audience.py).
for (const line of document.querySelectorAll("[data-audience-from]")) {
  const { group, visibility } = line.closest("form").elements;
  let asked = 0;
  const look = async () => {
    const mine = (asked += 1);
    const there = new URL(line.dataset.audienceFrom, location.href);
    if (group) there.searchParams.append("group", group.value);
    there.searchParams.append("visibility", visibility.value);
    const found = await fetch(there).catch(() => undefined);
    const text = found?.ok ? await found.text() : "";
    if (mine === asked) line.innerHTML = text;
  };
  line.closest("form").addEventListener("change", ({ target }) => {
    if (target.name === "group" || target.name === "visibility") look();
  });
  // The browser or a stored draft may have put back another group.
  addEventListener("pageshow", () => group?.selectedOptions?.[0]?.defaultSelected === false && look());
}

// All-day events have no times. If the checkbox is cleared again, the typed times are restored.
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

// When the start changes, the end changes by the same amount. A new event gets a default duration in minutes until the user changes it.
for (const part of document.querySelectorAll("[data-lasts]")) {
  const [starts, ends] = part.querySelectorAll("input");
  const at = ({ value }) => Date.parse(value.length === 10 ? value : `${value}Z`);
  const put = (moment) => {
    ends.value = new Date(moment).toISOString().slice(0, ends.type === "date" ? 10 : 16);
  };
  let before = at(starts);
  if (part.dataset.lasts && !ends.value && before) put(before + part.dataset.lasts * 60_000);
  part.dataset.lasts = "";
  // Read the start again, because the field may have switched between a day and a time.
  starts.addEventListener("focus", () => (before = at(starts)));
  starts.addEventListener("change", () => {
    const now = at(starts);
    if (ends.value && now && before) put(at(ends) + now - before);
    before = now || before;
  });
}

// Browsers write dates in their own language. While a field is not in use, its date is shown in the language of the page.
for (const part of document.querySelectorAll(".make-times")) {
  const { lang } = document.documentElement;
  // British dates are those of the site's English.
  const locale = lang === "en" ? "en-GB" : lang;
  const say = () => {
    for (const input of part.querySelectorAll("input")) {
      const at = new Date(input.value.length === 10 ? input.value : `${input.value}Z`);
      const form = { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" };
      if (at.getUTCFullYear() !== new Date().getFullYear()) form.year = "numeric";
      const day = isNaN(at) ? "" : at.toLocaleDateString(locale, form);
      const time = day && at.toLocaleTimeString(locale, { hour: "numeric", minute: "2-digit", timeZone: "UTC" });
      const words = input.type === "date" ? day : part.dataset.says.replace("{day}", day).replace("{time}", time);
      input.nextElementSibling.textContent = day ? words : part.dataset.empty;
      input.nextElementSibling.classList.toggle("soft", !day);
    }
  };
  for (const input of part.querySelectorAll("input")) {
    input.insertAdjacentHTML("afterend", '<span class="make-date" aria-hidden="true"></span>');
  }
  part.closest("form").addEventListener("change", say);
  addEventListener("pageshow", say);
  say();
}

// Enter in the title moves on to the start, and Enter in the place looks it up. Without a script, it begins a line, which is joined when it is saved.
document.querySelector(".make")?.addEventListener("keydown", (event) => {
  const { name, form } = event.target;
  if (event.key !== "Enter" || event.isComposing || (name !== "title" && name !== "place")) return;
  event.preventDefault();
  if (name === "title") form.elements.starts.focus();
  else form.elements.find_place?.click();
});

// The cover next to the form is the cover that an event with this title gets (openmeet/domain/covers/model.py).
for (const picture of document.querySelectorAll("img[data-cover-of]")) {
  if (!crypto.subtle) continue;
  const title = document.getElementById(picture.dataset.coverOf);
  const motifs = JSON.parse(picture.dataset.motifs);
  const shuffle = title.form.elements.cover_shuffle;
  let timer;
  const draw = async () => {
    const chosen = title.form.querySelector('input[name^="categories."]:checked');
    const motif = motifs[chosen?.name.slice("categories.".length)] ?? "art";
    const words = new TextEncoder().encode(`${(picture.dataset.coverTitle ?? title.value).trim().toLowerCase().normalize("NFC")}|${motif}|${Number(shuffle.value)}`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", words)).subarray(0, 8);
    picture.src = `/covers/${motif}-${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}.svg`;
  };
  title.form.querySelector("[data-shuffle]").addEventListener("click", (event) => {
    event.preventDefault();
    shuffle.value = (Number(shuffle.value) % 1000) + 1;
    draw();
  });
  title.form.addEventListener("input", ({ target }) => {
    if (target !== title && !target.name.startsWith("categories.")) return;
    clearTimeout(timer);
    timer = setTimeout(draw, 400);
  });
}

// A picture that was chosen is shown in place of the cover. A file that the browser cannot show changes nothing.
for (const input of document.querySelectorAll('.make-cover input[name="picture"]')) {
  const cover = document.querySelector(".make-picture");
  const preview = new Image();
  const show = () => {
    const isShown = preview.naturalWidth > 0;
    URL.revokeObjectURL(preview.src);
    if (isShown) cover.after(preview);
    else preview.remove();
    for (const hidden of [cover, ...document.querySelectorAll("[data-shuffle]")]) hidden.hidden = isShown;
  };
  const choose = () => {
    const [file] = input.files;
    if (file) preview.src = URL.createObjectURL(file);
    else {
      preview.removeAttribute("src");
      show();
    }
  };
  preview.className = "make-picture";
  preview.alt = "";
  preview.addEventListener("load", show);
  preview.addEventListener("error", show);
  input.addEventListener("change", choose);
  input.form.addEventListener("reset", () => setTimeout(choose));
  addEventListener("pageshow", choose);
}

// Suggests towns for the place field while the user types. Choosing one fills in the parts of the address and the time zone. Parts
// typed by hand are kept if the chosen place does not have them (openmeet/web/events/place_field.py).
for (const answer of document.querySelectorAll("[data-place-choices]")) {
  const form = answer.closest("form");
  const { place: input, place_before: kept } = form.elements;
  let asked = 0;
  let timer;
  const ask = async (text, more = "") => {
    const mine = (asked += 1);
    const found = await fetch(`${answer.dataset.placeChoices}?q=${encodeURIComponent(text)}${more}`).catch(() => undefined);
    if (!found?.ok || mine !== asked) return;
    const isInside = answer.contains(document.activeElement);
    answer.innerHTML = await found.text();
    if (isInside) (answer.querySelector("button") ?? input).focus();
    answer.scrollIntoView({ block: "nearest" });
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    const text = input.value.trim();
    if (text.split(",").at(-1).trim().length >= 2) timer = setTimeout(ask, 300, text);
  });
  answer.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    event.preventDefault();
    // What was typed last must not replace the answer to this press.
    clearTimeout(timer);
    if ("asksStreets" in button.dataset) return ask(input.value.trim(), "&streets=yes");
    asked += 1;
    const fills = JSON.parse(button.dataset.fills);
    const zone = button.dataset.zone;
    const before = JSON.parse(kept.value || "{}");
    const stays = fills.locality === before.locality && fills.street === before.street;
    for (const [name, value] of Object.entries(fills)) {
      const field = form.elements[name];
      if (name === "point" && !value && stays) continue;
      if (value || field.value === (before[name] ?? "")) field.value = value;
      before[name] = field.value;
    }
    kept.value = JSON.stringify(before);
    const { time_zone: select, suggested_zone: first } = form.elements;
    const isFree = zone && (select.value === first.value || select.value === zone);
    if (isFree) select.value = first.value = zone;
    const said = document.createElement("p");
    said.className = "hint";
    said.textContent = isFree ? `${button.textContent} · ${button.dataset.zoneWords}` : button.textContent;
    answer.replaceChildren(said);
    for (const fold of form.querySelectorAll("#fold-clock .fold-state")) if (isFree) fold.textContent = button.dataset.zoneWords;
    input.focus();
  });
}

// After an edit of a series, a dialog above the form asks which dates change. Without a script, that is a page. The first submission saves
// nothing, so the form is sent again if the answer is another page.
for (const form of document.querySelectorAll("form[data-asks-scope]")) {
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.name || form.dataset.sent) return;
    event.preventDefault();
    const sent = { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" };
    const found = await fetch(form.action, sent).catch(() => undefined);
    const sheet = found?.ok && new DOMParser().parseFromString(await found.text(), "text/html").querySelector(".scope-sheet");
    if (!sheet) return form.submit();
    const dialog = document.createElement("dialog");
    dialog.className = "scope-dialog";
    dialog.setAttribute("aria-labelledby", "which-dates");
    dialog.append(sheet);
    sheet.querySelector("[name=back]").addEventListener("click", (pressed) => {
      pressed.preventDefault();
      dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      delete form.dataset.sent;
      event.submitter?.removeAttribute("aria-busy");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
