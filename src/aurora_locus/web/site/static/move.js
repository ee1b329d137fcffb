// While a migration runs, the page polls its progress, and reloads when there is a new step. Without this script, people use the
// reload link.

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
  // Replace only what has changed, so that screen readers announce nothing else.
  if (place(document).innerHTML !== fresh.innerHTML) place(document).innerHTML = fresh.innerHTML;
  setTimeout(look, SECONDS * 1000);
}

if (place(document)?.hasAttribute("data-moving")) setTimeout(look, SECONDS * 1000);
