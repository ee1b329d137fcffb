// Tells the page around the embed how high it is, where that page has our script; the height tells it nothing about anybody.
const tell = () => parent.postMessage({ openmeetHeight: Math.ceil(document.documentElement.offsetHeight) }, "*");
new ResizeObserver(tell).observe(document.documentElement);
addEventListener("message", (event) => { if (event.data === "openmeet height") tell(); });
