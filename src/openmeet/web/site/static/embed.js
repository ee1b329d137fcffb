// For pages that contain our embeds: adjusts the height of each frame to its content. It reads and stores nothing.
(() => {
  const { origin } = new URL(document.currentScript.src);
  addEventListener("message", (event) => {
    const height = event.data?.openmeetHeight;
    if (event.origin !== origin || !Number.isFinite(height)) return;
    for (const frame of document.getElementsByTagName("iframe")) {
      if (frame.contentWindow === event.source) frame.style.height = `${Math.min(Math.max(height, 60), 5000)}px`;
    }
  });
  // Frames that loaded before this script have already sent their height, so ask them again.
  for (const frame of document.getElementsByTagName("iframe")) {
    if (frame.src.startsWith(`${origin}/embed/`)) frame.contentWindow?.postMessage("openmeet height", origin);
  }
})();
