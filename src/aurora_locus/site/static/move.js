// While a move is under way the page asks how far it is, and loads itself anew when something else is to be done.
// Without this its link does the same.

const SECONDS = 2;

function place(from) {
  return from.querySelector("[data-progress]");
}

async function look() {
  const answer = await fetch(location.pathname, { headers: { accept: "text/html" } });
  const fresh = place(new DOMParser().parseFromString(await answer.text(), "text/html"));
  if (!answer.ok || !fresh?.hasAttribute("data-moving")) {
    location.reload();
    return;
  }
  // Only what changed is announced, so nothing is put in anew that is the same.
  if (place(document).innerHTML !== fresh.innerHTML) place(document).innerHTML = fresh.innerHTML;
  setTimeout(look, SECONDS * 1000);
}

if (place(document)?.hasAttribute("data-moving")) setTimeout(look, SECONDS * 1000);
