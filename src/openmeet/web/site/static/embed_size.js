// Sends the height of the embed to the surrounding page, if that page has our script. The height reveals nothing about the visitor.
const tell = () => parent.postMessage({ openmeetHeight: Math.ceil(document.documentElement.offsetHeight) }, "*");
new ResizeObserver(tell).observe(document.documentElement);
addEventListener("message", (event) => { if (event.data === "openmeet height") tell(); });
