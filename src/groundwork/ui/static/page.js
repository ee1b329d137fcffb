// What already works, a little better: nothing here is needed to use the pages.

// The error summary gets the focus, so that it is read first and its links are one key away.
document.querySelector("[data-focus]")?.focus();

// Screen readers announce a status only when it changes: one that came with the page is put in anew.
addEventListener("load", () => {
  for (const place of document.querySelectorAll("[role=status]")) {
    const said = place.querySelector(".flash-inside > p") ?? place.firstElementChild;
    if (said) setTimeout(() => said.replaceWith(said.cloneNode(true)), 100);
  }
});

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
