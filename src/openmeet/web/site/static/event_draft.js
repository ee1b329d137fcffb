// What is typed into the form for a new event is stored in this browser until it is sent. Signing out deletes it (improve.js).
// If nobody is signed in, only this tab keeps it: the next person who uses the browser would see it otherwise.
// Without this file, only the button saves a draft.

const KEPT_FOR = 14 * 24 * 60 * 60 * 1000;
const DRAFTS = "openmeet:draft:event:";
const person = document.body.dataset.person ?? "";
const store = () => (person ? localStorage : sessionStorage);

// Delete old drafts of all accounts: somebody whose session ended never signed out.
try {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(DRAFTS) && !(Date.now() - JSON.parse(localStorage.getItem(key)).at < KEPT_FOR)) localStorage.removeItem(key);
  }
} catch {
  // Storage is disabled, or has something else in it.
}

for (const form of document.querySelectorAll("form[data-keeps-draft]")) {
  const group = new URLSearchParams(location.search).get("group") ?? "";
  const key = `${DRAFTS}${person}:${group}`;
  const notice = document.querySelector("[data-draft-kept]");
  const isOfDraft = ({ name, type }) => name && type !== "file" && type !== "submit" && name !== "submission" && name !== "group";
  const fields = () => [...form.elements].filter(isOfDraft);
  const isChoice = ({ type }) => type === "checkbox" || type === "radio";
  const stateOf = (field) => (isChoice(field) ? field.checked : field.value);
  const read = () => {
    try {
      return JSON.parse(store().getItem(key))?.values;
    } catch {
      // Storage is disabled, or has something else in it.
      return undefined;
    }
  };
  const forget = () => {
    try {
      store().removeItem(key);
    } catch {
      // Storage is disabled, so there are no drafts.
    }
  };
  const valuesNow = () => fields().map((field) => [field.name, isChoice(field) ? field.value : "", stateOf(field)]);
  const keep = () => {
    try {
      store().setItem(key, JSON.stringify({ at: Date.now(), values: valuesNow() }));
    } catch {
      // Storage is disabled or full.
    }
  };
  const fill = (values) => {
    const left = [...values];
    const change = (field) => {
      const at = left.findIndex(([name, value]) => name === field.name && (!isChoice(field) || value === field.value));
      if (at < 0) return;
      const [[, , state]] = left.splice(at, 1);
      if (state === stateOf(field)) return;
      if (isChoice(field)) field.checked = state;
      else field.value = state;
      if (field.type !== "hidden") field.dispatchEvent(new Event("change", { bubbles: true }));
    };
    // Choices first: “all day” changes the types of other fields.
    fields().filter(isChoice).forEach(change);
    fields().filter((field) => !isChoice(field)).forEach(change);
  };

  let timer;
  let isSent = false;
  const wait = () => {
    isSent = false;
    clearTimeout(timer);
    timer = setTimeout(keep, 300);
  };
  const begin = () => {
    const isEmpty = ["title", "place", "description"].every((name) => !form.elements[name]?.value);
    const values = isEmpty ? read() : undefined;
    if (values) {
      const first = valuesNow();
      fill(values);
      notice.hidden = false;
      notice.querySelector("button").addEventListener("click", () => {
        fill(first);
        clearTimeout(timer);
        forget();
        notice.hidden = true;
        form.elements.title.focus();
      });
    } else if (!isEmpty) keep();
    form.addEventListener("input", wait);
    form.addEventListener("change", wait);
  };
  // The other scripts of the page watch for changes from then on.
  if (document.readyState === "complete") begin();
  else addEventListener("load", begin);
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    isSent = !event.submitter?.name || event.submitter.name === "save";
    if (isSent) forget();
  });
  addEventListener("pagehide", () => {
    clearTimeout(timer);
    if (!isSent && ["title", "place", "description"].some((name) => form.elements[name]?.value)) keep();
  });
}
