// Passkeys need a script, because only the browser can communicate with the device. If the browser does not support passkeys,
// the buttons stay hidden.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const described = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

const asked = {
  async get(options) {
    const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: described(options.allowCredentials) };
    const answer = await navigator.credentials.get({ publicKey });
    const { authenticatorData, clientDataJSON, signature, userHandle } = answer.response;
    return written(answer, {
      authenticatorData: text(authenticatorData),
      clientDataJSON: text(clientDataJSON),
      signature: text(signature),
      userHandle: userHandle ? text(userHandle) : null,
    });
  },
  async create(options) {
    const publicKey = {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: described(options.excludeCredentials),
    };
    const answer = await navigator.credentials.create({ publicKey });
    const { attestationObject, clientDataJSON } = answer.response;
    return written(answer, { attestationObject: text(attestationObject), clientDataJSON: text(clientDataJSON) });
  },
};

const written = (answer, response) => JSON.stringify({ id: answer.id, rawId: text(answer.rawId), type: answer.type, response });

for (const place of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  place.hidden = false;
  const [button, field, sorry] = ["button", "input[name=passkey]", "[role=alert]"].map((one) => place.querySelector(one));
  button.addEventListener("click", async () => {
    sorry.hidden = true;
    button.setAttribute("aria-busy", "true");
    try {
      field.value = await asked[place.dataset.passkey](JSON.parse(place.dataset.options));
      field.form.submit();
    } catch {
      // Cancelled, timed out, or no device: browsers do not tell pages which.
      sorry.hidden = false;
      button.removeAttribute("aria-busy");
    }
  });
}

// Notes that a browser lacks passkeys are shown only in such browsers.
for (const place of document.querySelectorAll("[data-needs-passkeys]")) {
  place.hidden = Boolean(window.PublicKeyCredential);
}
