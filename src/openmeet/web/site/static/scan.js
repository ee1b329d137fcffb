// Reads tickets with the camera, one after another, in browsers that can read codes. Other browsers show what to do instead.
const form = document.querySelector("form[data-scan]");
const camera = form?.querySelector("[data-scan-camera]");
const start = form?.querySelector("[data-scan-start]");
const stop = form?.querySelector("[data-scan-stop]");
const video = form?.querySelector("[data-scan-video]");
const shown = form?.querySelector("[data-scan-said]");
const field = form?.querySelector("[name=code]");

// After a check-in the page is loaded again. Then the camera goes on, and ignores the last ticket until it was away for this long.
const MEMORY = "scan";
const PAUSE_MS = 1500;
let stream;

const recall = () => JSON.parse(sessionStorage.getItem(MEMORY) ?? "{}");
const remember = (code) => sessionStorage.setItem(MEMORY, JSON.stringify({ path: location.pathname, code }));
const say = (name) => {
  const words = shown.dataset[name];
  if (shown.textContent !== words) shown.textContent = words;
};

// The code of a ticket, or of its address: ``tickets.parse_code`` reads the same texts.
function codeOf(text) {
  const code = text.split("code=").pop().toUpperCase().replace(/[\s\x1c-\x1f\x85-]/g, "");
  return /^[0-9A-Z]{12}$/.test(code) ? code.replace(/(....)(....)(....)/, "$1-$2-$3") : undefined;
}

function show(isOn) {
  video.hidden = !isOn;
  stop.hidden = !isOn;
  start.hidden = isOn;
}

function end(words) {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  sessionStorage.removeItem(MEMORY);
  show(false);
  if (words) say(words);
  else shown.textContent = "";
}

async function open() {
  start.disabled = true;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = stream;
    show(true);
    await video.play();
  } catch ({ name }) {
    end(name === "NotFoundError" ? "missing" : name === "NotReadableError" ? "busy" : "refused");
    return;
  } finally {
    start.disabled = false;
  }
  for (const track of stream.getTracks()) track.addEventListener("ended", () => end("ended"));
  const { path, code } = recall();
  const before = path === location.pathname ? code : undefined;
  remember(before);
  say("point");
  const from = performance.now();
  look(new BarcodeDetector({ formats: ["qr_code"] }), before, { beforeAt: from, saidAt: from });
}

// ``before`` is the ticket that was read last. It was last in the picture at ``beforeAt``; a sentence about a code was true at ``saidAt``.
async function look(detector, before, { beforeAt, saidAt }) {
  const text = (await detector.detect(video).catch(() => []))[0]?.rawValue;
  if (!stream) return;
  const code = text && codeOf(text);
  const now = performance.now();
  const isBefore = code && code === before && now < beforeAt + PAUSE_MS;
  if (code && !isBefore) {
    end("read");
    remember(code);
    field.value = code;
    form.requestSubmit(form.querySelector("[type=submit]"));
    return;
  }
  if (text) say(isBefore ? "again" : "foreign");
  else if (now > saidAt + PAUSE_MS) say("point");
  requestAnimationFrame(() => look(detector, before, { beforeAt: isBefore ? now : beforeAt, saidAt: text ? now : saidAt }));
}

async function offer() {
  const formats = "BarcodeDetector" in window && navigator.mediaDevices ? await BarcodeDetector.getSupportedFormats() : [];
  if (!formats.includes("qr_code")) {
    form.querySelector("[data-scan-other]").hidden = false;
    return;
  }
  camera.hidden = false;
  start.addEventListener("click", open);
  stop.addEventListener("click", () => end());
  const permission = await navigator.permissions?.query({ name: "camera" }).catch(() => undefined);
  if (recall().path === location.pathname && permission?.state === "granted") open();
}

if (start) offer();
