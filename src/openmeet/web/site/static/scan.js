// Reads tickets with the camera, in browsers that support it. Other browsers use the text field or the phone's camera app.
const form = document.querySelector("form[data-scan]");
const camera = form?.querySelector("[data-scan-camera]");
const start = form?.querySelector("[data-scan-start]");
const video = form?.querySelector("[data-scan-video]");
const shown = form?.querySelector("[data-scan-said]");
const field = form?.querySelector("[name=code]");

async function scan() {
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    shown.textContent = shown.dataset.refused;
    return;
  }
  video.srcObject = stream;
  video.hidden = false;
  await video.play();
  shown.textContent = shown.dataset.point;
  const look = async () => {
    const found = await detector.detect(video).catch(() => []);
    const code = found[0]?.rawValue;
    if (code) {
      for (const track of stream.getTracks()) track.stop();
      field.value = code;
      shown.textContent = shown.dataset.read;
      form.requestSubmit();
    } else {
      requestAnimationFrame(look);
    }
  };
  look();
}

if (start && "BarcodeDetector" in window && navigator.mediaDevices) {
  camera.hidden = false;
  start.addEventListener("click", scan);
}
