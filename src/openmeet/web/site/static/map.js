// The map of a search. Without this script, its controls are links, and the map cannot be dragged.

const WORLD = 256;

// Replaces only the map, not the page.
async function show(path, size, control) {
  const found = await fetch(path).catch(() => undefined);
  const map = found?.ok && new DOMParser().parseFromString(await found.text(), "text/html").getElementById("map");
  if (!map) return location.assign(path);
  map.classList.add("moves");
  document.getElementById("map").replaceWith(map);
  history.replaceState(history.state, "", path);
  if (control) map.querySelector(`.${size} .${control}`)?.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-map-link]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(link.href, link.closest(".map-picture").classList.item(1), [...link.classList].at(-1));
});

// The view after the map was dragged by these pixels of its drawing.
function moved(at, right, down) {
  const [latitude, longitude, zoom] = at.split(",").map(Number);
  const world = WORLD * 2 ** zoom;
  const sine = Math.sin((latitude * Math.PI) / 180);
  const y = 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI) - down / world;
  const north = (Math.atan(Math.sinh(Math.PI * (1 - 2 * Math.min(1, Math.max(0, y))))) * 180) / Math.PI;
  const east = ((((longitude - (right / world) * 360 + 180) % 360) + 360) % 360) - 180;
  return `${north.toFixed(4)},${east.toFixed(4)},${zoom}`;
}

document.getElementById("map")?.classList.add("moves");

// Dragging is for the mouse. With a finger or a pen, the same gesture scrolls the page.
document.addEventListener("pointerdown", (start) => {
  const picture = start.target.closest(".moves .map-picture");
  if (!picture || start.button || start.pointerType !== "mouse" || start.target.closest("a")) return;
  start.preventDefault();
  const svg = picture.querySelector("svg");
  const scale = svg.getScreenCTM().a;
  picture.classList.add("is-dragged");
  const drag = (event) => { svg.style.translate = `${event.clientX - start.clientX}px ${event.clientY - start.clientY}px`; };
  document.addEventListener("pointermove", drag);
  document.addEventListener("pointerup", (end) => {
    document.removeEventListener("pointermove", drag);
    picture.classList.remove("is-dragged");
    const [right, down] = [end.clientX - start.clientX, end.clientY - start.clientY];
    if (!right && !down) return;
    const path = new URL(picture.querySelector("[data-map-link]").href);
    path.searchParams.set("at", moved(picture.dataset.mapAt, right / scale, down / scale));
    show(path.href, picture.classList.item(1), "");
  }, { once: true });
});
