// Generates a recovery key in this browser. The private key is only shown, and saved as a file if its owner wants that. It is
// never part of a form, and this script sends nothing. The public key is put into the form on the page.
//
// The key is on P-256, because browsers cannot generate keys on secp256k1; did:plc accepts both. Key formats: did:key method
// and multicodec table (p256-pub 0x1200, p256-priv 0x1306). `openmeet pds recover` reads the saved file.

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const PUBLIC_KEY = [0x80, 0x24];
const PRIVATE_KEY = [0x86, 0x26];

const place = document.querySelector("[data-recovery-key]");
if (place && globalThis.crypto?.subtle) offer(place);

function offer(place) {
  const part = (name) => place.querySelector(`[data-${name}]`);
  const field = document.getElementById("public_key");
  const send = document.querySelector("[data-needs-saved-key]");
  const saved = part("saved");
  let isSaved = true;
  part("make").hidden = false;
  part("by-hand").hidden = true;

  part("make").addEventListener("click", async () => {
    const made = await make();
    const file = fileOf(place.dataset, made);
    part("private").textContent = made.private;
    part("download").href = URL.createObjectURL(new Blob([file], { type: "text/plain" }));
    part("download").download = `recovery-key-${place.dataset.handle}.txt`;
    field.value = made.public;
    field.readOnly = true;
    part("made").hidden = false;
    part("make").hidden = true;
    saved.checked = isSaved = false;
    part("title").focus();
  });
  saved.addEventListener("change", () => (isSaved = saved.checked));
  // The form can be sent only after the key was saved, because a registered key that nobody has is a risk.
  send.form.addEventListener("submit", (event) => {
    if (isSaved) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    part("reminder").hidden = false;
    saved.focus();
  }, true);
  // Ask before leaving the page while the key is shown, because it is not shown again.
  addEventListener("beforeunload", (event) => {
    if (!isSaved) event.preventDefault();
  });
}

async function make() {
  const kind = { name: "ECDSA", namedCurve: "P-256" };
  const pair = await crypto.subtle.generateKey(kind, true, ["sign", "verify"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const number = bytesOf((await crypto.subtle.exportKey("jwk", pair.privateKey)).d);
  // 65 bytes with x and y. The compressed form has x and the parity of y.
  const compressed = [2 + (point[64] & 1), ...point.slice(1, 33)];
  return {
    public: `did:key:z${base58([...PUBLIC_KEY, ...compressed])}`,
    private: `z${base58([...PRIVATE_KEY, ...number])}`,
  };
}

function bytesOf(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

// Neither kind of key begins with a zero byte, so leading zeros need no handling.
function base58(bytes) {
  let number = bytes.reduce((all, byte) => all * 256n + BigInt(byte), 0n);
  let text = "";
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  return text;
}

// Programs read "identity", "handle" and the names of the keys, so these are not translated.
function fileOf({ identity, handle, heading, warning, use }, made) {
  return `${heading}

identity:    ${identity}
handle:      ${handle}
public key:  ${made.public}
private key: ${made.private}

${warning}

${use}
    openmeet pds recover --help
`;
}
