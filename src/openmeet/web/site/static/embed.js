// For the pages that show our embeds: gives each frame the height of what is in it. It reads and keeps nothing.
(() => {
  const { origin } = new URL(document.currentScript.src);
  addEventListener("message", (event) => {
    const height = event.data?.openmeetHeight;
    if (event.origin !== origin || !Number.isFinite(height)) return;
    for (const frame of document.getElementsByTagName("iframe")) {
      if (frame.contentWindow === event.source) frame.style.height = `${Math.min(Math.max(height, 60), 5000)}px`;
    }
  });
  // Frames that were there before this script have said it already.
  for (const frame of document.getElementsByTagName("iframe")) {
    if (frame.src.startsWith(`${origin}/embed/`)) frame.contentWindow?.postMessage("openmeet height", origin);
  }
})();
