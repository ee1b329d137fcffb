// Enhancements. All pages work without this file.

// Focus the error summary, so that it is read first and its links are one key away.
document.querySelector("[data-focus]")?.focus();

// Screen readers announce a status only when it changes, so re-insert those that came with the page.
addEventListener("load", () => {
  for (const place of document.querySelectorAll("[role=status]")) {
    const said = place.querySelector(".flash-inside > p") ?? place.firstElementChild;
    if (said) setTimeout(() => said.replaceWith(said.cloneNode(true)), 100);
  }
});

// Ignore a second submission while a form is being sent, also of forms that scripts add later. The server also rejects duplicates.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-once]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
});

// After Back, the browser restores the page in its previous state. Allow its form to be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});
